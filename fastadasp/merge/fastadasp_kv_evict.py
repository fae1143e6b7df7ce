"""FastAdaSP's merging followed by eviction from the caches (`merge_kv_evict` in the released code)."""

from dataclasses import dataclass

from fastadasp.merge.fastadasp import FastAdaSP
from fastadasp.merge.h2o import H2O
from fastadasp.reduction.composite import Composite
from fastadasp.reduction.method import MergeMethod


@dataclass(frozen=True)
class FastAdaSPKVEvict(Composite):
    """FastAdaSP at its layers, and in the caches after `layer` H2O's choice by attention over the whole prompt.

    The released code uses one number as the share removed by merging and as the share kept by eviction, and only masks
    what it evicts. Here both remove `ratio`, eviction from what merging has left, and memory is freed.
    """

    def stages(self) -> tuple[MergeMethod, ...]:
        """Merging, then eviction without a recent window and without going on while the answer is generated."""
        merge = FastAdaSP(
            self.ratio,
            self.layer_ratio,
            self.layer,
            self.schedule,
            self.positions,
            earlier_caches=self.earlier_caches,
            proportional=self.proportional,
        )
        return merge, H2O(self.given_ratio, layer=self.layer + 1, recent=0.0, decode=False)
