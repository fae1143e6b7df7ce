"""Finished runs in Python: `from fastadasp import runs; found = runs.load("outputs"); found.runs` (docs/report.md)."""

from fastadasp.report.frames import Bars, Chart, HeatMap, Runs, drawn, load, merge_map

__all__ = ["Bars", "Chart", "HeatMap", "Runs", "drawn", "load", "merge_map"]
