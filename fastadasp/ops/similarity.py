"""Similarity of tokens. B rows, N and M columns, G key-value heads of d channels, D channels."""

from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize, pad


def cosine(x_BND: Tensor, y_BMD: Tensor) -> Tensor:
    """(B, N, M) float32 cosine of every x with every y; 0 where one of them is zero."""
    return normalize(x_BND.float(), dim=-1) @ normalize(y_BMD.float(), dim=-1).transpose(1, 2)


def adjacent_cosine(x_BND: Tensor) -> Tensor:
    """(B, N) float32 cosine of token t and t + 1; the last column, which has no neighbour, is -1."""
    x_BND = x_BND.float()
    return pad(cosine_similarity(x_BND[:, :-1], x_BND[:, 1:], dim=-1, eps=1e-8), (0, 1), value=-1.0)


def adjacent_key_cosine(keys_BGNd: Tensor) -> Tensor:
    """`adjacent_cosine` of attention keys, all heads concatenated (FastAdaSP's measure, keys after the rotation)."""
    return adjacent_cosine(keys_BGNd.transpose(1, 2).flatten(2))
