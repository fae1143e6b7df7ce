"""The verbs with which a method decides: each turns scores or marks into an `Assignment` of all tokens.

B rows (left-padded), T columns. Text and padding are seen to here: a method speaks of audio tokens alone.
"""

from functools import cached_property
from typing import NoReturn

import torch
from torch import Tensor
from torch.nn.functional import pad

from fastadasp.ops.assignment import Assignment, choose_top, fuse_groups, fuse_pairs, keep_only
from fastadasp.ops.layout import Layout

RENAMED = {
    "budget": "n_remove",
    "kept": "n_keep",
    "left": "tokens_left",
    "fuse": "fuse_best_pairs",
    "fuse_ahead": "fuse_best_pairs (its argument early_BT)",
    "join": "fuse_pairs",
    "gather": "fuse_into",
    "keep": "keep_top",
    "drop": "drop_top",
    "retain": "keep_only",
    "evict": "evict_bottom",
    "spread": "from_hull",
}
"""Names that the members of a state had in version 0.1, and their present names."""


class Verbs:
    """The decisions that a method can make about the tokens of a state."""

    layout: Layout
    audio_BT: Tensor
    real_BT: Tensor | None
    n_remove: tuple[int, ...]
    affordable: tuple[int, ...]

    @cached_property
    def pair_BT(self) -> Tensor:
        """(B, T) bool: token t and t + 1 are both audio."""
        return pad(self.audio_BT[:, :-1] & self.audio_BT[:, 1:], (0, 1))

    @property
    def n_keep(self) -> tuple[int, ...]:
        """Audio tokens that stay in each row once `n_remove` are gone."""
        return tuple(audio - count for audio, count in zip(self.layout.audio, self.n_remove, strict=True))

    def tokens_left(self, removed: tuple[int, ...]) -> tuple[int, ...]:
        """Tokens of each row, text included, once `removed` audio tokens are gone."""
        return tuple(tokens - count for tokens, count in zip(self.layout.tokens, removed, strict=True))

    def fuse_best_pairs(
        self, score_BT: Tensor, weight_BT: Tensor | None = None, early_BT: Tensor | None = None
    ) -> Assignment:
        """Fuse the `n_remove` (or all) audio pairs with the largest scores; a run of chosen pairs becomes one token.

        score_BT: of token t and t + 1. weight_BT: of each token in the mean; None for equal weights. early_BT: bool,
        pairs that are fused ahead of the schedule, best first, as many as are `affordable`.
        """
        due = tuple(map(min, self.n_remove, self.layout.pairs))
        if early_BT is None:
            return self.fuse_pairs(choose_top(score_BT, self.pair_BT, due), weight_BT, due)
        most = tuple(map(min, self.affordable or self.n_remove, self.layout.pairs))
        due_BT = choose_top(score_BT, self.pair_BT, tuple(map(min, due, most)))
        return self.fuse_pairs(due_BT | early_BT & choose_top(score_BT, self.pair_BT, most), weight_BT)

    def fuse_pairs(
        self, pair_BT: Tensor, weight_BT: Tensor | None = None, removed: tuple[int, ...] | None = None
    ) -> Assignment:
        """Fuse the audio pairs (t, t + 1) that `pair_BT` marks; a run of marked pairs becomes one token.

        weight_BT: of each token in the mean; None for equal weights. removed: audio tokens that this costs each row,
        where the host knows their number.
        """
        weight_BT = torch.ones_like(pair_BT, dtype=torch.float32) if weight_BT is None else weight_BT
        return fuse_pairs(pair_BT, weight_BT, self.real_BT, None if removed is None else self.tokens_left(removed))

    def fuse_into(self, into_BT: Tensor, weight_BT: Tensor, removed: tuple[int, ...] | None = None) -> Assignment:
        """Fuse each token into that of column `into_BT`, often itself, or drop it where that is T.

        weight_BT and removed: as for `fuse_pairs`.
        """
        return fuse_groups(into_BT, weight_BT, self.real_BT, None if removed is None else self.tokens_left(removed))

    def keep_top(self, score_BT: Tensor) -> Assignment:
        """Keep the `n_keep` audio tokens with the largest scores."""
        return self.keep_only(choose_top(score_BT, self.audio_BT, self.n_keep))

    def drop_top(self, score_BT: Tensor) -> Assignment:
        """Drop the `n_remove` audio tokens with the largest scores."""
        return self.keep_only(~choose_top(score_BT, self.audio_BT, self.n_remove))

    def keep_only(self, kept_BT: Tensor) -> Assignment:
        """Drop the audio tokens that `kept_BT` does not mark; it must mark `n_keep` of each row."""
        keep_BT = kept_BT | ~self.audio_BT
        if self.real_BT is not None:
            keep_BT = keep_BT & self.real_BT
        return keep_only(keep_BT, self.tokens_left(self.n_remove))

    def __getattr__(self, name: str) -> NoReturn:
        """Raise AttributeError for a name that is no member; the error gives the present name of an earlier one."""
        if name in RENAMED:
            raise AttributeError(
                f"{type(self).__name__}.{name} is called {RENAMED[name]} since version 0.2; docs/add-a-method.md lists "
                "the verbs of a state"
            )
        object.__getattribute__(self, name)  # raises what kept a property from its value
        raise AttributeError(f"{type(self).__name__} has no member {name!r}")
