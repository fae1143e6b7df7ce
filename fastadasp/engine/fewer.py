"""A layer over some of a prompt's tokens alone, as it runs after a reduction: shown by numbers, or refused.

B rows, T tokens, K of them kept, D hidden channels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fastadasp.engine.decoder import AttentionTap, attention_mask
from fastadasp.engine.facts import ROWS, TOKENS, TOLERANCE, Call, short
from fastadasp.engine.halves import leading
from fastadasp.engine.span import at_columns, tables_at
from fastadasp.ops.rotary import unrotate

KEPT = (0, 2, 3, 5, 8, 10)
KEPT_OF_FEW = tuple(range(5, TOKENS))
"""Under a window shorter than the prompt: tokens whose distances stay."""
KNOWN = ("attention_mask", "position_ids", "position_embeddings")
"""Arguments over the whole prompt that are made anew for fewer tokens."""


@dataclass(frozen=True, eq=False)
class Fewer:
    """One layer, and the way in which it is told of masks and positions."""

    forward: Any
    call: Call
    """The arguments with which the layer was called for the whole prompt."""
    attention: Any
    """The layer's attention."""
    window: int | None
    """How far attention looks back."""
    agree: Callable[..., bool]
    """Whether two results of the layer are equal but for rounding."""
    numbered: bool
    """Whether to give position numbers beside rotary tables."""
    masked: bool
    """Whether to give a mask even where the kernel would do without."""

    def refused(self) -> str | None:
        """None where the layer minds the masks and positions that it is given and reads on; else why not."""
        given = self.call.inputs.get("attention_mask")
        if "attention_mask" not in self.call.inputs:
            return "it is not given the mask by the name attention_mask"
        if isinstance(given, Mapping):
            kinds = ", ".join(map(str, given))
            return f"it is given several masks in one argument ({kinds}), of which only one can be made anew"
        kept = KEPT if self.window is None or self.window >= TOKENS else KEPT_OF_FEW
        try:
            alone = self._read(kept, self.call.with_fresh_cache())
            masked = self._among_masked(kept)
        except Exception as error:  # whatever foreign code raises is the reason
            told = of_whole_prompt(self.call) or f" ({short(error)})"
            return f"it cannot go on with fewer tokens than the prompt has{told}"
        if not self.agree(alone, masked[:, list(kept)], self.call.hidden_BTD[:, list(kept)], slack=5):
            told = of_whole_prompt(self.call)
            return f"with fewer tokens it does not give what it gives when the others are masked{told}"
        if not self._reads_on(kept, alone):
            return "once its cache has lost tokens, it does not read a further token as if they had never been there"
        return None

    def _read(self, columns: Sequence[int], inputs: dict[str, Any], cached: int = 0) -> Tensor:
        """The layer's output for some of the tokens alone, of which the first `cached` are in the cache already."""
        new = list(columns[cached:])
        hidden_BKD = self.call.hidden_BTD[:, new]
        columns_BK = torch.tensor(new, device=hidden_BKD.device).expand(ROWS, -1)
        mask = attention_mask(self.attention, None, hidden_BKD, len(columns), window=self.window, always=self.masked)
        return leading(self.forward(hidden_BKD, **{**inputs, "attention_mask": mask, **self._positions(columns_BK)}))

    def _among_masked(self, kept: Sequence[int]) -> Tensor:
        """The layer's output for all tokens, where the tokens that are not kept are masked."""
        hidden_BTD = self.call.hidden_BTD
        real_BT = torch.zeros(ROWS, TOKENS, dtype=torch.bool, device=hidden_BTD.device)
        real_BT[:, list(kept)] = True
        mask = attention_mask(self.attention, real_BT, hidden_BTD, TOKENS, window=self.window)
        return leading(self.forward(hidden_BTD, **self.call.with_fresh_cache(attention_mask=mask)))

    def _reads_on(self, kept: Sequence[int], alone: Tensor) -> bool:
        """Whether the last token, read after the others are cached, gets what it gets in one piece with them."""
        inputs = self.call.with_fresh_cache()
        try:
            self._read(kept[:-1], inputs)
            last = self._read(kept, inputs, cached=len(kept) - 1)
        except Exception:  # whatever foreign code raises, the answer is no
            return False
        return self.agree(last, alone[:, -1:], self.call.hidden_BTD[:, kept[-1:]], slack=5)

    def _positions(self, columns: Tensor | slice) -> dict[str, Any]:
        """The layer's position arguments at some columns of the prompt."""
        tables, numbers = self.call.inputs.get("position_embeddings"), self.call.inputs.get("position_ids")
        moved: dict[str, Any] = {}
        if tables is not None:
            moved["position_embeddings"] = tables_at(tables, columns)
        if "position_ids" in self.call.inputs:
            wanted = tables is None or self.numbered
            moved["position_ids"] = at_columns(numbers, columns, -1) if wanted else None
        return moved

    def is_rotated(self) -> bool:
        """Whether queries turned back by the layer's own tables, if any, do not depend on the position."""
        tables = self.call.inputs.get("position_embeddings")
        if tables is None and self.call.inputs.get("position_ids") is None:
            return True
        whole = isinstance(tables, tuple) and len(tables) == 2 and all(table.ndim >= 3 for table in tables)
        if tables is not None and not whole:
            return False
        seen = []
        backwards = torch.arange(TOKENS, device=self.call.hidden_BTD.device).flip(0).expand(ROWS, -1)
        for columns in (slice(0, TOKENS), backwards):
            moved = self._positions(columns)
            inputs = self.call.with_fresh_cache(**moved)
            with AttentionTap(self.attention) as tap:
                self.forward(self.call.hidden_BTD, **inputs)
            queries_BHTd = tap.query_BHTd.float()
            if tables is not None:
                cos, sin = (table[0] if table.ndim == 4 else table for table in moved["position_embeddings"])
                queries_BHTd = unrotate(queries_BHTd, (cos.float(), sin.float()))
            seen.append(queries_BHTd)
        error, size = (seen[0] - seen[1]).norm(), seen[0].norm()
        return bool(error <= 2 * TOLERANCE.get(self.call.hidden_BTD.dtype, 1e-1) * size)


def of_whole_prompt(call: Call) -> str:
    """The arguments that speak of the whole prompt and cannot be made anew for fewer tokens, if there are any."""
    others = sorted(
        name
        for name, x in call.inputs.items()
        if name not in KNOWN and isinstance(x, Tensor) and x.ndim > 1 and TOKENS in x.shape
    )
    return f": `{'`, `'.join(others)}` stands for the prompt as it came" if others else ""
