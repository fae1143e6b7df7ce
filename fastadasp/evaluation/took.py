"""What a run took, gathered in one walk through its predictions: of a model in this process, or behind a server."""

from collections.abc import Sequence
from typing import Protocol

from fastadasp.evaluation.cost import ExactCost, Reduction, cost_of
from fastadasp.evaluation.requests import Requests
from fastadasp.evaluation.roofline import Limits
from fastadasp.evaluation.session import Session
from fastadasp.evaluation.spent import where_time_goes
from fastadasp.evaluation.totals import Batches, Total
from fastadasp.models.base import ModelAdapter
from fastadasp.reduction.method import Site


class Spent(Protocol):
    """What results say of tokens and time, once the predictions were gathered into `totals`."""

    @property
    def totals(self) -> Sequence[Total]:
        """What predictions are gathered into."""

    @property
    def exact(self) -> dict[str, float]:
        """What is equal in every repetition."""

    @property
    def layers(self) -> list[dict[str, float]]:
        """Of each decoder layer; empty where the model's inside is not seen."""

    @property
    def removed(self) -> float | None:
        """Share of the audio tokens that was removed; None where that is not known."""

    def measured(self, scoring_s: float) -> dict[str, float]:
        """Times and memory; scoring_s: seconds that scoring took."""


class Inside:
    """Of a model in this process."""

    def __init__(self, session: Session, adapter: ModelAdapter) -> None:
        setup, shape, dtype = session.setup, adapter.shape, session.placement.dtype
        self._batches, self._exact = Batches(), ExactCost(shape, dtype)
        layer = -1 if setup.method.site is Site.input else setup.method.layer
        self._removed = Reduction(layer, in_caches=setup.method.site is Site.cache)
        self._limits = Limits(shape, dtype, setup.hardware, setup.generation.num_beams)

    @property
    def totals(self) -> Sequence[Total]:
        """What predictions are gathered into."""
        return self._batches, self._exact, self._removed, self._limits

    @property
    def exact(self) -> dict[str, float]:
        """Tokens, FLOPs and cache."""
        return self._exact.means

    @property
    def layers(self) -> list[dict[str, float]]:
        """Of each decoder layer."""
        return self._exact.layers

    @property
    def removed(self) -> float | None:
        """Share of the audio tokens that was removed."""
        return self._removed.share

    def measured(self, scoring_s: float) -> dict[str, float]:
        """Latencies, rates, shares of the device's limits, and where the time went."""
        batches = self._batches
        return cost_of(batches) | self._limits.shares(batches) | where_time_goes(batches, scoring_s)


class Outside:
    """Of a model behind a server: what that tells, and how long it took to tell it."""

    def __init__(self) -> None:
        self._requests = Requests()

    @property
    def layers(self) -> list[dict[str, float]]:
        """None is seen."""
        return []

    @property
    def removed(self) -> float | None:
        """It is not known."""
        return None

    @property
    def totals(self) -> Sequence[Total]:
        """What predictions are gathered into."""
        return (self._requests,)

    @property
    def exact(self) -> dict[str, float]:
        """Tokens of prompts and answers."""
        return self._requests.exact

    def measured(self, scoring_s: float) -> dict[str, float]:
        """Latencies and rates of requests."""
        found = self._requests.measured
        return {**found, "time_scoring_s": scoring_s} if found else {}


def spent_of(session: Session) -> Spent:
    """What gathers for the model of a run."""
    adapter = session.setup.adapter
    return Inside(session, adapter) if isinstance(adapter, ModelAdapter) else Outside()
