"""Automatic speech recognition: corpus word error rate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

from fastadasp.data.manifest import Field, read_manifest
from fastadasp.tasks.base import Example, Prediction, Task
from fastadasp.tasks.text import unwrap

Normalizer = Enum("Normalizer", ["english", "basic", "none"])


@dataclass(frozen=True)
class ASR(Task):
    """Transcribe speech; scored by WER as a fraction, errors summed over the corpus."""

    reference: str = "text"
    """Manifest field that holds the transcript."""
    instruction: str = "Transcribe the speech."
    normalizer: Normalizer = Normalizer.english
    """Whisper's text normaliser for both sides: `english`, `basic` (other languages), or `none`."""

    name = "asr"
    objective = "wer"
    higher_is_better = False

    def examples(self) -> Sequence[Example]:
        """One example per manifest line with `id`, `audio` and the reference field."""
        return [
            Example(
                id=record.id,
                audio=record.audio,
                instruction=self.instruction,
                reference=str(record.fields[self.reference]),
                seconds=record.seconds,
                task=self.name,
                meta=record.fields,
            )
            for record in read_manifest(self.manifest, {self.reference: Field(str)}, self.limit)
        ]

    def parse(self, text: str, example: Example) -> str:
        """The transcript without tags, lead-in and quotation marks."""
        return unwrap(text)

    def scorer(self) -> dict[str, str]:
        """The normaliser, on which a WER depends more than on anything else."""
        return {"normalizer": self.normalizer.name}

    def metrics(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """`wer` and its parts (counts). References that normalise to nothing still collect insertions."""
        counts = self._counts(predictions)
        sums = (counts["substitutions"] + counts["deletions"] + counts["insertions"], counts["words"])
        return {"wer": self.score(sums), **counts}

    def tally(self, prediction: Prediction) -> tuple[float, ...]:
        """Wrong words and words."""
        counts = self._counts([prediction])
        return counts["substitutions"] + counts["deletions"] + counts["insertions"], counts["words"]

    def score(self, sums: Sequence[float]) -> float:
        """WER."""
        return sums[0] / max(sums[1], 1)

    def _counts(self, predictions: Sequence[Prediction]) -> dict[str, int]:
        import jiwer

        normalize = _normalizer(self.normalizer)
        counts = jiwer.process_words(
            [normalize(prediction.reference) for prediction in predictions],
            [normalize(prediction.answer) for prediction in predictions],
        )
        return {
            "substitutions": counts.substitutions,
            "deletions": counts.deletions,
            "insertions": counts.insertions,
            "words": counts.hits + counts.substitutions + counts.deletions,
        }


@cache
def _normalizer(kind: Normalizer) -> Callable[[str], str]:
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    match kind:
        case Normalizer.english:
            return EnglishTextNormalizer()  # type: ignore[no-any-return]
        case Normalizer.basic:
            return BasicTextNormalizer()  # type: ignore[no-any-return]
        case _:
            return lambda text: " ".join(text.split())
