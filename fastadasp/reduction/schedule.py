"""How many audio tokens go at each decoder layer. Host arithmetic only: no tensor, no device.

The three schedules of FastAdaSP (arXiv 2410.03007 and its released Qwen-Audio code): `once` reduces at one layer,
`constant` by the same share of what is left at every layer from there on, `decay` by a share that fades to zero at the
last layer. The schedule `early` is ours: its share fades with the sixth power of the depth that is left, between
`once`, which must choose all pairs by what one layer sees, and `decay`, which must remove more tokens in all to save as
many FLOPs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from fastadasp.errors import ConfigError
from fastadasp.reduction.method import MergeMethod, Schedule

_FADING = {Schedule.constant: 0, Schedule.decay: 1, Schedule.early: 6}
"""The power with which the share falls with the depth that is left."""


def layer_ratios(schedule: Schedule, layer_ratio: float, layer: int, layers: int) -> tuple[float, ...]:
    """Share of the current audio tokens removed at each of `layers` decoder layers; 0 before `layer`."""
    ratios = [0.0] * layers
    ratios[layer] = layer_ratio
    if schedule is not Schedule.once:
        for index in range(layer + 1, layers):
            left = 1 - (index - layer) / (layers - 1 - layer)
            ratios[index] = layer_ratio * left ** _FADING[schedule]
    return tuple(ratios)


def removed_shares(ratios: Sequence[float]) -> tuple[float, ...]:
    """Share of the prompt's audio tokens that is gone after each layer, from the shares `ratios` of what is left."""
    shares, gone = [], 0.0
    for ratio in ratios:
        gone += (1 - gone) * ratio
        shares.append(gone)
    return tuple(shares)


def overall_ratio(ratios: Sequence[float], layer: int) -> float:
    """Removed share averaged over the layers after `layer`: what `merge.ratio` means.

    A reduction at the last layer has no layer after it; there it is the share removed for the last MLP.
    """
    after = removed_shares(ratios)[layer : max(len(ratios) - 1, layer + 1)]
    return sum(after) / len(after)


@lru_cache(maxsize=1024)  # a run asks for the same one in every batch
def solve_layer_ratio(schedule: Schedule, ratio: float, layer: int, layers: int) -> float:
    """The ratio per layer with which `schedule` removes the share `ratio` overall (inverse of `overall_ratio`)."""
    if schedule is Schedule.once or ratio == 0:
        return ratio
    return bisect(lambda r: overall_ratio(layer_ratios(schedule, r, layer, layers), layer), ratio)


def bisect(increasing: Callable[[float], float], target: float) -> float:
    """The x in [0, 1] where an increasing function reaches `target`, to double precision."""
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if increasing(middle) < target else (low, middle)
    return high


@dataclass(frozen=True)
class Plan:
    """A method's schedule on a decoder of known depth, ready to say how many tokens go where."""

    ratios: tuple[float, ...]
    """Share of the current audio tokens to remove, per layer."""
    overall: bool
    """Whether the shares were solved from an overall `ratio`: then the counts follow the accumulated share, rounded, so
    that short audio loses what was asked for. The released rule truncates at each layer: 50 tokens at 1 % lose none."""

    @classmethod
    def of(cls, method: MergeMethod, layers: int) -> "Plan":
        """The plan of `method` on `layers` decoder layers; ConfigError if `method.layer` is none of them."""
        if method.layer >= layers:
            raise ConfigError(
                f"merge.layer must lie in [0, {layers - 1}], got {method.layer}: the model has {layers} layers"
            )
        layer_ratio = method.layer_ratio
        if layer_ratio is None:
            layer_ratio = solve_layer_ratio(method.schedule, method.ratio, method.layer, layers)
        ratios = layer_ratios(method.schedule, layer_ratio, method.layer, layers)
        return cls(ratios, overall=method.layer_ratio is None and method.schedule is not Schedule.once)

    @cached_property
    def removed(self) -> tuple[float, ...]:
        """Share of the prompt's audio tokens that is gone after each layer."""
        return removed_shares(self.ratios)

    @property
    def first(self) -> int | None:
        """The first layer that reduces; None if none does."""
        return next((index for index, ratio in enumerate(self.ratios) if ratio > 0), None)

    def n_remove(self, layer: int, prompt: int, current: int) -> int:
        """Audio tokens to remove at `layer` from a row that had `prompt` of them and has `current` left."""
        if not self.overall:
            return int(current * self.ratios[layer])
        target = prompt - round(prompt * self.removed[layer])
        return max(0, current - max(target, min(current, 1)))

    def affordable(self, layer: int, entered: Sequence[int]) -> int:
        """Audio tokens that may go at `layer` for later layers to have read, all together, no fewer than they were to.

        entered: audio tokens of a row that entered each layer up to this one. What goes early counts at every layer
        after it, so that less is left to go there; FLOPs stay those of the schedule, but for attention's n².
        """
        last = len(self.ratios) - 1
        if layer == last:
            return self.n_remove(layer, entered[0], entered[-1])
        to_read = sum(self.audio_tokens(entered[0])[1 : last + 1]) - sum(entered[1:])
        return max(0, entered[-1] - -(-to_read // (last - layer)))

    def audio_tokens(self, prompt: int) -> tuple[int, ...]:
        """Audio tokens entering each layer, then leaving the last one (L + 1 counts), if all that is due is removed."""
        counts = [prompt]
        for layer in range(len(self.ratios)):
            counts.append(counts[-1] - self.n_remove(layer, prompt, counts[-1]))
        return tuple(counts)
