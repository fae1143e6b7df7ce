"""Clips that belong together, such as those of one speaker: they are drawn together, since they are alike.

N clips, G clusters, K counts.
"""

from array import array
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastadasp.errors import ConfigError
from fastadasp.files.text import shown
from fastadasp.statistics.score import Floats

AUTO, CLIPS = "auto", "clips"
"""Settings beside the name of a field: the first of FIELDS that all clips have, and every clip for itself."""

FIELDS = ("speaker", "document", "talk", "dialogue", "recording", "clip")
"""Fields of manifests that name what clips of a corpus have in common; `clip`: one that is asked in several ways."""


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
    def by(cls, labels: Iterable[Hashable], field: str) -> "Clusters":
        """Clips with equal labels together."""
        numbers: dict[Hashable, int] = {}
        of_N = np.fromiter((numbers.setdefault(label, len(numbers)) for label in labels), np.int64)
        return cls(of_N, len(numbers), field)

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
            "clips" if self.field is None else f"{self.field}s" if self.field in FIELDS else f"groups by {self.field}"
        )


class Grouping:
    """Finds the clusters of clips while these are walked through: a few bytes for each of them.

    asked: a field of the clips' further fields, `clips` or `auto`.
    """

    def __init__(self, asked: str = AUTO) -> None:
        self._asked = asked
        fields = {AUTO: FIELDS, CLIPS: FIELDS[-1:]}.get(asked, (asked,))
        self._numbers: dict[str, dict[Hashable, int]] = {field: {} for field in fields}
        self._of: dict[str, array[int]] = {field: array("q") for field in fields}
        self._clips = 0
        self._lacking = 0
        """Number of the first clip that lacks the field that was asked for; 0: none."""

    def add(self, fields: Mapping[str, object]) -> None:
        """Take in the next clip's further fields."""
        self._clips += 1
        for field, numbers in list(self._numbers.items()):
            value = fields.get(field)
            if value is None or value in ("", []):
                self._lacking = self._lacking or self._clips
                del self._numbers[field]
                continue
            self._of[field].append(numbers.setdefault(_label(value), len(numbers)))

    def clusters(self) -> Clusters:
        """The clusters by the first field that all clips have and in which they differ; else each clip by itself.

        Raises ConfigError where a field that was asked for is missing in a clip, or is the same in all of them.
        """
        for field, numbers in self._numbers.items():
            if len(numbers) > 1:
                return Clusters(np.frombuffer(self._of[field], np.int64), len(numbers), field)
        if self._asked not in (AUTO, CLIPS):
            what = f"clip {self._lacking} of {self._clips} has no value" if self._lacking else "all have the same value"
            raise ConfigError(
                f"clips cannot be grouped by {shown(self._asked)}: {what} in this field. Name a field that all lines "
                f"of the manifest have, '{AUTO}' (the first of {', '.join(FIELDS)} that they have) or '{CLIPS}' "
                "(every clip by itself)"
            )
        return Clusters.each(self._clips)


def _label(value: object) -> Hashable:
    return tuple(map(str, value)) if isinstance(value, list) else str(value)
