"""Qwen-Audio or Qwen-Audio-Chat, the first generation: a folder as `hf download` leaves it.

    hf download Qwen/Qwen-Audio-Chat --local-dir original
    fastadasp convert qwen_audio original checkpoints/qwen_audio_chat

The weights are read and written tensor by tensor; no code that comes with them is run. Memory is needed for one file of
the result (`--shard-gb`), not for the whole.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import Qwen2AudioConfig

    from fastadasp.models.converting import Precision
    from fastadasp.models.qwen_audio.released import Released

RECIPE = "qwen_audio 1"
"""The number is raised whenever the same checkpoint is converted otherwise: no folder of an older one goes on."""


def main(arguments: Sequence[str]) -> None:
    """The command `fastadasp convert qwen_audio`."""
    from fastadasp.models.convert_command import shared_options, show_progress

    parser = argparse.ArgumentParser(
        prog="fastadasp convert qwen_audio",
        description="Convert the released Qwen-Audio, base or chat, for model=qwen_audio or model=qwen_audio_chat.",
    )
    shared_options(parser, checkpoint="folder of the released checkpoint")
    given = parser.parse_args(arguments)
    from fastadasp.models.converting import Precision

    convert_qwen_audio(
        given.checkpoint,
        given.out,
        precision=Precision[given.precision],
        shard_bytes=given.shard_bytes,
        progress=show_progress,
    )
    print(f"Done: fastadasp run model=qwen_audio model.path={given.out} (the chat model: model=qwen_audio_chat)")


def convert_qwen_audio(
    checkpoint: Path,
    folder: Path,
    *,
    precision: "Precision | None" = None,
    shard_bytes: int = 2 * 10**9,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Convert the released checkpoint, base or chat, in the folder `checkpoint` into `folder`.

    precision: number format of the weights; None keeps the checkpoint's.

    Raises ConversionError or ModelError, before anything is written, for all that is missing, unknown or of another
    shape at once.
    """
    from fastadasp.models.converting import ConversionError, Precision, convert, open_source, problems
    from fastadasp.models.qwen_audio.keys import constants, outputs, shapes
    from fastadasp.models.qwen_audio.released import ADVICE, Released

    precision = Precision.keep if precision is None else precision
    released = Released.read(checkpoint)
    source = open_source(checkpoint, advice=ADVICE)
    unused = {key: source.tensors[key].shape for key in constants(source.tensors)}
    if wrong := problems(source, shapes(released), unused):
        raise ConversionError(
            f"the weights in {checkpoint} are not those of its config.json: {'; '.join(wrong)}; {ADVICE}"
        )
    new = list(outputs(released))
    head = next(output for output in new if output.name == "lm_head.weight")
    convert(
        source,
        new,
        folder,
        recipe=f"{RECIPE} {released.digest}",
        finish=partial(_finish, released, head.dtype(source, precision)),
        precision=precision,
        shard_bytes=shard_bytes,
        progress=progress,
    )


def model_config(released: "Released") -> "Qwen2AudioConfig":
    """The new config.json; the decoder's part also holds what transformers' Qwen2 has no name for."""
    from transformers import Qwen2AudioConfig, Qwen2AudioEncoderConfig, Qwen2Config

    from fastadasp.models.qwen_audio.tokenizer import AUDIO_TOKEN, END_OF_TEXT

    settings: Mapping[str, float] = released.settings
    encoder = Qwen2AudioEncoderConfig(
        num_mel_bins=settings["audio.n_mels"],
        d_model=settings["audio.n_state"],
        encoder_layers=settings["audio.n_layer"],
        encoder_attention_heads=settings["audio.n_head"],
        encoder_ffn_dim=4 * settings["audio.n_state"],
        max_source_positions=settings["audio.n_ctx"],
    )
    decoder = Qwen2Config(
        vocab_size=settings["vocab_size"],
        hidden_size=settings["hidden_size"],
        intermediate_size=settings["intermediate_size"] // 2,
        num_hidden_layers=settings["num_hidden_layers"],
        num_attention_heads=settings["num_attention_heads"],
        num_key_value_heads=settings["num_attention_heads"],
        max_position_embeddings=settings["max_position_embeddings"],
        rms_norm_eps=settings["layer_norm_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": float(settings["rotary_emb_base"])},
        tie_word_embeddings=False,
        eos_token_id=_ends(released),
        pad_token_id=released.ids[END_OF_TEXT],
        seq_length=settings["seq_length"],
        use_logn_attn=bool(settings["use_logn_attn"]),
        use_dynamic_ntk=bool(settings["use_dynamic_ntk"]),
    )
    return Qwen2AudioConfig(
        audio_config=encoder,
        text_config=decoder,
        audio_token_index=released.ids[AUDIO_TOKEN],
        tie_word_embeddings=False,
        architectures=["Qwen2AudioForConditionalGeneration"],
    )


def _ends(released: "Released") -> list[int]:
    """Ids that end an answer."""
    from fastadasp.models.qwen_audio.tokenizer import END_OF_TEXT, TURN_END, TURN_START

    ends = (TURN_END, TURN_START, END_OF_TEXT) if released.chat else (END_OF_TEXT,)
    return [released.ids[token] for token in ends]


def _finish(released: "Released", dtype: "torch.dtype", folder: Path) -> None:
    """Write all but the weights."""
    from transformers import GenerationConfig

    from fastadasp.models.qwen_audio.processor import build_processor
    from fastadasp.models.qwen_audio.tokenizer import END_OF_TEXT, build_tokenizer

    tokenizer = build_tokenizer(released.ranks, chat=released.chat)
    mels = released.settings["audio.n_mels"]
    build_processor(tokenizer, chat=released.chat, mels=mels).save_pretrained(folder)
    GenerationConfig(eos_token_id=_ends(released), pad_token_id=released.ids[END_OF_TEXT]).save_pretrained(folder)
    config = model_config(released)
    config.dtype = dtype
    config.save_pretrained(folder)
