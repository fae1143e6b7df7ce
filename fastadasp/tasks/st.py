"""Speech translation: corpus BLEU and chrF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from fastadasp.data.manifest import Field, Record, read_manifest
from fastadasp.errors import ConfigError
from fastadasp.files.shelf import mapped
from fastadasp.tasks.base import Example, Prediction
from fastadasp.tasks.languages import language_of
from fastadasp.tasks.reading.transcripts import unwrap
from fastadasp.tasks.windows import Windowed

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU

    from fastadasp.statistics.score import Floats, Score

_ORDERS = 4
_BLEU_COUNTS = 2 * _ORDERS + 3
"""Numbers in a tally that are BLEU's; those of chrF follow."""
_EXTRAS = {"ja-mecab": "sacrebleu[ja]", "ko-mecab": "sacrebleu[ko]"}


@dataclass(frozen=True)
class ST(Windowed):
    """Translate speech into `language`; scored by sacreBLEU (0 to 100), cased, punctuation kept."""

    reference: str = "translation"
    """Manifest field that holds the translation."""
    language: str = "German"
    instruction: str = "Translate the speech into {language}."
    """`{language}` is replaced."""
    tokenize: str = "auto"
    """sacreBLEU's tokeniser: 13a, zh, ja-mecab, ko-mecab, char, ...; auto: the one of `language`."""

    name = "st"
    version = 2
    objective = "bleu"
    higher_is_better = True
    percent = True
    objective_counts = _BLEU_COUNTS
    place = 1

    def __post_init__(self) -> None:
        from sacrebleu.metrics.bleu import BLEU

        if self.tokenize not in ("auto", *BLEU.TOKENIZERS):
            raise ConfigError(f"task.tokenize must be one of auto, {', '.join(BLEU.TOKENIZERS)}; got {self.tokenize!r}")
        self.check_windows(self.language)

    @property
    def tokenizer(self) -> str:
        """sacreBLEU's name of the tokeniser in use."""
        return language_of(self.language).bleu if self.tokenize == "auto" else self.tokenize

    def check_ready(self) -> None:
        """Raise ConfigError where something that scoring needs is missing; called before weights are loaded.

        Some of sacreBLEU's tokenisers need packages of their own.
        """
        try:
            _bleu(self.tokenizer)
        except (RuntimeError, ImportError, OSError) as error:
            package = _EXTRAS.get(self.tokenizer, "sacrebleu")
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"BLEU for {self.language} needs sacreBLEU's tokeniser {self.tokenizer}, which is missing: {reason} "
                f"(pip install '{package}'; or task.tokenize=char, which compares characters)"
            ) from error

    def examples(self) -> Sequence[Example]:
        """One example per manifest line with `id`, `audio` and the reference field."""
        return mapped(read_manifest(self.manifest, {self.reference: Field(str)}, self.limit), self._example)

    def _example(self, record: Record) -> Example:
        return Example(
            id=record.id,
            audio=record.audio,
            instruction=self.instruction.replace("{language}", self.language),
            reference=str(record.fields[self.reference]),
            seconds=record.seconds,
            task=self.name,
            meta={**record.fields, "language": self.language},
        )

    def parse(self, text: str, example: Example) -> str:
        """The translation without what a model wraps around it."""
        return unwrap(text, example.reference, "translation", self.language)

    def scorer(self) -> dict[str, str]:
        """sacreBLEU's signatures: scores with unlike ones must not be compared."""
        signatures = {}
        for name, metric in (("bleu", _bleu(self.tokenizer)), ("chrf", _chrf())):
            metric.corpus_score(["a"], [["a"]])  # the number of references is part of the signature
            signatures[name] = str(metric.get_signature())
        return signatures

    def details_of(self, sums: Sequence[float]) -> dict[str, float]:
        """Corpus `chrf`."""
        return {"chrf": _chrf()._compute_score_from_stats(list(map(int, sums[_BLEU_COUNTS:]))).score}

    def tally(self, prediction: Prediction) -> tuple[float, ...]:
        """What BLEU counts: n-grams that match and all (n from 1 to 4), both lengths; and the reference's 4-grams; then
        what chrF counts."""
        counts = _bleu(self.tokenizer).corpus_score([prediction.answer], [[prediction.reference]])
        bleu = *counts.counts, *counts.totals, counts.sys_len, counts.ref_len, max(counts.ref_len - _ORDERS + 1, 0)
        # sacreBLEU's own resampling takes chrF apart by the same two functions.
        (chrf,) = _chrf()._extract_corpus_statistics([prediction.answer], [[prediction.reference]])
        return *bleu, *chrf

    def score(self, sums: Sequence[float]) -> float:
        """Corpus BLEU, from 0 to 100.

        Where no reference has four words, BLEU is taken of the n-grams that there are (sacreBLEU's effective order): it
        would be 0 for equal sentences otherwise.
        """
        from sacrebleu.metrics.bleu import BLEU

        counts = list(map(int, sums))
        bleu = BLEU.compute_bleu(
            counts[:4], counts[4:8], counts[8], counts[9], smooth_method="exp", effective_order=counts[10] == 0
        )
        return float(bleu.score)

    def further(self) -> "Mapping[str, Score]":
        """Scores beside the objective of which intervals are wanted, by name, as functions of all counts of a tally."""
        from fastadasp.statistics.score import Score

        return {"chrf": Score(_chrf_scores, higher_is_better=True, high=100.0, counts=(_BLEU_COUNTS, None))}

    def scores(self, sums_RK: "Floats") -> "Floats":
        """`score` of R sets at once, from their summed tallies; faster where a task computes whole columns.

        The formula is sacreBLEU's, for whole columns.
        """
        import numpy as np

        right_RO, all_RO = sums_RK[:, :_ORDERS], sums_RK[:, _ORDERS : 2 * _ORDERS]
        spoken_R, wanted_R, fours_R = sums_RK[:, 8], sums_RK[:, 9], sums_RK[:, 10]
        counted_RO = np.logical_and.accumulate(all_RO > 0, axis=1)
        missed_RO = counted_RO & (right_RO <= 0)
        smoothed_RO = np.where(missed_RO, 0.5 ** np.cumsum(missed_RO, axis=1), right_RO)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs_RO = np.where(counted_RO, np.log(smoothed_RO / all_RO), np.where(fours_R > 0, -np.inf, 0.0)[:, None])
            orders_R = np.where(fours_R > 0, _ORDERS, np.maximum(counted_RO.sum(1), 1))
            brevity_R = np.where(spoken_R < wanted_R, np.minimum(1.0, np.exp(1 - wanted_R / spoken_R)), 1.0)
            bleu_R = 100 * brevity_R * np.exp(logs_RO.sum(1) / orders_R)
        scores_R: Floats = np.where((right_RO > 0).any(1), bleu_R, 0.0)
        return scores_R


def _chrf_scores(sums_RK: "Floats") -> "Floats":
    """chrF of R sets, from 0 to 100; takes sums that are no whole numbers, too."""
    import numpy as np

    metric = _chrf()
    return np.array([metric._compute_f_score(sums) for sums in sums_RK.tolist()], dtype=np.float64)


@cache
def _bleu(tokenizer: str) -> "BLEU":
    from sacrebleu.metrics.bleu import BLEU

    metric: Any = BLEU(tokenize=tokenizer)
    return metric  # type: ignore[no-any-return]


@cache
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
