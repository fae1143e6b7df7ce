"""Each corpus and format in miniature: its makers' layout with a few short tones, and what must be read from it."""

from collections.abc import Callable
from pathlib import Path

from tests.helpers.mini import corpora, exams, formats, packed
from tests.helpers.mini.parts import RATE, Miniature, text, tone, tsv

MINIATURES: dict[str, Callable[[Path], Miniature]] = {
    build.__name__: build
    for build in (
        corpora.librispeech, corpora.mls, corpora.covost2, corpora.common_voice, corpora.mustc, corpora.europarl_st,
        corpora.fleurs, corpora.iemocap, corpora.meld, corpora.ravdess, corpora.crema_d, corpora.esd, corpora.voxceleb,
        corpora.wavllm, exams.air_bench, exams.mmau, exams.mmsu, exams.audio_marathon, formats.nemo, formats.kaldi,
        formats.lhotse, formats.espnet, formats.audiofolder, packed.webdataset, packed.huggingface,
    )
}  # fmt: skip
SAME_CLIPS = ("nemo", "kaldi", "lhotse", "audiofolder", "webdataset", "huggingface")
"""Formats whose miniatures hold the same two clips."""

__all__ = ["MINIATURES", "RATE", "SAME_CLIPS", "Miniature", "text", "tone", "tsv"]
