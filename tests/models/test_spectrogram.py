"""The spectrogram of clips with silence at their end is the one that transformers computes of all 30 s."""

import numpy as np
import pytest
import transformers

from fastadasp.models.spectrogram import WhisperFeatureExtractor, quickened


class Holder:
    def __init__(self, feature_extractor: object) -> None:
        self.feature_extractor = feature_extractor


def sounds(*seconds: float) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [
        draw.normal(0, 0.1 * number, int(16000 * length)).astype(np.float32) for number, length in enumerate(seconds, 1)
    ]


@pytest.mark.parametrize("bins", [80, 128])
@pytest.mark.parametrize(
    "clips",
    [
        *(sounds(0.0001), sounds(0.03), sounds(1.2345), sounds(4, 7.77, 0.5), sounds(29.9), sounds(30), sounds(31, 2)),
        [np.zeros(8000, np.float32)],
        [np.concatenate([sounds(1)[0], np.zeros(16000, np.float32), sounds(1)[0]])],
    ],
    ids=lambda clips: "+".join(f"{len(clip) / 16000:g}" for clip in clips),
)
def test_silence_that_is_filled_in_is_what_would_be_computed(clips: list[np.ndarray], bins: int) -> None:
    whole = transformers.WhisperFeatureExtractor(feature_size=bins)
    quick = quickened(Holder(transformers.WhisperFeatureExtractor(feature_size=bins))).feature_extractor
    expected, found = (
        one(clips, sampling_rate=16000, return_tensors="np", return_attention_mask=True) for one in (whole, quick)
    )
    assert found.input_features.shape == expected.input_features.shape == (len(clips), bins, 3000)
    # Matrix products of another width may round another way, where a bin holds next to nothing.
    assert np.abs(found.input_features - expected.input_features).max() < 1e-4
    assert (found.attention_mask == expected.attention_mask).all()
    assert found.input_features.dtype == expected.input_features.dtype


def test_only_sound_is_transformed(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []
    compute = transformers.WhisperFeatureExtractor._torch_extract_fbank_features
    monkeypatch.setattr(
        transformers.WhisperFeatureExtractor,
        "_torch_extract_fbank_features",
        lambda self, waveform, device: heard.append(waveform.shape[-1]) or compute(self, waveform, device),
    )
    WhisperFeatureExtractor()(sounds(4), sampling_rate=16000)
    assert 64000 < heard[0] < 66000


def test_other_extractors_are_left_alone_and_the_class_keeps_its_name() -> None:
    class Own(transformers.WhisperFeatureExtractor):
        pass

    assert type(quickened(Holder(own := Own())).feature_extractor) is Own and own
    quick = quickened(Holder(transformers.WhisperFeatureExtractor())).feature_extractor
    assert quick.to_dict()["feature_extractor_type"] == "WhisperFeatureExtractor"
    assert quickened(Holder(None)).feature_extractor is None
