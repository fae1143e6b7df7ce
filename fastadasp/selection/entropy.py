"""Entropy of features that are taken to be Gaussian, and the divergences that layers are judged by.

[recon] FastAdaSP's own equation of transfer entropy could not be read: this is that of the work which it builds on,
over the audio tokens of all clips. A layer's value is the absolute difference to the entropy with full tokens.

B rows, N tokens, D channels, V words of the vocabulary, T columns.
"""

from math import log, pi

import torch
from torch import Tensor

FLOOR = 1e-6
"""Added to standard deviations: a channel that never varies has no entropy."""


class Features:
    """Mean and spread of each channel over all tokens seen, in float64 and in one pass (Chan et al., 1983)."""

    def __init__(self) -> None:
        self.count = 0
        self._mean_D = self._squares_D = torch.zeros(0, dtype=torch.float64)

    def add(self, features_ND: Tensor) -> None:
        """Further tokens."""
        added, new_ND = features_ND.shape[0], features_ND.double()
        if added == 0:
            return
        mean_D = new_ND.mean(0)
        squares_D = (new_ND - mean_D).square().sum(0)
        if self.count:
            apart_D = mean_D - self._mean_D
            total = self.count + added
            squares_D = squares_D + self._squares_D + apart_D.square() * (self.count * added / total)
            mean_D = self._mean_D + apart_D * (added / total)
        self.count, self._mean_D, self._squares_D = self.count + added, mean_D, squares_D

    @property
    def entropy(self) -> float:
        """Sum over channels of the entropy of a Gaussian of their spread, in nats; ValueError without tokens.

        H = log σ + ½ log 2π + ½ for each channel (Lin et al., CVPR 2024, arXiv 2404.05657, section 3).
        """
        if self.count == 0:
            raise ValueError("no token has been added: the clips hold no audio")
        deviation_D = (self._squares_D / self.count).sqrt()
        return float((deviation_D + FLOOR).log().sum()) + len(deviation_D) * (0.5 * log(2 * pi) + 0.5)


def divergence(full_BV: Tensor, reduced_BV: Tensor) -> Tensor:
    """(B,) Kullback-Leibler divergence, in nats, of the distributions that the logits stand for."""
    full_BV, reduced_BV = (logits.double().log_softmax(-1) for logits in (full_BV, reduced_BV))
    return (full_BV.exp() * (full_BV - reduced_BV)).sum(-1)


def evenness(weight_BT: Tensor, counted_BT: Tensor) -> Tensor:
    """(B,) entropy of each row's weights where `counted_BT`, as a share of that of equal weights; 1 for single ones."""
    weight_BT = weight_BT.double().masked_fill(~counted_BT, 0)
    share_BT = weight_BT / weight_BT.sum(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    entropy_B = -torch.xlogy(share_BT, share_BT).sum(1)
    most_B = counted_BT.sum(1).double().log()
    return torch.where(most_B > 0, entropy_B / most_B.clamp_min(FLOOR), 1.0)
