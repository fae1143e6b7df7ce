"""Comparisons as text for a terminal, Markdown, CSV and JSON."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from math import isfinite
from typing import Any

from fastadasp.comparing.clips import Clip
from fastadasp.comparing.pairs import Compared, Comparison
from fastadasp.files.text import short
from fastadasp.report.plain import code, escaped
from fastadasp.statistics.intervals import Interval

_LONGEST = 200
"""Characters of an answer in a list of clips."""


def text(found: Compared, listed: int) -> str:
    """For a terminal, with up to `listed` clips that broke and as many that were mended."""
    lines = [_heading(found), ""]
    width = max(map(len, found.scores))
    lines += [f"  {name:<{width}}  {_bounds(score, found.scale)}" for name, score in found.scores.items()]
    for one in found.comparisons:
        lines += ["", f"{one.second} against {one.first}: {one.verdict}", *(f"  {line}" for line in _told(one, found))]
        for title, clips in (("broken", one.broken), ("mended", one.mended)):
            lines += _listed(title, clips, listed)
    return "\n".join(lines)


def _heading(found: Compared) -> str:
    direction = "higher" if found.higher_is_better else "lower"
    drawn = "" if found.unit == "clips" else f" of {found.clusters} {found.unit}"
    return f"{found.task} by {found.model}: {found.metric} ({direction} is better), {found.clips} clips{drawn}"


def _told(one: Comparison, found: Compared) -> list[str]:
    margin = f"{found.settings.margin:g} points"
    kind = found.settings.correction.name
    many = "" if len(found.comparisons) == 1 or kind == "none" else f" ({kind}, {len(found.comparisons)} comparisons: "
    corrected = f"{many}{one.p_corrected:.2g})" if many else ""
    bounded = f"{many}{one.p_no_worse_corrected:.2g})" if many else ""
    how = "all" if one.test.exact else f"{one.test.exchanges}"
    same = found.clips - len(one.broken) - len(one.mended)
    lines = [
        f"difference        {_bounds(one.gain, found.scale, signed=True)} points",
        f"no difference     p = {one.test.p:.2g}{corrected}, by {how} exchanges of {found.unit}",
        f"no worse          by {margin}: p = {one.p_no_worse:.2g}{bounded}",
        f"equivalent        within {margin}: p = {one.p_equivalent:.2g}",
        f"could be found    {_points(one.detectable, found.scale)} points, with 80 % probability",
        f"clips             {len(one.broken)} broken, {len(one.mended)} mended, {same} as before",
    ]
    if one.test.least > 0.05 and one.gain.value:
        lines.append(
            f"note              so few {found.unit} differ that p cannot be below {one.test.least:.2g}: there is no "
            "telling from this set"
        )
    return lines


def _listed(title: str, clips: Sequence[Clip], listed: int) -> list[str]:
    lines = [f"  {title}:"] if clips and listed else []
    for clip in clips[:listed]:
        lines += [
            f"    {short(clip.id)}",
            f"      reference  {short(clip.reference, _LONGEST)}",
            f"      first      {short(clip.first, _LONGEST)}",
            f"      second     {short(clip.second, _LONGEST)}",
        ]
    if listed and len(clips) > listed:
        lines.append(f"    ... and {len(clips) - listed} more (--clips, --html)")
    return lines


def markdown(found: Compared) -> str:
    """A table with one row for each comparison."""
    margin = f"{found.settings.margin:g}"
    correction = found.settings.correction.name
    lines = [
        f"### {escaped(_heading(found), 300)}",
        "",
        f"In brackets: 95 % intervals; p: permutation of {found.unit}, corrected by {correction}; no worse: p of being "
        f"worse by {margin} points or more.",
        "",
        "| run | score | against | difference, points | p | no worse | could be found | broken | mended | verdict |",
        "|---" * 10 + "|",
    ]
    for one in found.comparisons:
        cells = [
            escaped(one.second),
            _bounds(found.scores[one.second], found.scale),
            escaped(one.first),
            _bounds(one.gain, found.scale, signed=True),
            f"{one.p_corrected:.2g}",
            f"{one.p_no_worse_corrected:.2g}",
            _points(one.detectable, found.scale),
            str(len(one.broken)),
            str(len(one.mended)),
            one.verdict,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Model {code(found.model)}."])


def described(found: Compared) -> dict[str, Any]:
    """As JSON; scores and differences in the score's own unit."""
    comparisons = [
        {
            **{key: value for key, value in asdict(replace(one, broken=(), mended=())).items() if key != "detectable"},
            "broken": [asdict(clip) for clip in one.broken],
            "mended": [asdict(clip) for clip in one.mended],
            "detectable": one.detectable if isfinite(one.detectable) else None,
            "verdict": one.verdict,
        }
        for one in found.comparisons
    ]
    told = ("comparisons", "settings")
    return {
        **{key: value for key, value in asdict(replace(found, comparisons=())).items() if key not in told},
        "settings": {**asdict(found.settings), "correction": found.settings.correction.name},
        "comparisons": comparisons,
    }


def as_json(found: Compared) -> str:
    """`described` as a text."""
    return json.dumps(described(found), indent=1, ensure_ascii=False)


def as_csv(found: Compared) -> str:
    """One line for each comparison, in points."""
    rows = [_row(one, found) for one in found.comparisons]
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _row(one: Comparison, found: Compared) -> dict[str, Any]:
    first, second = found.scores[one.first], found.scores[one.second]
    points = {
        "first_score": first.value,
        "second_score": second.value,
        "difference": one.gain.value,
        "low": one.gain.low,
        "high": one.gain.high,
        "could_be_found": one.detectable,
    }
    return {
        **{"task": found.task, "model": found.model, "metric": found.metric},
        **{"first": _plain(one.first), "second": _plain(one.second)},
        **{key: round(value * found.scale, 6) if isfinite(value) else "" for key, value in points.items()},
        **{"p": one.test.p, "p_corrected": one.p_corrected, "correction": found.settings.correction.name},
        **{"margin": found.settings.margin, "p_no_worse": one.p_no_worse, "p_equivalent": one.p_equivalent},
        **{"clips": found.clips, "clusters": found.clusters, "unit": found.unit},
        **{"broken": len(one.broken), "mended": len(one.mended), "verdict": one.verdict},
    }


def _plain(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[:1] in "=+-@" else name


def _bounds(found: Interval, scale: float, signed: bool = False) -> str:
    sign = "+" if signed else ""
    value, low, high = (f"{part * scale:{sign}.2f}" for part in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def _points(value: float, scale: float) -> str:
    return f"{value * scale:.2f}" if isfinite(value) else "unknown"
