"""The converted model against the restatement of the old one: features, encoder, decoder, and long prompts."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import Qwen2AudioForConditionalGeneration

from fastadasp import NoReduction
from fastadasp.decoding import generate
from fastadasp.models.base import Generation
from fastadasp.models.qwen_audio.adapter import QwenAudio
from fastadasp.models.qwen_audio.architecture import ntk_factor, visible_keys
from fastadasp.models.qwen_audio.convert import convert_qwen_audio
from fastadasp.models.qwen_audio.processor import clip_features
from tests.helpers.qwen_audio_files import write_checkpoint
from tests.helpers.qwen_audio_restated import Restatement

SHORT = 64
"""Tokens from which on the small model's attention differs from Qwen2's; 2048 in the released one."""
TAGS = "<|startoftranscript|><|en|><|transcribe|><|en|><|notimestamps|><|wo_itn|>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("qwen_audio")


@pytest.fixture(scope="module")
def restated(folder: Path) -> Restatement:
    model = write_checkpoint(folder / "original", seq_length=SHORT)
    convert_qwen_audio(folder / "original", folder / "converted")
    return model


@pytest.fixture(scope="module", params=["sdpa", "eager"])
def adapter(request: pytest.FixtureRequest, folder: Path, restated: Restatement) -> QwenAudio:
    adapter = QwenAudio(path=str(folder / "converted"), chat=False)
    adapter.load(device="cpu", dtype="float32", attention=request.param)
    return adapter


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 16_000))).astype(np.float32)


def log_mel(samples: np.ndarray) -> Tensor:
    """(80, 3000): Whisper's spectrum from its definition: 25 ms Hann windows, Slaney's mel scale, 80 dB deep."""

    def mel(hertz: np.ndarray) -> np.ndarray:
        return np.where(hertz < 1000, hertz * 3 / 200, 15 + np.log(np.maximum(hertz, 1000) / 1000) / (np.log(6.4) / 27))

    points = np.linspace(0, mel(np.array(8000.0)), 82)
    edges = np.where(points < 15, points * 200 / 3, 1000 * np.exp((points - 15) * (np.log(6.4) / 27)))
    bins = np.linspace(0, 8000, 201)
    filters = np.zeros((80, 201))
    for number in range(80):
        low, middle, high = edges[number : number + 3]
        triangle = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
        filters[number] = np.maximum(0, triangle) * 2 / (high - low)
    padded = np.pad(np.pad(samples, (0, 480_000 - len(samples))).astype(np.float64), 200, mode="reflect")
    window = np.sin(np.pi * np.arange(400) / 400) ** 2
    power = [np.abs(np.fft.rfft(window * padded[start : start + 400])) ** 2 for start in range(0, 480_000, 160)]
    spectrum = np.log10(np.maximum(filters @ np.array(power).T, 1e-10))
    return torch.from_numpy((np.maximum(spectrum, spectrum.max() - 8) + 4) / 4).float()


def prepared(adapter: QwenAudio, *clips: np.ndarray, text: str = TAGS) -> dict[str, Tensor]:
    return adapter._processed(adapter._prompt(len(clips), text), list(clips))


def expected_logits(restated: Restatement, row: dict[str, Tensor], clips: list[np.ndarray]) -> Tensor:
    return restated.prefill(row["input_ids"].tolist(), [(log_mel(clip), len(clip) // 160) for clip in clips])


@pytest.mark.crossed
@pytest.mark.parametrize("samples", [1120, 1279, 16_000, 16_159, 47_999, 480_000])
def test_features_stop_where_the_released_encoder_stops(adapter: QwenAudio, samples: int) -> None:
    clip = noise(samples / 16_000)
    features, mask, tokens = clip_features(adapter.processor.feature_extractor, [clip])
    frames = samples // 160
    states = (frames - 1) // 2 + 1
    assert mask.sum().item() == frames
    assert tokens == [states // 2]
    torch.testing.assert_close(features[0, :, : 2 * states], log_mel(clip)[:, : 2 * states], atol=2e-4, rtol=0)
    assert not features[0, :, 2 * states :].any()


@pytest.mark.crossed
@pytest.mark.parametrize("seconds", [[0.07], [1.0], [1.2519], [2.3, 0.5], [3.0], [4.0, 2.009]], ids=str)
def test_logits_are_the_old_models_at_every_position_and_step(
    adapter: QwenAudio, restated: Restatement, seconds: list[float]
) -> None:
    clips = [noise(length, seed) for seed, length in enumerate(seconds)]
    row = prepared(adapter, *clips)
    inputs = adapter.encode([row])
    expected = expected_logits(restated, row, clips)
    torch.testing.assert_close(adapter.model(**inputs).logits[0], expected, atol=1e-5, rtol=1e-5)
    out = adapter.model.generate(
        **inputs, max_new_tokens=8, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    chosen = out.sequences[0, len(row["input_ids"]) :].tolist()
    following = expected[-1]
    for logits, token in zip(out.logits, chosen, strict=True):
        torch.testing.assert_close(logits[0], following, atol=1e-5, rtol=1e-5)
        following = restated.decode(token)


@pytest.mark.parametrize("tokens", [2040, 2049])
def test_the_released_length_makes_the_difference_where_it_should(tokens: int, tmp_path: Path) -> None:
    restated = write_checkpoint(tmp_path / "original", layers=2)
    convert_qwen_audio(tmp_path / "original", tmp_path / "out")
    adapter = QwenAudio(path=str(tmp_path / "out"), chat=False)
    ids = torch.randint(0, 256, (1, tokens), generator=torch.Generator().manual_seed(0))
    ours = adapter.load(device="cpu", dtype="float32", attention="sdpa")
    plain = Qwen2AudioForConditionalGeneration.from_pretrained(tmp_path / "out")
    with torch.no_grad():
        expected = restated.prefill(ids[0].tolist(), [])
        # Sums over 2000 tokens round differently: the largest logit is the measure.
        differences = [
            float((model(ids).logits[0] - expected).abs().max() / expected.abs().max()) for model in (ours, plain)
        ]
    assert differences[0] < 1e-5
    assert differences[1] < 1e-5 if tokens <= 2048 else differences[1] > 1e-2


def test_the_rotation_slows_down_by_powers_of_two() -> None:
    assert [ntk_factor(n, 2048) for n in (1, 2048, 2049, 4096, 4097, 8192)] == [1, 1, 3, 3, 7, 7]


def test_a_prompt_keeps_its_rotation_while_answers_of_others_are_written(adapter: QwenAudio) -> None:
    """Two caches in turn: each step must go on with the rotation of its own prompt."""
    rows = [adapter.encode([prepared(adapter, noise(seconds))]) for seconds in (1.0, 6.0)]
    alone = [adapter.model.generate(**row, max_new_tokens=4, do_sample=False)[0, -4:].tolist() for row in rows]
    first = [adapter.model(**row, use_cache=True) for row in rows]
    answers = [[int(out.logits[0, -1].argmax())] for out in first]
    for _ in range(3):
        for answer, out in zip(answers, first, strict=True):
            token = torch.tensor([answer[-1:]])
            step = adapter.model(input_ids=token, past_key_values=out.past_key_values, use_cache=True)
            answer.append(int(step.logits[0, -1].argmax()))
    assert answers == alone


@pytest.mark.crossed
@pytest.mark.parametrize("adapter", ["sdpa"], indirect=True)
@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("engine", ["transformers", "static"])
def test_an_example_gets_the_same_answer_alone_and_in_a_batch(adapter: QwenAudio, engine: str, num_beams: int) -> None:
    lengths = ([1.0], [2.4], [3.5, 0.4], [6.0])  # 1, 3, 3 and 7 times the rotary base
    rows = [prepared(adapter, *(noise(length, seed) for seed, length in enumerate(row))) for row in lengths]

    def answers(batch: list[dict[str, Tensor]]) -> list[list[int]]:
        inputs = adapter.encode(batch)
        if engine == "transformers":
            return adapter.generate(inputs, Generation(max_new_tokens=5, num_beams=num_beams))[0].tolist()
        mask = adapter.audio_mask(inputs)
        return generate(adapter.model, inputs, NoReduction(), mask, max_new_tokens=5, num_beams=num_beams).ids.tolist()

    together = answers(rows)
    assert together == [answers([row])[0] for row in rows]
    plain = [
        adapter.model.generate(**adapter.encode([row]), max_new_tokens=5, num_beams=num_beams, do_sample=False)
        for row in (rows[0], rows[3])
    ]
    assert [together[0], together[3]] == [out[0, -len(together[0]) :].tolist() for out in plain]


def test_training_leaves_attention_as_it_is(adapter: QwenAudio) -> None:
    """As in the released code, both rules are for reading long prompts, not for learning."""
    ids = torch.randint(0, 256, (1, 2 * SHORT), generator=torch.Generator().manual_seed(0))
    plain = Qwen2AudioForConditionalGeneration(adapter.config)
    plain.load_state_dict(adapter.model.state_dict())
    with torch.no_grad():
        expected = plain.eval()(ids).logits
        try:
            torch.testing.assert_close(adapter.model.train()(ids).logits, expected, atol=1e-4, rtol=1e-4)
        finally:
            adapter.model.eval()
        assert float((adapter.model(ids).logits - expected).abs().max()) > 1e-2


def test_a_model_that_was_saved_again_loads_as_either_class(adapter: QwenAudio, tmp_path: Path) -> None:
    adapter.model.save_pretrained(tmp_path)
    adapter.processor.save_pretrained(tmp_path)
    again = QwenAudio(path=str(tmp_path), chat=False).load(device="cpu", dtype="float32", attention="sdpa")
    plain, report = Qwen2AudioForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    for name, value in adapter.model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
        assert torch.equal(plain.state_dict()[name], value)


def test_bfloat16_stays_close_beyond_the_limit(adapter: QwenAudio, folder: Path) -> None:
    half = QwenAudio(path=str(folder / "converted"), chat=False)
    model = half.load(device="cpu", dtype="bfloat16", attention="sdpa")
    row = prepared(adapter, noise(5.0))
    with torch.no_grad():
        whole, rounded = adapter.model(**adapter.encode([row])).logits, model(**half.encode([row])).logits
    assert rounded.dtype == torch.bfloat16
    cosine = torch.cosine_similarity(whole[0], rounded[0].float(), dim=-1)
    assert float(cosine.min()) > 0.99
    assert math.isfinite(float(rounded.float().sum()))


def test_the_tokens_that_a_query_sees_are_counted_in_every_kind_of_mask() -> None:
    """Two rows, one with a column of padding; the last two of four tokens ask."""
    real = torch.tensor([[True, True, True, True], [False, True, True, True]])
    allowed = (torch.ones(4, 4, dtype=torch.bool).tril() & real[:, None])[:, None, 2:]
    added = torch.zeros(2, 1, 2, 4).masked_fill(~allowed, torch.finfo(torch.float32).min)
    hidden = torch.zeros(2, 2, 8)
    expected = [[3, 4], [2, 3]]
    for mask in (real, allowed, added, added + 0.7 * allowed):
        assert visible_keys(mask, hidden, keys=4).tolist() == expected
    assert visible_keys(None, hidden, keys=4).tolist() == expected[:1]
