"""Which clips are drawn together."""

import numpy as np
import pytest

from fastadasp.errors import ConfigError
from fastadasp.statistics.clusters import Clusters, Grouping


def metas(**fields: list[object]) -> list[dict[str, object]]:
    return [dict(zip(fields, values, strict=True)) for values in zip(*fields.values(), strict=True)]


def found_in(clips: list[dict[str, object]], asked: str) -> Clusters:
    grouping = Grouping(asked)
    for clip in clips:
        grouping.add(clip)
    return grouping.clusters()


@pytest.mark.parametrize(
    ("fields", "asked", "field", "count"),
    [
        ({"speaker": ["a", "b", "a"], "talk": [1, 1, 2]}, "auto", "speaker", 2),
        ({"talk": [1, 1, 2]}, "auto", "talk", 2),
        ({"speaker": ["a", "", "a"], "talk": [1, 1, 2]}, "auto", "talk", 2),
        ({"speaker": ["a", "a", "a"], "talk": [1, 1, 2]}, "auto", "talk", 2),
        ({"speaker": ["a", "a", "a"]}, "auto", None, 3),
        ({"text": ["x", "y", "z"]}, "auto", None, 3),
        ({"speaker": ["a", "b", "a"]}, "clips", None, 3),
        ({"speaker": ["a", "b", "a"], "voice": [7, 7, 8]}, "voice", "voice", 2),
        ({"speaker": [["a", "b"], ["b", "c"], ["a", "b"]]}, "auto", "speaker", 2),
        ({"speaker": ["a", None, "a"]}, "auto", None, 3),
    ],
)
def test_fields_of_the_manifest_make_clusters(
    fields: dict[str, list[object]], asked: str, field: str | None, count: int
) -> None:
    found = found_in(metas(**fields), asked)
    assert (found.field, found.count) == (field, count)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("voice", "by 'voice': clip 2 of 3 has no value"),
        ("engine", "by 'engine': all have the same value"),
        ("nothing", "by 'nothing': clip 1 of 3 has no value in this field. Name a field .* 'auto' .* or 'clips'"),
    ],
)
def test_a_field_that_makes_no_clusters_is_refused(asked: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        found_in(metas(voice=["a", "", "b"], engine=["e", "e", "e"]), asked)


def test_counts_are_summed_by_cluster() -> None:
    counts_NK = np.arange(12.0).reshape(6, 2)
    clusters = Clusters.by(["x", "y", "x", "z", "y", "x"], "speaker")
    expected = [counts_NK[[0, 2, 5]].sum(0), counts_NK[[1, 4]].sum(0), counts_NK[[3]].sum(0)]
    assert clusters.sums(counts_NK).tolist() == np.array(expected).tolist()
    assert clusters.unit == "speakers"
