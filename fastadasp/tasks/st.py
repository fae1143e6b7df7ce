"""Speech translation: corpus BLEU and chrF."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastadasp.data.manifest import Field, read_manifest
from fastadasp.errors import ConfigError
from fastadasp.tasks.base import Example, Prediction, Task
from fastadasp.tasks.text import unwrap


@dataclass(frozen=True)
class ST(Task):
    """Translate speech into `language`; scored by sacreBLEU (0 to 100), cased, punctuation kept."""

    reference: str = "translation"
    """Manifest field that holds the translation."""
    language: str = "German"
    instruction: str = "Translate the speech into {language}."
    """`{language}` is replaced."""
    tokenize: str = "13a"
    """sacreBLEU's tokeniser: 13a, or zh, ja-mecab, ko-mecab, char, ... for languages without spaces."""

    name = "st"
    objective = "bleu"
    higher_is_better = True

    def __post_init__(self) -> None:
        from sacrebleu.metrics.bleu import BLEU

        if self.tokenize not in BLEU.TOKENIZERS:
            raise ConfigError(f"task.tokenize must be one of {', '.join(BLEU.TOKENIZERS)}; got {self.tokenize!r}")

    def examples(self) -> Sequence[Example]:
        """One example per manifest line with `id`, `audio` and the reference field."""
        return [
            Example(
                id=record.id,
                audio=record.audio,
                instruction=self.instruction.replace("{language}", self.language),
                reference=str(record.fields[self.reference]),
                seconds=record.seconds,
                task=self.name,
                meta={**record.fields, "language": self.language},
            )
            for record in read_manifest(self.manifest, {self.reference: Field(str)}, self.limit)
        ]

    def parse(self, text: str, example: Example) -> str:
        """The translation without tags, lead-in and quotation marks."""
        return unwrap(text)

    def scorer(self) -> dict[str, str]:
        """sacreBLEU's signatures: scores with unlike ones must not be compared."""
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

        bleu, chrf = BLEU(tokenize=self.tokenize), CHRF()
        for metric in (bleu, chrf):
            metric.corpus_score(["a"], [["a"]])  # the number of references is part of the signature
        return {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())}

    def metrics(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Corpus `bleu` and `chrf`."""
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

        answers = [prediction.answer for prediction in predictions]
        references = [[prediction.reference for prediction in predictions]]
        return {
            "bleu": BLEU(tokenize=self.tokenize).corpus_score(answers, references).score,
            "chrf": CHRF().corpus_score(answers, references).score,
        }

    def tally(self, prediction: Prediction) -> tuple[float, ...]:
        """What BLEU counts: n-grams that match and all (n from 1 to 4), and both lengths."""
        from sacrebleu.metrics.bleu import BLEU

        counts = BLEU(tokenize=self.tokenize).corpus_score([prediction.answer], [[prediction.reference]])
        return *counts.counts, *counts.totals, counts.sys_len, counts.ref_len

    def score(self, sums: Sequence[float]) -> float:
        """Corpus BLEU."""
        from sacrebleu.metrics.bleu import BLEU

        matching, *counts = list(map(int, sums[:4])), *map(int, sums[4:])
        bleu = BLEU.compute_bleu(matching, counts[:4], counts[4], counts[5], smooth_method="exp")
        return float(bleu.score)
