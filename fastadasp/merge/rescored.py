"""The base class of cache methods that build on the scores of another cache method."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from fastadasp.errors import ConfigError
from fastadasp.merge.snapkv import SnapKV
from fastadasp.reduction.cache_method import CacheMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class Rescored(CacheMethod):
    """Take scores and budgets from another cache method, the scorer.

    Example: `AdaKV(0.5, scorer=KeyDiff())`, on the command line `merge=adakv merge@merge.scorer=keydiff`. The ratio,
    layer, seed and `protect_text` of the outer method count; those of the scorer are ignored, and a ratio of the scorer
    is refused.
    """

    scorer: Any = None
    """The cache method whose scores and budgets are used (`merge@merge.scorer=keydiff`); None stands for SnapKV with
    its defaults."""

    takes_choice: ClassVar[bool] = False
    """Whether the choice of the scorer is taken as a whole, and not only its scores."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scorer is None:
            object.__setattr__(self, "scorer", SnapKV())
        if not isinstance(self.scorer, CacheMethod):
            raise ConfigError(
                f"merge.scorer must be a method that shortens the cache, got {self.scorer!r}; choose one with "
                "merge@merge.scorer=NAME, such as snapkv, keydiff, tova, knorm, finch or expected_attention"
            )
        kind = type(self.scorer)
        more = kind.assign is not CacheMethod.assign and not self.takes_choice
        if more or kind.assign_values is not CacheMethod.assign_values:
            raise ConfigError(
                f"merge.scorer={kind.__name__} is not possible: {type(self).__name__} would take its scores and leave "
                f"what it does beyond these; wrap {type(self).__name__} in it instead, or choose another scorer"
            )
        if given := self.scorer.amount:
            raise ConfigError(
                f"{given.at('merge.scorer')} means nothing: how much goes is a setting of {type(self).__name__}; "
                f"give {given}"
            )
        if self.scorer.evicts_while_decoding:
            raise ConfigError(
                f"merge.scorer.decode=true is not possible: {type(self).__name__} evicts at the end of the prompt "
                "only; set merge.scorer.decode=false"
            )

    @cached_property
    def inner(self) -> CacheMethod:
        """The scorer with the ratio and the layers of this method."""
        inner: CacheMethod = replace(
            self.scorer,
            ratio=self.ratio,
            layer_ratio=self.layer_ratio,
            layer=self.layer,
            protect_text=self.protect_text,
            seed=self.seed,
        )
        return inner

    def score(self, state: "LayerState") -> "Tensor":
        """The scores of the scorer."""
        return self.inner.score(state)

    def kept(self, tokens: int, layer: int, layers: int) -> int:
        """The budget of the scorer."""
        return self.inner.kept(tokens, layer, layers)

    def newest(self, kept: int) -> int:
        """The number of newest tokens that the scorer keeps whatever their scores."""
        return self.inner.newest(kept)
