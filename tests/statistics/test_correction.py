"""Corrections for many comparisons against statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from fastadasp.statistics.correction import Correction, corrected

CASES = (
    [0.01, 0.04, 0.03, 0.005],
    [0.2, 0.9, 0.5],
    [0.001],
    [1.0, 1.0],
    [0.02, 0.02, 0.02],
    list(np.random.default_rng(0).beta(0.5, 2, 20)),
)


@pytest.mark.parametrize("values", CASES)
@pytest.mark.parametrize(("kind", "name"), [(Correction.holm, "holm"), (Correction.bh, "fdr_bh")])
def test_corrections_are_those_of_statsmodels(values: list[float], kind: Correction, name: str) -> None:
    assert corrected(values, kind) == pytest.approx(multipletests(values, method=name)[1].tolist())


def test_nothing_is_corrected_where_nothing_is_compared() -> None:
    assert [corrected([], kind) for kind in Correction] == [[], [], []]
    assert corrected([0.3, 0.1], Correction.none) == [0.3, 0.1]
