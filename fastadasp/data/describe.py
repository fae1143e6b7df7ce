"""What a manifest holds, in a few lines: hours, speakers, classes, lengths."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from fastadasp.data.manifest import Record
from fastadasp.files.text import short

BOUNDS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3600)
"""Upper bounds of the histogram's classes, in seconds."""
MAX_CLASSES = 30
"""A field with more values than this is no class."""
CLASS_FIELDS = (
    "label",
    "answer",
    "language",
    "target",
    "gender",
    "intensity",
    "level",
    "sentiment",
    "kind",
    "task_name",
)
"""Fields whose values are counted one by one."""


def described(records: Sequence[Record]) -> str:
    """Counts and lengths of all examples, as text for a terminal."""
    lengths = sorted(record.seconds for record in records)
    lines = [
        f"examples   {len(records)}",
        f"hours      {sum(lengths) / 3600:.2f}",
        f"seconds    shortest {lengths[0]:.2f}, median {lengths[len(lengths) // 2]:.2f}, longest {lengths[-1]:.2f}",
    ]
    if unknown := sum(length == 0 for length in lengths):
        lines.append(f"           {unknown} of unknown length: their files cannot be read")
    for field in ("speaker", "document", "talk", "dialogue"):
        values = {str(record.fields[field]) for record in records if field in record.fields}
        lines += [f"{field + 's':<10} {len(values)}"] if values else []
    lines.append(f"fields     {', '.join(sorted({short(name, 40) for record in records for name in record.fields}))}")
    for field in CLASS_FIELDS:
        counts = Counter(str(record.fields[field]) for record in records if field in record.fields)
        if 0 < len(counts) <= MAX_CLASSES:
            listed = ", ".join(f"{short(value, 40)} {count}" for value, count in counts.most_common())
            lines.append(f"{field:<10} {listed}")
    return "\n".join([*lines, *_histogram(lengths)])


def _histogram(lengths: Sequence[float]) -> list[str]:
    """A bar for each class of lengths that occurs."""
    bounds = (0.0, *BOUNDS_S, float("inf"))
    counts = {pair: sum(pair[0] < length <= pair[1] for length in lengths) for pair in pairwise(bounds)}
    most = max(counts.values(), default=0) or 1
    rows = []
    for (low, high), count in counts.items():
        if count:
            stretch = f"above {low:g} s" if high == float("inf") else f"{low:g} to {high:g} s"
            rows.append(f"{stretch:>14}  {count:>7}  {'#' * max(1, round(40 * count / most))}")
    return rows
