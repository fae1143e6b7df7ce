"""The converted model against a slow restatement of the released one, which has its layout and its rotation."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from fastadasp.models.base import Generation
from fastadasp.models.wavllm import decoder as decoder_module
from fastadasp.models.wavllm.adapter import WavLLM
from fastadasp.models.wavllm.convert import convert_wavllm
from tests.models.wavllm.files import config_of, write_release
from tests.models.wavllm.released import Released, Sizes, released_weights

SIZES = Sizes()
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
INSTRUCTIONS = ("the SPEECH in German?", "", "Is there only one speaker in the audio clip?")
SECONDS = (1.3, 31.0, 0.03)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> WavLLM:
    folder = tmp_path_factory.mktemp("release")
    convert_wavllm(write_release(folder / "in", SIZES), folder / "out", config=config_of(SIZES), shard_bytes=30_000)
    adapter = WavLLM(path=str(folder / "out"))
    adapter.load(device="cpu", dtype="float32", attention="sdpa")
    return adapter


@pytest.fixture(scope="module")
def released() -> Released:
    return Released(SIZES, released_weights(SIZES))


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    samples = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 16_000))
    return samples.astype(np.float32)


def parts(ids: Tensor, tokens: int) -> tuple[list[int], list[int]]:
    """What stands before and after the audio."""
    first = ids.tolist().index(0)
    return ids.tolist()[:first], ids.tolist()[first + tokens :]


@pytest.mark.parametrize("seconds", SECONDS)
def test_both_encoders_and_what_follows_them_give_the_released_audio_tokens(
    adapter: WavLLM, released: Released, seconds: float
) -> None:
    inputs = adapter.encode([adapter.processor.prompt("the", sound(seconds), 16_000)])
    (ours,) = adapter.model.audio(inputs["input_features"], inputs["input_values"], inputs["audio_samples"].tolist())
    waveform = torch.tensor(np.pad(sound(seconds), (0, max(0, 400 - round(seconds * 16_000)))))
    torch.testing.assert_close(ours, released.audio(inputs["input_features"][0], waveform), **CLOSE)


def test_the_gate_is_the_released_one_for_each_row_of_a_batch(adapter: WavLLM, released: Released) -> None:
    prompts = [adapter.processor.prompt(text, sound(0.5), 16_000) for text in (*INSTRUCTIONS, INSTRUCTIONS[0])]
    inputs = adapter.encode(prompts)
    gates = adapter.model.read_instructions(inputs["instruction_ids"], inputs["instruction_mask"])
    expected = torch.stack([released.gate(prompt["instruction_ids"].tolist()) for prompt in prompts])
    torch.testing.assert_close(gates, expected, **CLOSE)
    assert (gates == 0).any()
    assert (gates == 3).any()
    assert not torch.allclose(gates[0], gates[2], atol=1e-2)


@pytest.mark.parametrize(("instruction", "seconds"), zip(INSTRUCTIONS, SECONDS, strict=True))
def test_logits_of_a_whole_prompt_are_the_released_ones(
    adapter: WavLLM, released: Released, instruction: str, seconds: float
) -> None:
    prompt = adapter.processor.prompt(instruction, sound(seconds), 16_000)
    inputs = adapter.encode([prompt])
    audio_ND = adapter.model.embed(*(inputs[name] for name in AUDIO))[0][inputs["input_ids"][0] == 0]
    left, right = parts(prompt["input_ids"], len(audio_ND))
    gate = released.gate(prompt["instruction_ids"].tolist())
    expected = released.logits(audio_ND, left, right, gate)
    torch.testing.assert_close(adapter.model(**inputs).logits[0], expected, **CLOSE)


AUDIO = ("input_ids", "input_features", "input_values", "audio_samples")


@pytest.mark.parametrize("prefill", ["whole", "released"])
def test_greedy_answers_are_the_released_loops(adapter: WavLLM, released: Released, prefill: str) -> None:
    """Which forces the instruction token by token, so that both prefills must end there."""
    prompt = adapter.processor.prompt("the SPEECH?", sound(1.0), 16_000)
    inputs = adapter.encode([prompt])
    audio_ND = adapter.model.embed(*(inputs[name] for name in AUDIO))[0][inputs["input_ids"][0] == 0]
    left, right = parts(prompt["input_ids"], len(audio_ND))
    gate = released.gate(prompt["instruction_ids"].tolist())
    adapter.model.config.prefill = prefill
    try:
        ids, _ = adapter.generate(inputs, Generation(max_new_tokens=12))
    finally:
        adapter.model.config.prefill = "whole"
    assert ids[0].tolist() == released.greedy(audio_ND, left, right, gate, steps=12)


def test_rotation_lora_columns_and_gate_must_all_follow_the_halves(
    adapter: WavLLM, released: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests above would say of a gate in the wrong order: they can fail."""
    prompt = adapter.processor.prompt("the", sound(0.5), 16_000)
    inputs = adapter.encode([prompt])
    right_order = adapter.model(**inputs).logits
    monkeypatch.setattr(decoder_module, "by_halves", lambda x, _: x)
    assert (adapter.model(**inputs).logits - right_order).abs().max() > 1e-2


def test_prompts_beyond_the_released_table_of_positions_keep_the_released_formula(
    adapter: WavLLM, released: Released
) -> None:
    """Its table ends at 2048 tokens; 170 s of audio make 2125."""
    prompt = adapter.processor.prompt("the", sound(0.5), 16_000)
    start = prompt["input_ids"].tolist().index(0)
    ids = torch.cat((prompt["input_ids"][:start], torch.full((2125,), 5), prompt["input_ids"][start + 7 :]))
    gate = released.gate(prompt["instruction_ids"].tolist())
    audio_ND = released.embed([5] * 2125)
    left, right = ids[:start].tolist(), ids[start + 2125 :].tolist()
    expected = released.logits(audio_ND, left, right, gate)[-1]
    ours = adapter.model(input_ids=ids[None], lora_gate=gate[None], logits_to_keep=1).logits[0, -1]
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)  # sums of 2,200 terms in another order
