"""Both encoders: WavLM against the class of transformers, and rows of a batch against each alone."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from transformers import WavLMConfig, WavLMModel

from fastadasp.models.wavllm import wavlm as wavlm_module
from fastadasp.models.wavllm.audio import AudioEncoder
from fastadasp.models.wavllm.connector import Subsampler
from fastadasp.models.wavllm.lengths import Convolutions, audio_tokens, whisper_frames, windows
from fastadasp.models.wavllm.random import WavLLMRandom
from fastadasp.models.wavllm.wavlm import WavLMStream
from tests.helpers.weights import enlarge

BASE = Convolutions(WavLMConfig().conv_kernel, WavLMConfig().conv_stride)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
@torch.no_grad()
def stream() -> WavLMStream:
    """A small WavLM whose positions and layers all matter."""
    torch.manual_seed(0)
    config = WavLMConfig(
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=40,
        conv_dim=[16] * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        num_buckets=32,
        max_bucket_distance=40,
    )
    stream = WavLMStream(config).eval()
    enlarge(stream)
    stream.output_weights.copy_(torch.tensor([0.5, -1.0, 2.0, 0.1]))
    return stream


def waveform(samples: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def plain(stream: WavLMStream) -> WavLMModel:
    """The class of transformers with the same weights."""
    model = WavLMModel(stream.model.config).eval()
    model.load_state_dict(stream.model.state_dict())
    return model


@pytest.mark.parametrize("block", [2**25, 2 * 24 * 7, 1])
def test_wavlm_in_blocks_is_the_weighted_sum_of_transformers_hidden_states(
    stream: WavLMStream, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wavlm_module, "BLOCK_SCORES", block)
    samples = waveform(20_000)
    states = plain(stream)(samples[None], output_hidden_states=True).hidden_states
    expected = sum(w * state for w, state in zip(stream.output_weights.softmax(0), states, strict=True))
    ours, lengths = stream(samples[None], [20_000])
    assert lengths == [expected.shape[1]]
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_no_tensor_of_attention_is_larger_than_a_block(stream: WavLMStream, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    attend = wavlm_module.scaled_dot_product_attention

    def watched(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, attn_mask.numel())
        return attend(query, key, value, attn_mask=attn_mask)

    monkeypatch.setattr(wavlm_module, "scaled_dot_product_attention", watched)
    monkeypatch.setattr(wavlm_module, "BLOCK_SCORES", 4000)
    stream(waveform(160_000)[None], [160_000])
    assert 2000 < largest <= 4000
    assert 60 * largest < (160_000 // 320) ** 2


def test_rows_of_a_wavlm_batch_come_out_as_if_alone(stream: WavLMStream) -> None:
    lengths = [20_000, 400, 7_777]
    rows = [waveform(length, seed) for seed, length in enumerate(lengths)]
    together, counts = stream(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths)
    for row, samples, count in zip(together, rows, counts, strict=True):
        alone, (frames,) = stream(samples[None], [len(samples)])
        assert frames == count == BASE.frames(len(samples))
        torch.testing.assert_close(row[:count], alone[0], rtol=1e-5, atol=1e-5)


def test_padding_beyond_a_rows_length_never_reaches_its_subsampled_tokens() -> None:
    torch.manual_seed(0)
    subsample = Subsampler(6, 8, 5)
    frames = torch.randn(3, 23, 6)
    lengths = [23, 10, 1]
    together = subsample(frames, lengths)
    for row, length in enumerate(lengths):
        alone = subsample(frames[row : row + 1, :length], [length])[0]
        torch.testing.assert_close(together[row, : len(alone)], alone)


def audio_encoder() -> AudioEncoder:
    adapter = WavLLMRandom(layers=1)
    encoder: AudioEncoder = adapter.load(device="cpu", dtype="float32", attention="sdpa").audio
    enlarge(encoder, 3)
    return encoder


def test_a_recording_in_a_batch_gives_the_tokens_that_it_gives_alone() -> None:
    encoder, extractor = audio_encoder(), WavLLMRandom().processor.feature_extractor
    recordings = [waveform(samples, samples).numpy() for samples in (16_000, 31 * 16_000, 500)]

    def tokens(rows: list) -> list[Tensor]:
        features = extractor(rows, sampling_rate=16_000, return_tensors="pt")
        return encoder(features["input_features"], features["input_values"], features["audio_samples"].tolist())

    together = tokens(recordings)
    assert [len(row) for row in together] == [13, 388, 1]
    for row, recording in zip(together, recordings, strict=True):
        torch.testing.assert_close(row, tokens([recording])[0], rtol=1e-4, atol=1e-5)


def test_a_window_after_the_first_changes_nothing_before_it_in_whispers_half() -> None:
    encoder, extractor = audio_encoder(), WavLLMRandom().processor.feature_extractor
    long = waveform(45 * 16_000).numpy()
    whole = extractor([long], sampling_rate=16_000, return_tensors="pt")
    first = extractor([long[: 30 * 16_000]], sampling_rate=16_000, return_tensors="pt")
    assert whole["input_features"].shape == (1, 2, 80, 3000)
    (by_windows,) = encoder._windowed(whole["input_features"], [len(long)])
    (alone,) = encoder._windowed(first["input_features"], [30 * 16_000])
    assert len(by_windows) == 750  # the second window's silence too; WavLM's length cuts it off
    torch.testing.assert_close(by_windows[:375], alone)


@pytest.mark.parametrize(
    ("samples", "tokens"),
    [(30 * 16_000, 375), (166_960, 131), (120 * 16_000, 1500), (240 * 16_000, 3000), (400, 1), (480_001, 375)],
)
def test_audio_makes_as_many_tokens_as_the_released_code_says(samples: int, tokens: int) -> None:
    assert audio_tokens(samples, BASE) == tokens


def test_frames_and_windows_at_the_edges() -> None:
    assert [windows(samples) for samples in (1, 480_000, 480_001, 960_001)] == [1, 1, 2, 3]
    assert [whisper_frames(samples) for samples in (1, 166_960, 480_000, 10**7)] == [1, 522, 1500, 1500]
    assert [BASE.frames(samples) for samples in (399, 400, 480_000)] == [0, 1, 1499]
    assert BASE.least_samples == 400


def test_a_waveform_is_normalized_only_where_the_extractor_says_so() -> None:
    from fastadasp.models.wavllm.features import WavLLMFeatureExtractor

    samples = (3 + waveform(5000)).numpy()
    plainly, scaled = (
        WavLLMFeatureExtractor(normalize_waveform=flag)([samples], sampling_rate=16_000, return_tensors="pt")
        for flag in (False, True)
    )
    torch.testing.assert_close(plainly["input_values"][0], torch.tensor(samples))
    assert scaled["input_values"].mean().abs() < 1e-4
    assert scaled["input_values"].std() == pytest.approx(1, abs=1e-3)
    torch.testing.assert_close(plainly["input_features"], scaled["input_features"])
    with pytest.raises(ValueError, match="sampling rate of 16000"):
        WavLLMFeatureExtractor()([samples], sampling_rate=8000)
    with pytest.raises(ValueError, match="must be mono"):
        WavLLMFeatureExtractor()([samples.reshape(2, -1)], sampling_rate=16_000)
