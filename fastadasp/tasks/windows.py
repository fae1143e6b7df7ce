"""Tasks whose answers can be joined: recordings cut into windows, one answer and one reference for the whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from fastadasp.data.audio_options import AudioOptions
from fastadasp.data.sources import Cut, Joined, Source
from fastadasp.errors import ConfigError
from fastadasp.files.shelf import kept
from fastadasp.tasks.asking import PROMPT
from fastadasp.tasks.base import Example, Prediction, Task
from fastadasp.tasks.languages import language_of
from fastadasp.tasks.reading.joining import joined

RECORDING, WINDOW, START = "recording", "window", "start"
"""Fields of a window's example: the id of its recording, its number from 1, and where it begins, in seconds."""


@dataclass(frozen=True)
class Windowed(Task):
    """A task whose answers follow the speech word by word, so that those of windows can be joined."""

    window_seconds: float | None = None
    """Longest window; null: no recording is cut, and one that is longer than the model allows is refused."""
    search_seconds: float = 2.0
    """A window ends at the quietest place of its last seconds, as many as this; 0 ends it anywhere."""
    overlap_seconds: float = 0.0
    """By how much each window begins before the end of the one before; what both hold is taken once."""

    def check_windows(self, written_in: str) -> None:
        """Raise ConfigError for windows that make no sense. written_in: the language of the answers."""
        most = self.window_seconds
        if most is None:
            return
        if not most >= 1:
            raise ConfigError(f"task.window_seconds must be at least 1, or null for whole recordings; got {most}")
        if not 0 <= self.search_seconds <= most / 2:
            raise ConfigError(
                f"task.search_seconds must lie in [0, {most / 2:g}], half of a window; got {self.search_seconds}"
            )
        if not 0 <= self.overlap_seconds < most - self.search_seconds:
            raise ConfigError(
                f"task.overlap_seconds must be from 0 to less than {most - self.search_seconds:g}, what a window has "
                f"at least; got {self.overlap_seconds}"
            )
        if self.overlap_seconds and not language_of(written_in).spaced:
            raise ConfigError(
                f"task.overlap_seconds must be 0 for {written_in}, got {self.overlap_seconds}: what two windows both "
                "hold is found word by word, and this language is written without spaces"
            )

    def checked_examples(self) -> Sequence[Example]:
        """The checked examples; with windows, one for each window. Audio is read once to find the places to cut."""
        examples = super().checked_examples()
        if self.window_seconds is None:
            return examples
        return kept(window for example in examples for window in self._windows(example, self.window_seconds))

    def _windows(self, example: Example, most: float) -> Iterator[Example]:
        """The windows of one recording; the recording itself where it cannot be read, which then says why."""
        cuts = self._cuts(example, most)
        for number, cut in enumerate(cuts, 1):
            fields = {RECORDING: example.id, WINDOW: number, START: cut.start}
            yield replace(
                example,
                id=f"{example.id}@{number}",
                audio=(cut,),
                reference=example.reference if number == 1 else "",
                seconds=cut.seconds or 0.0,
                meta={**example.meta, **fields},
            )

    def _cuts(self, example: Example, most: float) -> list[Cut]:
        from fastadasp.data.audio import AudioError

        source: Source = example.audio[0]
        if len(example.audio) > 1 or isinstance(source, Joined):
            raise ConfigError(
                f"example {example.id}: one recording is cut into windows (task.window_seconds={most:g}), but the line "
                "has several; give each a line of its own, or set task.window_seconds=null"
            )
        whole = source if isinstance(source, Cut) else Cut(source)
        lengths = (most, self.search_seconds, self.overlap_seconds)
        try:
            return [Cut(whole.file, start, seconds) for start, seconds in _bounds(whole, lengths, example.reading)]
        except AudioError:
            return [whole]

    def gathered(self, predictions: Sequence[Prediction]) -> Sequence[Prediction]:
        """The predictions that are scored; with windows, one for each recording (and prompt)."""
        if self.window_seconds is None:
            return predictions
        return kept(self._recordings(predictions))

    def _recordings(self, predictions: Sequence[Prediction]) -> Iterator[Prediction]:
        """Windows of a recording need not stand together: under several prompts they do not."""
        groups: dict[tuple[object, object], list[Prediction]] = {}
        for prediction in predictions:
            key = prediction.meta.get(RECORDING, prediction.id), prediction.meta.get(PROMPT)
            groups.setdefault(key, []).append(prediction)
        for (recording, prompt), windows in groups.items():
            windows.sort(key=lambda one: int(str(one.meta.get(WINDOW, 1))))
            yield self._as_one(f"{recording}" if prompt is None else f"{recording}@{prompt}", windows)

    def _as_one(self, identity: str, windows: Sequence[Prediction]) -> Prediction:
        errors = [window.error for window in windows if window.error is not None]
        return replace(
            windows[0],
            id=identity,
            text="\n".join(window.text for window in windows),
            answer=joined([window.answer for window in windows], self.overlap_seconds),
            error=errors[0] if len(errors) == len(windows) else None,
            seconds=sum(window.seconds for window in windows),
            new_tokens=sum(window.new_tokens for window in windows),
            truncated=any(window.truncated for window in windows),
            remarks=tuple(remark for window in windows for remark in window.remarks),
            meta={**windows[0].meta, "clip": windows[0].meta.get(RECORDING, identity)},
        )

    def interpreted(self, prediction: Prediction) -> bool:
        """Whether the answer had to be found in a longer text of the model; never so for windows that were joined."""
        return self.window_seconds is None and super().interpreted(prediction)

    def details(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """How many windows the recordings were cut into."""
        return {} if self.window_seconds is None else {"windows": len(predictions)}


@cache  # under several prompts the same recordings are cut again
def _bounds(whole: Cut, lengths: tuple[float, float, float], reading: AudioOptions) -> tuple[tuple[float, float], ...]:
    from fastadasp.data.archives import at_hand
    from fastadasp.data.audio import bounds

    with at_hand(whole.file) as file:
        return tuple(bounds(file, *lengths, reading, whole.start, whole.seconds))
