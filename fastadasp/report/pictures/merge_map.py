"""Merge maps: the spectrogram of a clip with what each method made of its audio tokens, layer by layer, under it."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from fastadasp.api.loading import SpeechModel
from fastadasp.data.audio import SAMPLE_RATE, Samples
from fastadasp.data.listen import listen
from fastadasp.reduction.method import MergeMethod
from fastadasp.report.pictures.clusters import DROPPED, Clusters, clusters, spoken_at
from fastadasp.report.plain import in_picture
from fastadasp.tasks.base import Example

LONGEST_S = 3600.0
SHADES = ("#0072B2", "#56B4E9")
"""Of clusters in turn, so that neighbours differ, in grey too."""


@dataclass(frozen=True)
class Shown:
    """One method on a page."""

    name: str
    marked: Sequence[tuple[str, str]]
    """The answer's words, each as right (empty), `wrong` or `missing`."""
    picture: str
    """As a data address."""
    told: str
    """What the picture shows, for those who do not see it."""


@dataclass(frozen=True)
class MergeMap:
    """One clip under several methods."""

    title: str
    reference: str
    samples: Samples
    found: Sequence[Clusters]

    @property
    def sound(self) -> str:
        """The clip as a data address of a WAV file."""
        import soundfile

        file = BytesIO()
        soundfile.write(file, self.samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
        return _address("audio/wav", file.getvalue())

    @property
    def methods(self) -> list[Shown]:
        """Every method with its picture."""
        return [
            Shown(one.name, marked(self.reference, one.answer), _address("image/png", _png(self, one)), told(one))
            for one in self.found
        ]


def merge_map(
    model: SpeechModel, example: Example, methods: Sequence[tuple[str, MergeMethod]], title: str = ""
) -> MergeMap:
    """Let `model` answer about one clip under each of the methods, given with their names."""
    samples = listen(example.audio[0], LONGEST_S, SAMPLE_RATE, example.reading).samples
    found = [clusters(model, example, method, name) for name, method in methods]
    return MergeMap(title or example.id, example.reference, samples, found)


def drawn(clip: MergeMap, one: Clusters) -> Any:
    """The map of one method as a matplotlib Figure."""
    from matplotlib.colors import to_rgb

    from fastadasp.report.pictures.canvas import Drawing

    layers, tokens = one.layers_LT.shape
    seconds = len(clip.samples) / SAMPLE_RATE
    figure = Drawing(max(8.0, min(1.2 * seconds, 24.0)), 3.2 + 0.16 * layers)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, max(1.0, layers / 8)))
    above.specgram(clip.samples + 1e-6 * np.sin(np.arange(len(clip.samples))), 400, SAMPLE_RATE, noverlap=240,
                   cmap="Greys")  # fmt: skip
    above.set_ylabel("Hz")
    above.set_title(in_picture(f"{clip.title}: {one.name}"), loc="left", fontsize=10)
    shades = np.array([to_rgb(shade) for shade in SHADES])
    cells = np.where((one.layers_LT == DROPPED)[..., None], 1.0, shades[_turns(one.layers_LT)])
    below.imshow(cells, aspect="auto", extent=(0, seconds, layers - 0.5, -0.5), interpolation="nearest")
    gone = np.argwhere(one.layers_LT == DROPPED)
    below.plot((gone[:, 1] + 0.5) * seconds / tokens, gone[:, 0], ".", color="#555555", markersize=2)
    below.set_ylabel("decoder layer")
    below.set_yticks(range(0, layers, max(1, layers // 8)))
    words = clip.reference.split()
    places = spoken_at(words, clip.samples)
    below.set_xticks(places, [in_picture(word) for word in words], rotation=60, ha="right", fontsize=8)
    return figure


def _turns(layers_LT: Any) -> Any:
    """(L, T) 0 or 1: which of two shades a token's cluster has, in turn along each layer's clusters."""
    turns = np.zeros_like(layers_LT)
    for row, turn in zip(layers_LT, turns, strict=True):
        present = np.unique(row[row != DROPPED])
        turn[row != DROPPED] = np.searchsorted(present, row[row != DROPPED]) % 2
    return turns


def told(one: Clusters) -> str:
    """The last layer in words: clusters left of so many tokens, and how many were dropped."""
    last = one.layers_LT[-1]
    left, dropped = len(np.unique(last[last != DROPPED])), int((last == DROPPED).sum())
    return f"{left} of {len(last)} audio tokens left after the last layer, {dropped} dropped"


def marked(reference: str, answer: str) -> list[tuple[str, str]]:
    """The words of an answer, each with "" where the reference has it, `wrong` or (of the reference) `missing`."""
    import jiwer

    if not reference.split() or not answer.split():
        words = [("wrong", word) for word in answer.split()]
        return words or [("missing", word) for word in reference.split()]
    found = jiwer.process_words(reference.lower(), answer.lower())
    said, wanted = answer.split(), reference.split()
    marks: list[tuple[str, str]] = []
    for part in found.alignments[0]:
        own = said[part.hyp_start_idx : part.hyp_end_idx]
        marks += [("" if part.type == "equal" else "wrong", word) for word in own]
        if part.type == "delete":
            marks += [("missing", word) for word in wanted[part.ref_start_idx : part.ref_end_idx]]
    return marks


def _png(clip: MergeMap, one: Clusters) -> bytes:
    file = BytesIO()
    drawn(clip, one).savefig(file, dpi=100, format="png")
    return file.getvalue()


def _address(kind: str, content: bytes) -> str:
    return f"data:{html.escape(kind)};base64,{base64.b64encode(content).decode()}"
