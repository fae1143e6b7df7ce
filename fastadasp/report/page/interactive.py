"""Pictures for the page, as what plotly.js takes."""

import html
import math
from collections.abc import Sequence
from typing import Any

from fastadasp.report.families import FAMILIES
from fastadasp.report.pictures.charts import Bars, Chart, HeatMap, Line, spread
from fastadasp.report.pictures.style import OTHER_HUES

HEIGHT = 480
"""Pixels of a chart."""
MARGIN = {"l": 64, "r": 20, "t": 34, "b": 52}
LABEL = 13
"""Pixels of a label's letters, which are about 0.6 times as wide on average."""
ARROW = 40
"""Pixels between the axes and the labels."""
LONGEST_LABEL = 34
"""Letters of a label; the whole name is told where a pointer rests on it."""
MUTED = 0.3


def figure(picture: Chart | HeatMap | Bars) -> dict[str, Any]:
    """`data` and `layout` for `Plotly.newPlot`, and `ends`: labels that the page shortens where it is narrow."""
    if isinstance(picture, Chart):
        return _chart(picture)
    return _heat_map(picture) if isinstance(picture, HeatMap) else _bars(picture)


def _chart(chart: Chart) -> dict[str, Any]:
    low, high = _range(chart)
    left, right = _sides(chart)
    strong = [line for line in chart.lines if line.chosen and line.x]
    data: list[dict[str, Any]] = []
    if chart.front[0]:
        data.append(
            {"x": list(chart.front[0]), "y": list(chart.front[1]), "mode": "lines", "hoverinfo": "skip",
             "line": {"color": "rgba(128,128,128,0.35)", "width": 12}, "showlegend": False}
        )  # fmt: skip
    data += [_band(line) for line in strong if line.low]
    data += [_line(line, chart.joined) for line in sorted(chart.lines, key=lambda line: line.chosen)]
    data += [_crosses(line) for line in chart.lines if any(line.crossed)]
    data += [_legend(family, line) for family, line in _first(chart.lines).items()]
    shapes = []
    if chart.level is not None:
        shapes.append(
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": chart.level[1], "y1": chart.level[1],
             "line": {"dash": "dot", "width": 1.5, "color": "#808080"}}
        )  # fmt: skip
    axis = {"range": [low, high], "title": {"text": html.escape(chart.y_label)}, "automargin": True}
    if chart.logarithmic:
        ticks = [step * 10**power for power in range(math.floor(low), math.ceil(high)) for step in (1, 2, 5)]
        axis |= {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
    notes = _labels(chart, (low, high), right)
    widest = max((len(note["text"]) for note in notes), default=0)
    margin = {**MARGIN, "r": MARGIN["r"] + (ARROW + math.ceil(0.6 * LABEL * widest) if notes else 0)}
    layout = {
        "height": HEIGHT, "margin": margin, "hovermode": "closest", "shapes": shapes,
        "xaxis": {"title": {"text": html.escape(chart.x_label)}, "range": [left, right], "zeroline": False},
        "yaxis": {**axis, "zeroline": False},
        "legend": {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0},
        "annotations": notes,
    }  # fmt: skip
    return {"data": data, "layout": layout}


def _range(chart: Chart) -> tuple[float, float]:
    """Of the vertical axis, in logarithms to base 10 where that is logarithmic."""
    values = chart.heights
    found = [math.log10(y) for y in values if y > 0] if chart.logarithmic else list(values)
    low, high = min(found, default=0.0), max(found, default=1.0)
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def _sides(chart: Chart) -> tuple[float, float]:
    places = [x for line in chart.lines for x in line.x]
    left, right = min(places, default=0.0), max(places, default=1.0)
    room = 0.03 * (right - left) or 0.5
    return left - room, right + room


def _line(line: Line, joined: bool) -> dict[str, Any]:
    look, strong = line.look, line.chosen
    name = html.escape(line.name)
    return {
        "x": list(line.x),
        "y": list(line.y),
        "mode": "lines+markers" if joined else "markers",
        "name": name,
        "meta": {"method": line.name, "chosen": strong or not joined},
        "opacity": 1 if strong or not joined else MUTED,
        "line": {"color": look.colour, "width": 3 if strong else 1.3, "dash": look.dash},
        "marker": {
            "color": look.colour,
            "symbol": f"{look.marker}-open" if look.hollow else look.marker,
            "size": 8 if strong or not joined else 6,
        },
        "customdata": [html.escape(text).replace("; ", "<br>") for text in line.told],
        "hovertemplate": "<b>%{fullData.name}</b><br>%{customdata}<extra></extra>",
        "legendgroup": line.family,
        "showlegend": False,
    }


def _band(line: Line) -> dict[str, Any]:
    return {
        "x": [*line.x, *reversed(line.x)],
        "y": [*line.high, *reversed(line.low)],
        "fill": "toself",
        "fillcolor": _transparent(line.look.colour, 0.12),
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "legendgroup": line.family,
        "showlegend": False,
    }


def _crosses(line: Line) -> dict[str, Any]:
    points = [(x, y) for x, y, one in zip(line.x, line.y, line.crossed, strict=True) if one]
    return {
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "mode": "markers",
        "hoverinfo": "skip",
        "marker": {"symbol": "x-thin-open", "size": 10, "color": "#808080", "line": {"width": 2}},
        "legendgroup": line.family,
        "showlegend": False,
    }


def _first(lines: Sequence[Line]) -> dict[str, Line]:
    """Of each family, the first line."""
    found: dict[str, Line] = {}
    for line in lines:
        found.setdefault(line.family, line)
    if set(found) == {"unknown"}:
        return {}  # the lines belong to no family: their labels tell them apart
    return {family: found[family] for family in FAMILIES if family in found}


def _legend(family: str, line: Line) -> dict[str, Any]:
    """The family's entry in the legend; its lines come and go with it."""
    return {
        "x": [None],
        "y": [None],
        "mode": "lines",
        "name": FAMILIES[family],
        "legendgroup": family,
        "line": {"color": line.look.colour, "dash": line.look.dash, "width": 3},
    }


def _labels(chart: Chart, bounds: tuple[float, float], right: float) -> list[dict[str, Any]]:
    """Names at the ends of the chosen lines and of the level: outside of the axes, none over another."""
    scale = math.log10 if chart.logarithmic else float
    ends = [(line.name, line.x[-1], scale(line.y[-1]), line.look.colour) for line in chart.labelled]
    if chart.level is not None:
        ends.append((chart.level[0], right, scale(chart.level[1]), "#808080"))
    inner = HEIGHT - MARGIN["t"] - MARGIN["b"] - 60
    gap = (bounds[1] - bounds[0]) * LABEL * 1.35 / inner
    heights = spread([y for _, _, y, _ in ends], gap, *bounds)
    left = _sides(chart)[0]
    outside = right + 0.035 * (right - left)
    return [
        {"x": x, "y": y, "ax": outside, "ay": height, "axref": "x", "ayref": "y", "xref": "x",
         "yref": "y", "text": html.escape(_cut(name)), "hovertext": html.escape(name), "xanchor": "left",
         "showarrow": True, "arrowhead": 0,
         "arrowwidth": 1, "arrowcolor": colour, "font": {"color": colour, "size": LABEL}, "align": "left"}
        for (name, x, y, colour), height in zip(ends, heights, strict=True)
    ]  # fmt: skip


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"


def _heat_map(heat: HeatMap) -> dict[str, Any]:
    data = {
        "type": "heatmap", "x": list(heat.x), "y": list(heat.y), "z": [list(row) for row in heat.z],
        "colorscale": "Cividis", "reversescale": not heat.higher_is_better, "texttemplate": "%{z:.1f}",
        "colorbar": {"title": {"text": html.escape(heat.z_label)}},
        "hovertemplate": "layer %{y}, %{x}: %{z:.1f}<extra></extra>",
    }  # fmt: skip
    layout = {
        "height": 120 + 34 * len(heat.y), "margin": {**MARGIN, "r": 20},
        "xaxis": {"title": {"text": html.escape(heat.x_label)}, "type": "category"},
        "yaxis": {"title": {"text": html.escape(heat.y_label)}, "type": "category"},
    }  # fmt: skip
    return {"data": [data], "layout": layout}


def _bars(bars: Bars) -> dict[str, Any]:
    shapes = ("", "/", ".", "x", "-")
    data = [
        {"type": "bar", "orientation": "h", "name": html.escape(name), "x": list(lengths),
         "y": [html.escape(one) for one in bars.names],
         "marker": {"color": OTHER_HUES[number], "pattern": {"shape": shapes[number % len(shapes)]}},
         "hovertemplate": "%{y}: %{x:.3f} s<extra>%{fullData.name}</extra>"}
        for number, (name, lengths) in enumerate(bars.parts)
    ]  # fmt: skip
    layout = {
        "barmode": "stack", "height": 140 + 22 * len(bars.names), "margin": {**MARGIN, "l": 20, "r": 20},
        "xaxis": {"title": {"text": html.escape(bars.x_label)}},
        "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
    }  # fmt: skip
    return {"data": data, "layout": layout}


def _transparent(colour: str, share: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"
