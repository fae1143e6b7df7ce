"""What a run's totals say of a few predictions, which tests work out by hand."""

from collections.abc import Sequence

from fastadasp.evaluation.cost import ExactCost, Reduction, cost_of
from fastadasp.evaluation.hardware import Hardware
from fastadasp.evaluation.roofline import Limits
from fastadasp.evaluation.totals import Batches, gather
from fastadasp.reduction.flops import DecoderShape
from fastadasp.tasks.base import Prediction


def reduction(predictions: Sequence[Prediction], layer: int) -> float:
    gather(predictions, found := Reduction(layer))
    return found.share


def cache_reduction(predictions: Sequence[Prediction], layer: int) -> float:
    gather(predictions, found := Reduction(layer, in_caches=True))
    return found.share


def exact_cost(predictions: Sequence[Prediction], shape: DecoderShape, dtype: str) -> dict[str, float]:
    gather(predictions, found := ExactCost(shape, dtype))
    return found.means


def layer_cost(predictions: Sequence[Prediction], shape: DecoderShape, dtype: str) -> list[dict[str, float]]:
    gather(predictions, found := ExactCost(shape, dtype))
    return found.layers


def measured_cost(predictions: Sequence[Prediction]) -> dict[str, float]:
    gather(predictions, found := Batches())
    return cost_of(found)


def shares_of_limit(
    predictions: Sequence[Prediction], shape: DecoderShape, dtype: str, hardware: Hardware, beams: int
) -> dict[str, float]:
    gather(predictions, batches := Batches(), limits := Limits(shape, dtype, hardware, beams))
    return limits.shares(batches)
