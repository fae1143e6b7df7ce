"""Join the logs of a run's starts into one curve: `python -m experiments.tiny.curves DIR/run OUT` (CSV and PNG)."""

import argparse
import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLUMNS = ("minutes", "step", "answers", "read", "ctc", "tokens_per_s")


def read_curve(run: Path) -> list[dict[str, float]]:
    """Logged rows in order of training time; where a start repeats minutes that a crash had lost, the repeat counts."""
    rows: list[dict[str, float]] = []
    starts = sorted((run / "log").glob("version_*/metrics.csv"), key=lambda path: int(path.parent.name.split("_")[1]))
    for path in starts:
        with path.open(encoding="utf-8") as file:
            new = [{key: float(row.get(key) or "nan") for key in COLUMNS} for row in csv.DictReader(file)]
        rows = [row for row in rows if not new or row["minutes"] < new[0]["minutes"]] + new
    return rows


def main() -> None:
    """Write `curve.csv` and `curve.png` of a run."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    rows = read_curve(args.run)
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "curve.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({key: f"{value:.5g}" for key, value in row.items()} for row in rows)
    figure, axes = plt.subplots(figsize=(7, 4))
    for key, label in (
        ("answers", "answers (nats a token)"),
        ("read", "text before them (nats a token)"),
        ("ctc", "CTC after layer 6 (nats a token)"),
    ):
        axes.plot([row["minutes"] for row in rows], [row[key] for row in rows], label=label)
    axes.set(xlabel="training time in minutes", ylabel="loss", ylim=(0, 8))
    axes.legend()
    figure.savefig(args.out / "curve.png", dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main()
