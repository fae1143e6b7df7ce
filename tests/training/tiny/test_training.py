"""The training side against independent paths: the unmodified model, a loop, an unbroken run."""

import itertools
import json
import random
from copy import deepcopy
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from transformers import (
    AutoProcessor,
    Qwen2AudioEncoderConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    WhisperFeatureExtractor,
)

from experiments.training.tiny import learner as learner_module
from experiments.training.tiny import network as network_module
from experiments.training.tiny.batches import IGNORED, Rows, collate
from experiments.training.tiny.curriculum import Curriculum, Mix
from experiments.training.tiny.encode import encode_shard, log_mel, run_tower
from experiments.training.tiny.export import export, mix
from experiments.training.tiny.items import FEATURES, ITEMS, Item, read_items
from experiments.training.tiny.learner import CTC_BLANK, Learner, Recipe
from experiments.training.tiny.lessons import Lessons
from experiments.training.tiny.network import DecoderSize, make_network, untie_head
from experiments.training.tiny.probe import measure, skills
from experiments.training.tiny.prompts import PAIRS, RETELL, Lesson, Turn, draw_lesson, task_lesson
from experiments.training.tiny.vocabulary import make_processor, train_tokenizer

TEXTS = ["the cat sat on the mat", "Die Katze saß auf der Matte.", "who was it? A. Ann; B. Bob; C. Cy; D. Di."] * 4
SIZE = DecoderSize(layers=2, hidden=32, intermediate=48, heads=2)
CHANNELS = 16


@pytest.fixture(scope="module")
def processor() -> Qwen2AudioProcessor:
    return make_processor(train_tokenizer(TEXTS, 320))


@pytest.fixture
def network(processor: Qwen2AudioProcessor, monkeypatch: pytest.MonkeyPatch) -> Qwen2AudioForConditionalGeneration:
    small = Qwen2AudioEncoderConfig(
        num_mel_bins=80, d_model=CHANNELS, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=32
    )
    monkeypatch.setattr(network_module, "AUDIO_CONFIG", small)
    torch.manual_seed(0)
    return make_network(SIZE, processor.tokenizer, None).eval()


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).normal(0, 3000, int(16_000 * seconds))
    return samples.astype(np.int16)


def feature_folder(folder: Path, task: str, items: int, fields: dict[str, object]) -> Path:
    """A feature shard of random rows."""
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(items)
    rows = torch.randn(items * 12, CHANNELS, generator=generator).to(torch.bfloat16)
    np.save(folder / FEATURES, rows.view(torch.uint16).numpy())
    lines = [{"task": task, "fields": fields, "clips": [[12 * i, 12]]} for i in range(items)]
    (folder / ITEMS).write_text("\n".join(map(json.dumps, lines)) + "\n")
    return folder


