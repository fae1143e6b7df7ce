"""Floating-point operations of a decoder's prefill.

Two counts that must not be mixed: `paper_flops` is the formula of FastV, which token-reduction papers report;
`prefill_flops` is what the matrix products of a modern decoder really cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(unsafe_hash=True)  # not frozen: OmegaConf cannot fill frozen dataclasses inside others (benchmark.shapes)
class DecoderShape:
    """Dimensions of a decoder-only LLM, for FLOPs and memory. Nothing changes one once it is made."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    gated_mlp: bool


def paper_flops(tokens: Sequence[float], hidden: int, intermediate: int) -> float:
    """Sum over layers of 4nd² + 2n²d + 2ndm, n the tokens that enter each layer (Chen et al., ECCV 2024, section 4).

    It counts a multiply-accumulate once, attention as not causal, two matrices in the MLP, as many key as query heads,
    no LM head, and a reducing layer as full. `tokens` has one value per layer.
    """
    return sum(4 * n * hidden**2 + 2 * n**2 * hidden + 2 * n * hidden * intermediate for n in tokens)


def paper_prompt_flops(tokens: Sequence[float], shape: DecoderShape) -> float:
    """`paper_flops` of a prompt, from the L + 1 counts that `prefill_flops` takes too: what leaves the last layer costs
    nothing by that formula."""
    return PaperFlops(shape.hidden, shape.intermediate)(tokens)


@dataclass(frozen=True)
class PaperFlops:
    """`paper_prompt_flops` in a decoder of these dimensions. Two of equal dimensions are equal, so that what was solved
    with one of them can be looked up."""

    hidden: int
    intermediate: int

    def __call__(self, tokens: Sequence[float]) -> float:
        """Cost of a prompt, from its L + 1 token counts."""
        return paper_flops(tokens[:-1], self.hidden, self.intermediate)


def prefill_flops(tokens: Sequence[float], shape: DecoderShape, *, causal: bool = True, logits: int = 1) -> float:
    """FLOPs (two per multiply-accumulate) of all matrix products of one prompt's prefill.

    tokens: L + 1 values, entering each layer and leaving the last one: a layer attends to all that enter it, and its
    MLP sees what is left. causal: whether the kernel skips the masked half of the scores. logits: positions that the
    LM head computes (all of the prompt's in models that know no `logits_to_keep`).
    """
    query, key_value = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    projections = 4 * shape.hidden * (query + key_value)
    mlp = (6 if shape.gated_mlp else 4) * shape.hidden * shape.intermediate
    total = 2.0 * logits * shape.hidden * shape.vocab
    for entering, leaving in pairwise(tokens):
        pairs = entering * (entering + 1) / 2 if causal else entering**2
        total += entering * projections + 4 * pairs * query + leaving * mlp
    return total


def column_sum_flops(columns: int, after: int, shape: DecoderShape) -> float:
    """FLOPs that the column sums of a layer's attention add where its log-sum-exp is known: one causal product.

    columns: adjacent tokens whose sums are taken, after: tokens that follow them. A pass of flash attention is two such
    products over all tokens. Without the log-sum-exp it takes a second product, which sees the earlier keys too.
    """
    return 2 * (columns * (columns + 1) / 2 + columns * after) * shape.heads * shape.head_dim
