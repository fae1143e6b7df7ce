"""Rotary position embeddings (Su et al., arXiv 2104.09864) of queries and keys, and their inverse.

B rows, H heads, T columns, d channels of a head, r channels of the tables.
"""

import torch
from torch import Tensor

Rotary = tuple[Tensor, Tensor]
"""cos and sin, each (1 or B, T, r)."""


def rotate(x_BHTd: Tensor, rotary: Rotary) -> Tensor:
    """Rotary embedding of queries or keys: channel i turns with channel i + r/2, r being the channels of the tables;
    further channels stay."""
    cos_B1Tr, sin_B1Tr = (table[:, None].to(x_BHTd.dtype) for table in rotary)
    turning, staying = x_BHTd[..., : cos_B1Tr.shape[-1]], x_BHTd[..., cos_B1Tr.shape[-1] :]
    first, second = turning.chunk(2, -1)
    turned = turning * cos_B1Tr + torch.cat((-second, first), -1) * sin_B1Tr
    return torch.cat((turned, staying), -1) if staying.shape[-1] else turned


def unrotate(x_BHTd: Tensor, rotary: Rotary | None) -> Tensor:
    """The inverse of `rotate`; tables may carry a factor (YaRN), which goes too. ValueError where there is none."""
    if rotary is None:
        raise ValueError(
            "this method looks at queries and keys before the rotary rotation, and this model turns them in a way that "
            "is not known here (interleaved channels, or positions given to attention itself); choose another method"
        )
    cos, sin = (table.float() for table in rotary)
    norm = cos.square() + sin.square()
    return rotate(x_BHTd.float(), (cos / norm, -sin / norm)).to(x_BHTd.dtype)