@pytest.mark.parametrize("text", ["the cat's hat", "Die Katze saß, übrigens, dort.", "A. Ann; B. Bob", "日本 42"])
def test_tokenizer_returns_what_it_was_given(processor: Qwen2AudioProcessor, text: str, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    ids = loaded.tokenizer(text).input_ids
    assert ids == processor.tokenizer(text).input_ids
    assert loaded.tokenizer.decode(ids, skip_special_tokens=True) == text


def test_prompt_equals_the_processors(processor: Qwen2AudioProcessor) -> None:
    item = Item(Path(), "st", {"text": "the cat", "translation": "die Katze"}, ((0, 25), (25, 12)))
    lesson = task_lesson(item)
    content = [{"type": "audio"}, {"type": "audio"}, {"type": "text", "text": lesson.instruction}]
    chat = [{"role": "user", "content": content}]
    text = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    wanted = processor(text=text, audio=[noise(1.0), noise(0.5)], sampling_rate=16_000)["input_ids"][0]
    assert Rows(processor.tokenizer).prompt(lesson, [25, 12]) == list(wanted)


def test_short_windows_give_the_models_own_features(
    network: Qwen2AudioForConditionalGeneration, processor: Qwen2AudioProcessor
) -> None:
    waves = [noise(0.61, 1), noise(3.0, 2), noise(30.0, 3)]
    heard: list[torch.Tensor] = []
    network.model.multi_modal_projector.register_forward_pre_hook(lambda _, args: heard.append(args[0]))
    text = "<|audio_bos|><|AUDIO|><|audio_eos|>" * len(waves)
    floats = [wave.astype(np.float32) / 32768 for wave in waves]
    with torch.inference_mode():
        network(**processor(text=text, audio=floats, sampling_rate=16_000, return_tensors="pt"))
    mel = log_mel(waves[:2], WhisperFeatureExtractor(feature_size=80))
    assert mel.shape[-1] < 400
    ours = run_tower(network.model.audio_tower, mel, [len(wave) for wave in waves[:2]])
    mel = log_mel(waves[2:], WhisperFeatureExtractor(feature_size=80))
    ours += run_tower(network.model.audio_tower, mel, [len(waves[2])])
    assert [len(rows) for rows in ours] == [15, 75, 750]
    for rows, wanted in zip(ours, heard[0], strict=True):
        torch.testing.assert_close(rows.float(), wanted[: len(rows)], atol=0.02, rtol=0.01)


def test_answer_loss_equals_the_models_own(
    network: Qwen2AudioForConditionalGeneration, processor: Qwen2AudioProcessor, tmp_path: Path
) -> None:
    folder = feature_folder(tmp_path / "asr-0000", "asr", 3, {"text": "the cat sat"})
    rows = Rows(processor.tokenizer)
    batch = collate([rows(item, task_lesson(item)) for item in read_items(folder)], rows.audio, 0, 0, random.Random(0))
    answers, read, ctc = Learner(network, Recipe(minutes=1, ctc_layer=1)).losses(batch)
    model = network.model
    embeds = model.get_input_embeddings()(batch.ids_BT)
    audio = batch.ids_BT == network.config.audio_token_id
    embeds[audio] = model.multi_modal_projector(batch.features_ND.float())
    wanted = network(inputs_embeds=embeds, labels=batch.labels_BT, output_hidden_states=True)
    torch.testing.assert_close(answers, wanted.loss)
    text = batch.ids_BT.masked_fill(audio | (batch.labels_BT != IGNORED) | (batch.ids_BT == 0), IGNORED)
    torch.testing.assert_close(read, network(inputs_embeds=embeds, labels=text).loss)
    assert processor.tokenizer.decode(batch.labels_BT[0][batch.labels_BT[0] != IGNORED]) == "the cat sat<|im_end|>"
    one_by_one = []
    for i, transcript in enumerate(batch.transcripts):
        logits = network.lm_head(model.language_model.norm(wanted.hidden_states[1][i][audio[i]]))
        target = torch.tensor(transcript)
        one_by_one.append(nn.functional.ctc_loss(logits.log_softmax(-1), target, (12,), (len(target),), CTC_BLANK))
    torch.testing.assert_close(ctc, torch.stack(one_by_one).mean())


def test_questions_keep_their_answer_when_choices_are_shuffled() -> None:
    asked = {"question": "who?", "choices": ["ann", "bob", "cy", "di"], "answer": "C", "evidence": "it was cy"}
    item = Item(Path(), "sqa", {"text": "someone did it it was cy", "questions": [asked, asked]}, ((0, 10),))
    lessons = [draw_lesson(item, random.Random(seed)) for seed in range(200)]
    turns = [turn for lesson in lessons for turn in lesson.turns if len(lesson.turns) == 2]
    chosen = [turn for turn in turns if "; " in turn.instruction]
    assert {letter for turn in chosen for letter in "ABCD" if f"{letter}. cy" in turn.instruction} == set("ABCD")
    assert all(turn.answer == "cy" for turn in chosen)
    assert {(turn.instruction, turn.answer) for turn in turns if turn not in chosen} == {
        ("who?", "cy"),
        ("who? Quote the sentence.", "it was cy"),
    }
    assert RETELL not in {turn.instruction for lesson in lessons for turn in lesson.turns}
    assert [lesson.answer for lesson in lessons if len(lesson.turns) == 1].count(item.fields["text"]) > 0


def test_passages_are_told_again_without_what_only_a_pronoun_tells() -> None:
    told = ["ann has a cat", "she has a dog", "bob has a hat"]
    asked = [{"question": "?", "choices": list("abcd"), "answer": "A", "evidence": sentence} for sentence in told]
    item = Item(Path(), "sqa", {"text": " ".join(told), "questions": asked}, ())
    lessons = [draw_lesson(item, random.Random(seed)) for seed in range(100)]
    assert {lesson.answer for lesson in lessons if lesson.instruction == RETELL} == {
        "ann has a cat bob has a hat",
        "bob has a hat ann has a cat",
    }
    assert all(lesson.passage == item.fields["text"] for lesson in lessons)


def test_pairs_are_asked_for_again() -> None:
    fields = {"text": "cat hat, dog cap", "again": "cap dog, hat cat"}
    lesson = draw_lesson(Item(Path(), "pairs", fields, ()), random.Random(0))
    assert (lesson.passage, lesson.instruction, lesson.answer) == (fields["text"], PAIRS, fields["again"])


def test_further_turns_are_written_like_the_first(processor: Qwen2AudioProcessor) -> None:
    turns = (Turn("who?", "the cat"), Turn("what?", "a hat"))
    row = Rows(processor.tokenizer)(Item(Path(), "sqa", {}, ()), Lesson(turns, passage="the cat sat"))
    wanted = (
        "<|im_start|>user\nthe cat sat\nwho?<|im_end|>\n<|im_start|>assistant\n the cat<|im_end|>\n"
        "<|im_start|>user\nwhat?<|im_end|>\n<|im_start|>assistant\n a hat<|im_end|>"
    )
    assert row.ids == processor.tokenizer(wanted).input_ids
    learnt = [token for token in row.labels if token != IGNORED]
    assert processor.tokenizer.decode(learnt) == "the cat<|im_end|> a hat<|im_end|>"


def test_shards_become_items_of_all_their_audio(network: Qwen2AudioForConditionalGeneration, tmp_path: Path) -> None:
    shard, out = tmp_path / "asr-0000", tmp_path / "out"
    shard.mkdir()
    waves = [noise(0.5 + 0.1 * i, i) for i in range(12)]
    starts = np.cumsum([0, *map(len, waves)])
    np.save(shard / "audio.npy", np.concatenate(waves))
    lines = [
        {"start": int(start), "samples": len(wave), "text": f"w{i}"}
        for i, (start, wave) in enumerate(zip(starts, waves, strict=False))
    ]
    (shard / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    encode_shard(shard, out, network.model.audio_tower, joined=0.5)
    items = read_items(out)
    assert 1 < len(items) < len(waves)
    assert " ".join(item.fields["text"] for item in items) == " ".join(f"w{i}" for i in range(12))
    assert sum(item.tokens for item in items) >= 25 * sum(map(len, waves)) / 16_000 - len(waves)
    assert all(torch.isfinite(clip).all() and len(clip) == item.tokens for item in items for clip in item.features())


def fit(folder: Path, network: Qwen2AudioForConditionalGeneration, processor: Qwen2AudioProcessor, epochs: int) -> None:
    curriculum = Curriculum(folder / "features", folder / "texts", Mix(), batch_tokens=150, batches=3)
    checkpoint = folder / "run" / "last.ckpt"
    pl.seed_everything(0)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        reload_dataloaders_every_n_epochs=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ModelCheckpoint(folder / "run", "last", enable_version_counter=False)],
    )
    trainer.fit(
        Learner(network, Recipe(minutes=60, ctc_layer=1)),
        datamodule=Lessons(curriculum, Rows(processor.tokenizer), reach=200),
        ckpt_path=checkpoint if checkpoint.exists() else None,
        weights_only=False,
    )


