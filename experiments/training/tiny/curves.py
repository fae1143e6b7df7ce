"""Join the logs of a run's starts: `python -m experiments.training.tiny.curves DIR/run OUT` (CSV and PNG)."""

import argparse
import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLUMNS = ("minutes", "step", "answers", "read", "ctc", "tokens_per_s")


def _starts(run: Path) -> list[Path]:
    """The logs of a run's starts, in their order."""
    return sorted((run / "log").glob("version_*/metrics.csv"), key=lambda path: int(path.parent.name.split("_")[1]))


def read_curve(run: Path) -> list[dict[str, float]]:
    """Logged rows in order of training time; where a start repeats minutes that a crash had lost, the repeat counts."""
    rows: list[dict[str, float]] = []
    for path in _starts(run):
        with path.open(encoding="utf-8") as file:
            logged = [row for row in csv.DictReader(file) if row.get("minutes")]  # other lines hold an epoch's means
        new = [{key: float(row.get(key) or "nan") for key in COLUMNS} for row in logged]
        rows = [row for row in rows if not new or row["minutes"] < new[0]["minutes"]] + new
    return rows


def read_kinds(run: Path) -> list[dict[str, str]]:
    """Each epoch's mean loss of every kind of lesson and the share of its tokens foretold; the last start counts."""
    found: dict[tuple[int, str], dict[str, str]] = {}
    for path in _starts(run):
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for kind in (
                    key.removeprefix("right_") for key, value in row.items() if key.startswith("right_") and value
                ):
                    loss, right = (f"{float(row[f'{name}_{kind}']):.3f}" for name in ("loss", "right"))
                    found[int(row["epoch"]), kind] = {"epoch": row["epoch"], "kind": kind, "loss": loss, "right": right}
    return [found[key] for key in sorted(found)]


def main() -> None:
    """Write `curve.csv`, `curve.png` and `kinds.csv` of a run."""
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
    with (args.out / "kinds.csv").open("w", encoding="utf-8", newline="") as file:
        kinds = csv.DictWriter(file, ("epoch", "kind", "loss", "right"))
        kinds.writeheader()
        kinds.writerows(read_kinds(args.run))
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
