"""Attention masks that a model has made itself: what they say of padding, and whether they are causal and no more.

After a reduction each layer gets a mask that is made anew (`fastadasp.engine.decoder.attention_mask`): causal, within
the layer's window, without padding. That is right only where the model's own mask for the prompt is of this kind.
Tokens that see later ones (images of Gemma 3, prefixes), chunks (Llama 4 beyond 8,192 tokens) and biases of positions
are not, and are found here by comparing the masks themselves.

B rows (left-padded), T columns, Q queries, K keys.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from fastadasp.engine.decoder import implementation_of
from fastadasp.errors import UnsupportedError


def padding_of(mask: Any, rows: int, length: int) -> Tensor | None:
    """(B, T) int64, 0 on padding, by whatever a decoder was given as attention mask; None if nothing hides any token.

    mask: None, (B, T) as tokenizers give it, (B, 1, Q, K) as kernels take it, or several of the latter by kind of
    layer. Raises ValueError where it lets a token see a later one, or is anything else.
    """
    if mask is None or (isinstance(mask, Tensor) and mask.ndim == 2):
        return mask
    found = [entry for entry in _entries(mask) if entry is not None]
    if not all(isinstance(entry, Tensor) and entry.ndim == 4 and entry.shape[-2] == length for entry in found):
        shapes = ", ".join(str(tuple(getattr(entry, "shape", ()))) for entry in found)
        raise ValueError(
            f"attention_mask must be 2-D of shape {(rows, length)}, or square masks of the whole prompt, got {shapes}"
        )
    if not found:
        return None
    for entry in found:
        if bool(allowed(entry).triu(1)[:, 0, :-1].any(-1).logical_and(_real(entry)[:, :-1]).any()):
            raise UnsupportedError(
                "merging() cannot make this prompt's attention masks anew: the model lets tokens see later ones "
                "(images, or a prefix); reduce prompts of text and audio, which are read from left to right"
            )
    real_BT = _real(found[0]).long().expand(rows, -1)
    return None if bool(real_BT.all()) else real_BT


def _entries(mask: Any) -> Iterable[Any]:
    return mask.values() if isinstance(mask, Mapping) else (mask,)


def _real(mask_B1TT: Tensor) -> Tensor:
    """(B, T) bool: padding sees nothing, not even itself, or, for kernels that want no empty row, everything."""
    seen_BTT = allowed(mask_B1TT)[:, 0]
    real_BT = seen_BTT.diagonal(dim1=1, dim2=2).clone()
    real_BT[:, :-1] &= ~seen_BTT[:, :-1].all(-1)
    return real_BT


def allowed(mask: Tensor) -> Tensor:
    """bool: where a mask for a kernel lets a query see a key."""
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2


class MaskCheck:
    """Compares the masks that layers got for an unreduced prompt with those that would be made for it.

    The device is asked once, at the end: `settle`.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int | None], Tensor] = {}
        self._wrong: list[tuple[int, Tensor]] = []

    def note(self, index: int, attention: Any, given: Any, real_BT: Tensor | None, window: int | None) -> None:
        """A layer's mask, (B, 1 or H, T, T); others need no check."""
        if "flash" in implementation_of(attention) or not isinstance(given, Tensor) or given.ndim != 4:
            return
        if (id(given), window) in self._seen:
            return
        self._seen[id(given), window] = given  # alive as long as its identity stands for it
        length = given.shape[-1]
        column = torch.arange(length, device=given.device)
        right = (column <= column[:, None])[None, None]
        if window is not None and window < length:
            right = right & (column > column[:, None] - window)
        real_B11T = None if real_BT is None else real_BT.to(given.device)[:, None, None]
        if real_B11T is not None:
            right = right & real_B11T
        differs = allowed(given) != right
        if given.dtype != torch.bool:
            differs = differs | (right & (given != 0))
        if real_B11T is not None:  # what padding sees means nothing
            differs = differs & real_B11T.transpose(2, 3)
        self._wrong.append((index, differs.any()))

    def settle(self) -> None:
        """ValueError if any mask was of another kind."""
        if not self._wrong or not bool(torch.stack([wrong for _, wrong in self._wrong]).any()):
            return
        index = next(index for index, wrong in self._wrong if bool(wrong))
        raise UnsupportedError(
            "merging() makes masks anew after a reduction, causal ones, within the layer's window; for this prompt "
            f"layer {index} uses a mask of another kind (chunks, tokens that see later ones, or biases of positions). "
            "Shorten the prompt if it is longer than a chunk, or choose another model"
        )
