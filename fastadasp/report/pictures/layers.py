"""Pictures over decoder layers: tokens and cache left, scores by layer and ratio, transfer entropy."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastadasp.errors import InputError
from fastadasp.files.json_text import JsonError, read_json
from fastadasp.files.records import record
from fastadasp.files.text import short
from fastadasp.report.blocks import Block, Column
from fastadasp.report.layouts.entries import heading
from fastadasp.report.pictures.charts import Chart, HeatMap, Line
from fastadasp.report.pictures.style import looks, plain_looks
from fastadasp.report.tables import Cell

UNITS = {
    "transfer_entropy": "transfer entropy, nats",
    "output_kl": "divergence of the first answer token, nats",
    "attention_entropy": "evenness of attention",
}
"""What the layer choices of `fastadasp select` are made by."""


def tokens_per_layer(block: Block, column: Column) -> Chart:
    """Prompt tokens that enter each layer, under every method at one amount."""
    return _over_layers(block, column, "tokens", "prompt tokens entering the layer", float)


def cache_per_layer(block: Block, column: Column) -> Chart:
    """KiB of the prompt's cache in each layer, under every method at one amount."""
    return _over_layers(block, column, "kv_bytes", "cache of the prompt, KiB", lambda size: size / 1024)


def _over_layers(block: Block, column: Column, key: str, label: str, unit: Callable[[float], float]) -> Chart:
    families = {name: block.table.families.get(name, "unknown") for name in block.rows}
    look = looks(families)
    chosen = set(list(block.rows)[:1]) | {
        name for name in block.rows if (cell := block.at(name, column)) is not None and cell in block.best(column)
    }
    lines = []
    for name in block.rows:
        cell = block.at(name, column)
        values = _values(cell, key)
        if cell is None or not values:
            continue
        heights = [unit(value) for value in values]
        told = [f"layer {layer}: {height:.1f}" for layer, height in enumerate(heights)]
        layers = list(map(float, range(len(heights))))
        lines.append(Line(name, families[name], look[name], layers, heights, told, chosen=name in chosen))
    full = _values(block.table.full, key)
    level = ("full tokens", unit(full[0])) if full else None
    title = f"{block.table.task}: {label} at {heading(column)}{block.apart}"
    return Chart(title, "decoder layer", label, lines, level, note="Means over the answered prompts.")


def _values(cell: Cell | None, key: str) -> list[float]:
    layers: Sequence[Mapping[str, float]] = [] if cell is None else cell.facts.get("layers") or []
    return [float(layer[key]) for layer in layers if key in layer]


def heat_maps(block: Block) -> list[HeatMap]:
    """Scores by the layer where the reduction begins and the amount: one for each method with several of both."""
    table = block.table
    groups: dict[str, dict[tuple[int, Column], Cell]] = {}
    for name, cells in block.rows.items():
        for cell in cells:
            settings = cell.facts.get("settings") or {}
            layer = settings.get("layer")
            if type(layer) is int and cell.amount is not None:
                method = " ".join(word for word in name.split(" ") if not word.startswith("layer="))
                groups.setdefault(method, {})[layer, cell.amount] = cell
    found = []
    for method, by_place in groups.items():
        layers, amounts = sorted({layer for layer, _ in by_place}), sorted({amount for _, amount in by_place})
        if min(len(layers), len(amounts)) < 2:
            continue
        scores: list[list[float | None]] = [
            [
                table.scale * by_place[layer, amount].score.value if (layer, amount) in by_place else None
                for amount in amounts
            ]
            for layer in layers
        ]
        found.append(
            HeatMap(
                f"{table.task}: {table.title} of {method} by layer and amount", f"amount ({amounts[0][0]})",
                "first layer that reduces", [heading(amount) for amount in amounts], [str(layer) for layer in layers],
                scores, table.title, table.higher_is_better, note=f"Amounts as they were asked for; {block.unit}.",
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class _Layer:
    layer: int
    value: float
    saved: float
    ratio: float


@dataclass(frozen=True)
class _Choice:
    """What is read of a `selection.json`."""

    chosen: _Layer
    criterion: str
    clips: int
    layers: tuple[_Layer, ...]
    about: str = ""


def find_selections(roots: Sequence[Path]) -> dict[str, Any]:
    """The layer choices in and under the folders, by folder; InputError for a file that none has written."""
    found = {}
    for file in sorted({file for root in roots for file in root.rglob("selection.json")}):
        try:
            found[file.parent.name] = record(_Choice, read_json(file), others=True)
        except JsonError as error:
            raise InputError(f"{short(file)} is not what `fastadasp select` writes: {error}") from error
    return found


def entropy_curves(selections: Mapping[str, Any]) -> list[Chart]:
    """What the layers are worth, by criterion: one line for each choice, its chosen layer told."""
    charts = []
    for criterion in dict.fromkeys(choice.criterion for choice in selections.values()):
        alike = {folder: choice for folder, choice in selections.items() if choice.criterion == criterion}
        told = [choice.about for choice in alike.values()]
        members = {
            choice.about
            if told.count(choice.about) == 1 and choice.about
            else f"{choice.about} {folder}".strip(): choice
            for folder, choice in alike.items()
        }
        look = plain_looks(list(members))
        lines = [
            Line(
                f"{name} (chosen: layer {choice.chosen.layer})", "unknown", look[name],
                [float(one.layer) for one in choice.layers], [one.value for one in choice.layers],
                [f"ratio {one.ratio:.3f}, FLOPs saved {one.saved:.1%}" for one in choice.layers], chosen=True,
            )
            for name, choice in members.items()
        ]  # fmt: skip
        unit = UNITS.get(criterion, json.dumps(criterion))
        clips = ", ".join(sorted({f"{choice.clips} clips" for choice in members.values()}))
        note = f"On {clips} of calibration; the lowest layer that saves enough is chosen."
        charts.append(
            Chart(f"Layer choice by {unit.split(',')[0]}", "first layer that reduces", unit, lines, note=note)
        )
    return charts
