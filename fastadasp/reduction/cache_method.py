"""The base class of methods that shorten the key-value cache.

B rows, T columns, G key-value heads. Each head of a layer keeps its own tokens; as many as the others, but for methods
that are `uneven`.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fastadasp.errors import ConfigError
from fastadasp.reduction.method import MergeMethod, Schedule, Site

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.ops.assignment import Assignment
    from fastadasp.ops.layout import Layout
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class CacheMethod(MergeMethod):
    """Evicts keys and values once a layer has read the prompt: decoding gets cheaper and memory free, not prefill.

    `ratio` (or `layer_ratio`, here the same) is the share removed from the cache of `layer` and of each layer after it.
    The prompt's attention is unchanged and so are all positions: what is generated goes on from the original length.
    """

    layer: int = 0
    schedule: Schedule = Schedule.constant
    """Always `constant`: layers cache apart from each other, nothing removed at one is gone at the next."""
    protect_text: bool = True
    """Remove audio alone, like every other method here; false: any token, `ratio` being the share of all tokens, as the
    published implementations have it."""

    site: ClassVar[Site] = Site.cache

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule is not Schedule.constant:
            raise ConfigError(
                f"merge.schedule must be constant for a method that shortens the cache, got {self.schedule.name}: each "
                "layer from merge.layer on evicts its share from its own cache"
            )

    @abstractmethod
    def score(self, state: "LayerState") -> "Tensor":
        """(B, G, T) or, for all heads alike, (B, 1, T): the larger, the rather kept; defined on real tokens."""

    def kept(self, tokens: int, layer: int, layers: int) -> int:
        """How many of a row's removable tokens stay in the cache of `layer`, one of `layers`."""
        return tokens - int(tokens * self.given_ratio)

    @property
    def evicts_while_decoding(self) -> bool:
        """Whether new tokens push out old ones; `score` must then be the attention received so far."""
        return False

    @property
    def uneven(self) -> bool:
        """Whether a layer's heads may keep unlike numbers of tokens, `kept` on average; `assign` then says how many."""
        return False

    def newest(self, kept: int) -> int:
        """How many of the `kept` removable tokens are the newest ones, whatever their score."""
        return 0

    def removable(self, audio: int, text: int) -> int:
        """Number of audio tokens, or with `protect_text=false` of all tokens."""
        return audio if self.protect_text else audio + text

    def removable_tokens(self, layout: "Layout") -> tuple[int, ...]:
        """Removable tokens of each row of a batch."""
        return layout.audio if self.protect_text else layout.tokens

    def eviction(self, removable: int, layer: int, layers: int) -> int:
        """How many of a row's removable tokens leave the cache of `layer`, one of `layers`."""
        if layer < self.layer or self.given_ratio == 0:
            return 0
        return removable - self.kept(removable, layer, layers)

    def kept_tokens(self, state: "LayerState") -> tuple[int, ...]:
        """The budget of each row: how many of its removable tokens stay in this layer's cache."""
        removable = self.removable_tokens(state.layout)
        return tuple(tokens - count for tokens, count in zip(removable, state.n_remove, strict=True))

    def candidates(self, state: "LayerState") -> "Tensor":
        """(B, T) bool: the tokens that may be removed."""
        if self.protect_text:
            return state.audio_BT
        return state.audio_BT.new_ones(state.audio_BT.shape) if state.real_BT is None else state.real_BT

    def windows(self, state: "LayerState") -> tuple[int, ...]:
        """How many of the newest removable tokens of each row are safe."""
        return tuple(map(self.newest, self.kept_tokens(state)))

    def assign(self, state: "LayerState") -> "Assignment":
        """One row for each row of the batch and head: the `n_remove` tokens with the lowest scores go."""
        return state.evict_bottom(self.score(state), self.candidates(state), self.windows(state))

    def assign_values(self, state: "LayerState", assignment: "Assignment") -> "Assignment":
        """The assignment of the values. `assignment` is that of the keys; both have equally many slots."""
        return assignment
