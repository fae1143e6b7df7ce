"""Floating-point operations of a decoder's prefill, and the ratio that meets a FLOPs target.

Two counts that must not be mixed: `paper_flops` is the formula of FastV, which token-reduction papers report;
`prefill_flops` is what the matrix products of a modern decoder really cost.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.merge.base import Schedule
from fastadasp.merge.schedule import bisect, layer_ratios, overall_ratio, removed_shares

if TYPE_CHECKING:
    from fastadasp.models.base import DecoderShape


def paper_flops(tokens: Sequence[float], hidden: int, intermediate: int) -> float:
    """Sum over layers of 4nd² + 2n²d + 2ndm, n the tokens that enter each layer (Chen et al., ECCV 2024, section 4).

    It counts a multiply-accumulate once, attention as not causal, two matrices in the MLP, as many key as query heads,
    no LM head, and a reducing layer as full. `tokens` has one value per layer.
    """
    return sum(4 * n * hidden**2 + 2 * n**2 * hidden + 2 * n * hidden * intermediate for n in tokens)


def prefill_flops(tokens: Sequence[float], shape: "DecoderShape", *, causal: bool = True, logits: int = 1) -> float:
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


def solve_ratio(
    reduction: float,
    flops: Callable[[Sequence[float]], float],
    *,
    schedule: Schedule,
    layer: int,
    layers: int,
    audio: float,
    text: float = 0,
) -> float:
    """The overall `merge.ratio` with which the prefill costs `reduction` (0.3 for 30 %) less than with all tokens.

    flops: cost of a prompt from its L + 1 token counts (entering each layer, leaving the last). audio, text: the
    prompt's tokens. Raises ConfigError when even one audio token left would not save as much.
    """

    def saved(layer_ratio: float) -> float:
        gone = (0.0, *removed_shares(layer_ratios(schedule, layer_ratio, layer, layers)))
        return 1 - flops([text + audio * (1 - share) for share in gone]) / flops([text + audio] * (layers + 1))

    if not 0 <= reduction < 1:
        raise ConfigError(f"merge.flops_reduction must lie in [0, 1), got {reduction}; it is the share of FLOPs saved")
    most = saved(1 - 1 / audio) if audio > 1 else 0.0
    if reduction > most:
        raise ConfigError(
            f"merge.flops_reduction={reduction} is out of reach: {schedule.name} from layer {layer} of {layers} on "
            f"{audio:g} audio and {text:g} text tokens saves at most {most:.3f}; reduce at an earlier layer"
        )
    if reduction == 0:
        return 0.0
    return overall_ratio(layer_ratios(schedule, bisect(saved, reduction), layer, layers), layer)
