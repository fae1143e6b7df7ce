"""p values of many comparisons, corrected for their number."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

Correction = Enum("Correction", ["holm", "bh", "none"])
"""`holm`: the probability of any false finding in the table is kept (Holm, 1979); `bh`: the share of false ones among
the findings (Benjamini and Hochberg, 1995); `none`: each comparison for itself."""


def corrected(values: Sequence[float], kind: Correction) -> list[float]:
    """The p values, in their order, that may be compared with 0.05 each."""
    return _METHODS[kind](values)


def _holm(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda index: values[index])
    found, largest = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        found[index] = largest
    return found


def _benjamini_hochberg(values: Sequence[float]) -> list[float]:
    from scipy.stats import false_discovery_control

    return [float(value) for value in false_discovery_control(values)] if values else []


_METHODS: Mapping[Correction, Callable[[Sequence[float]], list[float]]] = {
    Correction.holm: _holm,
    Correction.bh: _benjamini_hochberg,
    Correction.none: list,
}
