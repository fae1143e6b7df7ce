"""Affinity pooling at the input of the decoder (Xiang et al., ACL Findings 2026, arXiv 2604.06871)."""

from dataclasses import dataclass

from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.pooling import Pooling


@dataclass(frozen=True)
class AffinityPooling(Pooling, InputMethod):
    """Pool the output of the projector: a token is compared with its direct neighbour alone (`window` 1)."""
