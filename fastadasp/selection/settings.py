"""What decides where a method reduces when `merge.layer=auto`; the schema of the `selection` node."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from fastadasp.errors import ConfigError
from fastadasp.reduction.method import check_count, member

Criterion = Enum("Criterion", ["transfer_entropy", "output_kl", "attention_entropy"])
"""What a layer is judged by, the less the better. `transfer_entropy`: how much the entropy of the final audio features
changes; `output_kl`: how much the distribution of the answer's first token does (Kullback-Leibler divergence from full
tokens); `attention_entropy`: how evenly the layer's attention is spread over the audio tokens, 0 to 1."""


@dataclass(frozen=True)
class LayerScore:
    """What reducing from one layer on costs and saves, over all calibration clips."""

    layer: int
    ratio: float
    saved: float
    """Share of the prefill's FLOPs, by the papers' formula."""
    value: float
    """Of the criterion."""


@dataclass(frozen=True)
class Selection:
    """How the layer is chosen."""

    manifest: Path | None = None
    """Calibration clips: a manifest of the task, of other clips than those to be scored."""
    limit: int = 64
    """Use only the first `limit` clips."""
    criterion: Criterion = Criterion.transfer_entropy
    layers: list[int] | None = None
    """Layers to choose from; None for all."""
    least_saved: float = 0.5
    """Share of what the best layer saves that a layer must save to be chosen: late layers disturb nothing because they
    save nothing. With `merge.flops_reduction` all save the same."""
    trade_off: float = 0.0
    """Worth of saving as much as any layer does, in units of the worst layer's value; 0 looks at values alone."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "criterion", member(Criterion, "selection.criterion", self.criterion))
        check_count("selection.limit", self.limit, "it is a number of clips", least=1)
        for layer in self.layers or ():
            check_count("selection.layers", layer, "decoder layers are counted from 0")
        if self.layers == []:
            raise ConfigError("selection.layers must name at least one layer, or be null for all")
        if not 0 <= self.least_saved <= 1:
            raise ConfigError(f"selection.least_saved must lie in [0, 1], got {self.least_saved}")
        if self.trade_off < 0:
            raise ConfigError(f"selection.trade_off must be at least 0, got {self.trade_off}")

    def choose(self, scores: Sequence[LayerScore]) -> LayerScore:
        """The best of the layers that save enough; of equal ones the earliest, which saves most."""
        most_saved = max(score.saved for score in scores)
        worst = max(abs(score.value) for score in scores) or 1.0
        return min(
            (score for score in scores if score.saved >= self.least_saved * most_saved),
            key=lambda score: (score.value / worst - self.trade_off * score.saved / (most_saved or 1.0), score.layer),
        )
