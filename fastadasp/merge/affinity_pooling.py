"""Affinity pooling at the input of the decoder (Xiang et al., ACL Findings 2026, arXiv 2604.06871)."""

from dataclasses import dataclass

from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.pooling import Pooling


@dataclass(frozen=True)
class AffinityPooling(Pooling, InputMethod):
    """Affinity pooling of the projector's output, by strict adjacency (`window` 1)."""
