"""Clips that belong together, such as those of one speaker: they are drawn together, since they are alike.

N clips, G clusters, K counts.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastadasp.errors import ConfigError
from fastadasp.statistics.score import Floats

AUTO, CLIPS = "auto", "clips"
"""Settings beside the name of a field: the first of FIELDS that all clips have, and every clip for itself."""

FIELDS = ("speaker", "document", "talk", "dialogue", "recording")
"""Fields of manifests that name what clips of a corpus have in common."""


@dataclass(frozen=True)
class Clusters:
    """Which clips are drawn together."""

    of_N: NDArray[np.int64]
    """For each clip, the number of its cluster, from 0."""
    count: int
    field: str | None = None
    """The manifest's field that names the clusters; None where every clip is drawn by itself."""

    @classmethod
    def each(cls, clips: int) -> "Clusters":
        """Every clip by itself."""
        return cls(np.arange(clips), clips)

    @classmethod
    def by(cls, labels: Sequence[Hashable], field: str) -> "Clusters":
        """Clips with equal labels together."""
        numbers: dict[Hashable, int] = {}
        of_N = np.fromiter((numbers.setdefault(label, len(numbers)) for label in labels), np.int64, len(labels))
        return cls(of_N, len(numbers), field)

    @classmethod
    def found(cls, metas: Sequence[Mapping[str, object]], asked: str = AUTO) -> "Clusters":
        """The clusters that clips with these further fields have.

        asked: a field, `clips` or `auto`. Raises ConfigError where a field that was asked for is missing in a clip, or
        is the same in all of them.
        """
        if asked == CLIPS:
            return cls.each(len(metas))
        for field in FIELDS if asked == AUTO else (asked,):
            lacking = next((number for number, meta in enumerate(metas, 1) if not _known(meta.get(field))), None)
            if lacking is None:
                clusters = cls.by([_label(meta[field]) for meta in metas], field)
                if clusters.count > 1:
                    return clusters
            if asked != AUTO:
                what = f"clip {lacking} of {len(metas)} has no {field!r}" if lacking else f"all have the same {field!r}"
                raise ConfigError(
                    f"clips cannot be grouped by {field!r}: {what}. Name a field that all lines of the manifest have, "
                    f"'{AUTO}' (the first of {', '.join(FIELDS)} that they have) or '{CLIPS}' (every clip by itself)"
                )
        return cls.each(len(metas))

    def sums(self, counts_NK: Floats) -> Floats:
        """(G, K) counts of the clusters."""
        if self.field is None:
            return counts_NK
        columns = [np.bincount(self.of_N, column_N, self.count) for column_N in counts_NK.T]
        return np.stack(columns, axis=1)

    @property
    def unit(self) -> str:
        """What is drawn, in the plural."""
        return (
            "clips" if self.field is None else f"{self.field}s" if self.field in FIELDS else f"values of {self.field}"
        )


def _known(value: object) -> bool:
    return value is not None and value != "" and value != []


def _label(value: object) -> Hashable:
    return tuple(map(str, value)) if isinstance(value, list) else str(value)
