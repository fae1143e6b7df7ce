"""Pictures of runs, each first as data (`charts.py`), then drawn for print (`printed.py`) or for a page (`page/`)."""
