"""The base class of all token-reduction methods, with the settings that all of them share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_args, get_type_hints

from fastadasp.errors import ConfigError, OutOfReachError
from fastadasp.reduction.amount import Amount, amount

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment

# Member names are what Hydra configs spell, hence lower case.
Schedule = Enum("Schedule", ["once", "constant", "decay", "early"])
Positions = Enum("Positions", ["packed", "original"])
Site = Enum("Site", ["decoder", "input", "cache"])

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True)
class MergeMethod(ABC):
    """A token-reduction method; its dataclass fields are the schema of `conf/merge/<name>.yaml`.

    A field whose type is an Enum also takes its members' names: `FastAdaSP(ratio=0.3, schedule="constant")`.
    A value out of range raises ConfigError (a ValueError), naming the Hydra key. Modules of methods import no torch, so
    that a config is checked in no time.
    """

    ratio: float = 0.0
    """Share of the audio tokens removed, averaged over the layers after `layer`; in [0, 1)."""
    layer_ratio: float | None = None
    """The released code's ratio instead: applied to what is left at every merging layer; excludes `ratio`."""
    layer: int = 2
    """First decoder layer that reduces (counted from 0); its MLP is the first to see fewer tokens."""
    schedule: Schedule = Schedule.once
    """`once`: at `layer` only; `constant`: at `layer` and every layer after it; `decay`: the same, fading to 0 at the
    last layer; `early` (ours): fading with the sixth power, so that most tokens go at the first few layers."""
    positions: Positions = Positions.packed
    """Rotary positions afterwards. `packed`: contiguous, text after the audio keeps its own (the released code);
    `original`: a fused token keeps the position of its first token."""
    seed: int = 0
    """Seed of methods that draw at random; other methods ignore the seed."""
    earlier_caches: bool = field(default=False, kw_only=True)
    """After each reduction inside the decoder, do the same to what the layers up to there have cached: keys and values
    are fused or dropped like their tokens, so that every layer's cache is short. Only decoding sees the difference."""
    proportional: bool = field(default=False, kw_only=True)
    """Proportional attention (Bolya et al., ICLR 2023, arXiv 2210.09461, eq. 1): in the layers after a reduction, and
    while decoding, a token is attended to as if every prompt token that it stands for were there, by the log of their
    number added to its scores. `sdpa` and `eager` kernels take that, flash attention does not."""
    flops_reduction: float | None = field(default=None, kw_only=True)
    """Share of the prefill's FLOPs to save, in [0, 1), from which `ratio` is then solved."""
    tokens_kept: float | None = field(default=None, kw_only=True)
    """Audio tokens to keep, instead of `ratio` and averaged over the same layers. A value below 1 is a share; a value
    from 1 on is a number of tokens, at most as many as the prompt has."""

    site: ClassVar[Site] = Site.decoder
    """Where the method acts. `decoder`: between attention and MLP of its layers; `input`: once, before layer 0, where
    layer and schedule mean nothing; `cache`: on what a layer has cached of the prompt (see CacheMethod)."""

    def __post_init__(self) -> None:
        for name, kind in enum_fields(type(self)):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, member(kind, f"merge.{name}", value))
        check_share("merge.ratio", self.ratio, "it is the share of audio tokens removed")
        if self.layer_ratio is not None:
            check_share("merge.layer_ratio", self.layer_ratio, "it is the share removed at each merging layer")
        if self.flops_reduction is not None:
            check_share("merge.flops_reduction", self.flops_reduction, "it is the share of the prefill's FLOPs saved")
        if self.tokens_kept is not None:
            check_tokens_kept(self.tokens_kept)
        _ = self.amount  # raises where two exclude each other
        self.check_layer()
        check_count("merge.seed", self.seed, "it seeds the method's own random generator")

    def check_layer(self) -> None:
        """ConfigError for a `layer` that no decoder has."""
        check_count("merge.layer", self.layer, "decoder layers are counted from 0")

    def at_depth(self, layers: int) -> "MergeMethod":
        """A copy in which an unset `layer` is resolved for a decoder of this depth."""
        return self

    def at_layer(self, layer: int) -> "MergeMethod":
        """A copy that reduces from `layer` on."""
        return replace(self, layer=layer)

    def check_at_most_half(self) -> None:
        """Raise ConfigError where one layer is to remove more than half, for methods that fuse tokens two by two."""
        once = self.ratio if self.schedule is Schedule.once else 0.0
        for key, value in (("merge.ratio", once), ("merge.layer_ratio", self.layer_ratio or 0.0)):
            if value > 0.5:
                raise OutOfReachError(
                    f"{key} must not exceed 0.5 for {type(self).__name__}, got {value}: one layer fuses tokens two by "
                    "two; spread a larger ratio over layers with merge.schedule=constant"
                )

    @property
    def amount(self) -> Amount | None:
        """How much is to be removed; None for nothing. ConfigError where two of its settings exclude each other."""
        return amount(vars(self))

    @property
    def has_target(self) -> bool:
        """Whether the ratio depends on the prompt and is still to be solved (`reduction.target.solve_ratio`)."""
        return self.amount is not None and self.amount.is_target

    @property
    def stage_with_target(self) -> "MergeMethod":
        """The stage whose target is to be solved, for a method that is composed of several; else the method itself."""
        return self

    def with_ratio(self, ratio: float) -> "MergeMethod":
        """A copy with the ratio that meets its target. A solved ratio of 0 is stored as `layer_ratio=0.0`, so that
        adaptive methods see an explicit limit."""
        layer_ratio = None if ratio else 0.0
        return replace(self, ratio=ratio, layer_ratio=layer_ratio, flops_reduction=None, tokens_kept=None)

    @property
    def given_ratio(self) -> float:
        """`layer_ratio` where that is set, else `ratio`: what was said, before a schedule is solved for it."""
        return self.ratio if self.layer_ratio is None else self.layer_ratio

    def removable(self, audio: int, text: int) -> int:
        """Number of a prompt's tokens that may be removed; `ratio` is a share of these."""
        return audio

    @property
    def adaptive(self) -> bool:
        """Whether it decides by itself how much goes: then it is asked at its layers even where none is to go."""
        return False

    def stages(self) -> "tuple[MergeMethod, ...]":
        """The methods that really act, for one that is made of others: at most one for each site."""
        return (self,)

    @abstractmethod
    def assign(self, state: Any) -> "Assignment":
        """Decide what happens to each token, `state.n_remove` of which are to go; moving tensors is the caller's work.

        state: InputState at site `input`, LayerState at the others.
        """


