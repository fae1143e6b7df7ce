"""FastAdaSP's merging followed by eviction from the caches (`merge_kv_evict` in the released code)."""

from dataclasses import dataclass

from fastadasp.merge.fastadasp import FastAdaSP
from fastadasp.merge.h2o import H2O
from fastadasp.reduction.composite import Composite
from fastadasp.reduction.method import MergeMethod


@dataclass(frozen=True)
class FastAdaSPKVEvict(Composite):
    """Merge as FastAdaSP does, and evict from the caches after `layer` by H2O's sums of attention over the whole
    prompt.

    In the released code, one number is the share that merging removes and the share that eviction keeps, and evicted
    tokens are only masked. Here both stages remove `ratio`, eviction a share of what merging has left, and the memory
    of evicted tokens is freed.
    """

    def stages(self) -> tuple[MergeMethod, ...]:
        """Merging, then eviction from the prompt's cache alone, without a window of recent tokens."""
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