def test_a_resumed_run_equals_an_unbroken_one(
    network: Qwen2AudioForConditionalGeneration,
    processor: Qwen2AudioProcessor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = {key: value.clone() for key, value in network.state_dict().items()}
    weights = []
    for name, stops in (("whole", [3]), ("broken", [2, 3])):
        feature_folder(tmp_path / name / "features" / "asr-0000", "asr", 7, {"text": "the cat sat"})
        network.load_state_dict(start)
        clock = itertools.count()
        monkeypatch.setattr(learner_module.time, "monotonic", lambda clock=clock: float(next(clock)))
        for epochs in stops:
            fit(tmp_path / name, network, processor, epochs)
        weights.append({key: value.clone() for key, value in network.state_dict().items()})
    assert not torch.equal(weights[0]["lm_head.weight"], start["lm_head.weight"])
    for key, value in weights[0].items():
        assert torch.equal(value, weights[1][key]), key


def test_an_exported_folder_is_a_plain_qwen2_audio(
    network: Qwen2AudioForConditionalGeneration, processor: Qwen2AudioProcessor, tmp_path: Path
) -> None:
    wanted = {key: value.to(torch.bfloat16) for key, value in network.state_dict().items()}
    export(network, tmp_path)
    loaded, report = Qwen2AudioForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert loaded.dtype == torch.bfloat16
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, wanted[key]), key
    assert loaded.generation_config.eos_token_id == processor.tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_a_probe_counts_answers_that_are_foretold_whole(
    network: Qwen2AudioForConditionalGeneration, processor: Qwen2AudioProcessor
) -> None:
    item = Item(Path(), "pairs", {"text": "a b, c d", "again": "c d, a b"}, ())
    ((name, lessons),) = skills([item], "pairs")
    rows = Rows(processor.tokenizer)
    row = rows(*lessons[0])
    ids = torch.tensor([row.ids])
    logits = network(input_ids=ids).logits[0, :-1]
    wanted = torch.tensor(row.labels[1:])
    right = (logits.argmax(-1) == wanted)[wanted != IGNORED]
    found = measure(network.eval(), rows, lessons)
    assert name == "pairs"
    assert found == {"answers": 1, "exact": float(right.all()), "tokens": round(float(right.float().mean()), 4)}


def test_weights_move_a_share_of_the_way_to_an_exported_folder(
    network: Qwen2AudioForConditionalGeneration, tmp_path: Path
) -> None:
    untie_head(network)
    export(deepcopy(network), tmp_path)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    mix(network, tmp_path, 0.25)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, before[key] + 0.75, rtol=0.01, atol=0.01)