def check_share(key: str, value: object, meaning: str) -> None:
    """ConfigError unless `value` is a number in [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ConfigError(f"{key} must lie in [0, 1), got {value!r}; {meaning}")


def check_threshold(value: float | None) -> None:
    """ConfigError unless `value` is None or a cosine that some pairs can exceed."""
    if value is not None and not -1 <= value < 1:
        raise ConfigError(f"merge.threshold must lie in [-1, 1) or be null, got {value}; it is a cosine")


def check_tokens_kept(value: object) -> None:
    """ConfigError unless `value` is a share in (0, 1) or a whole number from 1 up."""
    number = not isinstance(value, bool) and isinstance(value, int | float)
    if not number or not (0 < value < 1 or (value >= 1 and value == int(value))):  # type: ignore[operator, call-overload]
        raise ConfigError(
            f"merge.tokens_kept must be a share in (0, 1) or a whole number of audio tokens from 1 up, got {value!r}"
        )


def check_count(key: str, value: object, meaning: str, least: int = 0) -> None:
    """ConfigError unless `value` is a whole number from `least` up."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{key} must be a whole number from {least} up, got {value!r}; {meaning}")


@cache
def enum_fields(kind: type[MergeMethod]) -> tuple[tuple[str, type[Enum]], ...]:
    """The fields of a method whose annotation is an Enum, or one or None, with that Enum."""
    written = {one.name: one.type for one in fields(kind)}
    if any(isinstance(hint, str) for hint in written.values()):  # a module with `from __future__ import annotations`
        written = {name: hint for name, hint in get_type_hints(kind).items() if name in written}
    return tuple(
        (name, choice)
        for name, hint in written.items()
        for choice in (hint, *get_args(hint))
        if isinstance(choice, type) and issubclass(choice, Enum)
    )


def member(kind: type[E], key: str, value: object) -> E:
    """`value` as a member of `kind`, by itself or by name."""
    if isinstance(value, kind):
        return value
    if isinstance(value, str) and value in kind.__members__:
        return kind[value]
    raise ConfigError(f"{key} must be one of {', '.join(kind.__members__)}; got {value!r}")
