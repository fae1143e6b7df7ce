"""Clips reduced on their own, against what `merging()` does to the same clips inside prompts."""

from typing import Any

import pytest
import torch
from torch import Tensor

from fastadasp import (
    AffinityPooling,
    BlendInput,
    DivPrune,
    InputMethod,
    Samp,
    SegmentTopK,
    SpeechPrune,
    Stride,
    VisionZip,
    merging,
)
from fastadasp.engine.encoder import EncoderTap
from fastadasp.errors import ConfigError
from fastadasp.serving.clips import check_on_clips, kept_tokens, reduce_clips
from tests.helpers.tiny_speech import AUDIO_TOKEN, speech_batch, speech_prompt, tiny_speech_model

LENGTHS = (17, 30, 9)
METHODS = [
    BlendInput(ratio=0.5, positions="original", proportional=False),
    BlendInput(ratio=0.3, positions="original", proportional=False, weights="encoder"),
    Stride(ratio=0.5, positions="original"),
    AffinityPooling(ratio=0.4, positions="original"),
    DivPrune(ratio=0.5, positions="original"),
    VisionZip(ratio=0.5, positions="original"),
    Samp(ratio=0.5, positions="original"),
    SegmentTopK(ratio=0.6, positions="original"),
]


def inputs_of_layer_0(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """(B, T, D): what enters the decoder."""
    entered: list[Tensor] = []
    layer = model.model.language_model.layers[0]
    hook = layer.input_layernorm.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    model(**batch)
    hook.remove()
    return entered[0]


def named(method: InputMethod) -> str:
    return f"{type(method).__name__}-{method.ratio}"


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_clips_get_the_tokens_and_positions_that_merging_gives_them(method: InputMethod) -> None:
    model = tiny_speech_model()
    rows = [speech_prompt((5, tokens, 4), seed=tokens) for tokens in LENGTHS]
    entered: list[Tensor] = []
    positions: list[Tensor] = []
    with torch.no_grad():
        for row in rows:  # one by one, so that no padding is in the way
            batch = speech_batch([row])
            with merging(model, method, batch["input_ids"] == AUDIO_TOKEN, keep_assignments=True) as trace:
                entered.append(inputs_of_layer_0(model, batch)[0, 5:-4])
            assert trace.input_assignment is not None
            positions.append(trace.input_assignment.first[0, 5:-4] - 5)

        batch = speech_batch(rows)
        tap = EncoderTap(model)
        with tap.listening():
            plain = inputs_of_layer_0(model, batch)
            clips = [row[-4 - tokens : -4] for row, tokens in zip(plain, LENGTHS, strict=True)]
            kept = [kept_tokens(length, method.ratio) for length in LENGTHS]
            tokens, places = reduce_clips(clips, kept, method, lambda audio_CN: tap.read(1, audio_CN))
    for got, expected, place, position in zip(tokens, entered, places, positions, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
        assert place.tolist() == position.tolist()


def test_clips_of_unlike_ratios_are_reduced_as_alone() -> None:
    generator = torch.Generator().manual_seed(1)
    clips = [torch.randn(length, 12, generator=generator) for length in LENGTHS]
    kept = [kept_tokens(length, ratio) for length, ratio in zip(LENGTHS, (0.0, 0.5, 0.8), strict=True)]
    method = BlendInput(proportional=False)
    together, places = reduce_clips(clips, kept, method)
    assert [len(clip) for clip in together] == kept == [17, 15, 2]
    for clip, left, got, place in zip(clips, kept, together, places, strict=True):
        ((alone,), (expected,)) = reduce_clips([clip], [left], method)
        torch.testing.assert_close(got, alone)
        assert place.tolist() == expected.tolist()


def test_a_clip_that_keeps_all_is_left_as_it_is() -> None:
    clip = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
    tokens, places = reduce_clips([clip], [6], BlendInput())
    assert tokens[0] is clip
    assert places[0].tolist() == [0, 1, 2, 3, 4, 5]


def test_methods_that_servers_cannot_run_are_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="SpeechPrune cannot be served: it needs weights of the decoder"):
        check_on_clips(SpeechPrune(), encoder=True)
    with pytest.raises(ConfigError, match="Samp cannot be served: it needs the attention of the audio encoder"):
        check_on_clips(Samp(), encoder=False)


def test_it_is_known_which_methods_look_at_the_encoder() -> None:
    assert check_on_clips(Samp(), encoder=True)
    assert not check_on_clips(BlendInput(proportional=False), encoder=True)
    assert check_on_clips(BlendInput(proportional=False, weights="encoder"), encoder=True)
