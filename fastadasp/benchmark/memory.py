"""What reduction leaves of a prompt's key-value cache: exact arithmetic on token counts, nothing is run."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastadasp.benchmark.shapes import SpeechShape
from fastadasp.reduction.method import Schedule
from fastadasp.reduction.schedule import bisect, layer_ratios, removed_shares, solve_layer_ratio

CLAIMED = 7.0
"""The paper's abstract: "7x memory efficiency", without a definition."""
RATIOS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Reduction:
    """How a cache is reduced; `earlier_caches` as in `MergeMethod`."""

    schedule: Schedule
    layer: int
    earlier_caches: bool

    def cached(self, ratio: float, layers: int) -> list[float]:
        """Share of the audio tokens that each layer has cached in the end. ratio: the overall share removed."""
        layer_ratio = solve_layer_ratio(self.schedule, ratio, self.layer, layers)
        gone = (0.0, *removed_shares(layer_ratios(self.schedule, layer_ratio, self.layer, layers)))
        return [1 - gone[-1 if self.earlier_caches else layer] for layer in range(layers)]


def factor(shape: SpeechShape, seconds: float, reduction: Reduction, ratio: float) -> float:
    """How many times smaller the cache of prompt text and audio gets."""
    audio = shape.audio_tokens(seconds)
    cached = reduction.cached(ratio, shape.layers)
    return shape.layers * (audio + shape.text_tokens) / sum(audio * part + shape.text_tokens for part in cached)


def ratio_for(shape: SpeechShape, seconds: float, reduction: Reduction, target: float) -> float | None:
    """The smallest overall ratio that makes the cache `target` times smaller; None if removing all audio does not."""
    most = 1 - 1 / shape.audio_tokens(seconds)
    if factor(shape, seconds, reduction, most) < target:
        return None
    return bisect(lambda ratio: factor(shape, seconds, reduction, min(ratio, most)), target)


def table(
    shape: SpeechShape, seconds: float, layer: int, schedules: Sequence[Schedule], ratios: Sequence[float] = RATIOS
) -> list[dict[str, object]]:
    """One row for each schedule, with and without the earlier caches."""
    rows: list[dict[str, object]] = []
    for schedule in schedules:
        for earlier in (False, True):
            reduction = Reduction(schedule, layer, earlier)
            rows.append(
                {
                    "schedule": schedule.name,
                    "earlier_caches": earlier,
                    "seconds": seconds,
                    "factors": {str(ratio): factor(shape, seconds, reduction, ratio) for ratio in ratios},
                    "ratio_for_claim": ratio_for(shape, seconds, reduction, CLAIMED),
                }
            )
    return rows
