"""Test finished runs against each other, clip by clip: `fastadasp compare FIRST SECOND [MORE ...]`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fastadasp.config.messages import readable_errors


def main(arguments: Sequence[str]) -> None:
    """Compare each run with the first one."""
    with readable_errors():
        compare(arguments)


def compare(arguments: Sequence[str]) -> None:
    """The command without the wording of its errors."""
    given = _parser().parse_args(arguments)
    from fastadasp.comparing.clips import sounds
    from fastadasp.comparing.page import page
    from fastadasp.comparing.pairs import Settings, read_runs
    from fastadasp.comparing.pairs import compare as compared
    from fastadasp.comparing.written import as_csv, as_json, markdown, text
    from fastadasp.errors import ConfigError
    from fastadasp.statistics.correction import Correction
    from fastadasp.statistics.resampling import check_resamples

    check_resamples(given.resamples)
    if given.clips < 0:
        raise ConfigError(f"--clips {given.clips}: it must be a number of clips, 0 for none")
    settings = Settings(
        metric=given.metric,
        margin=given.margin,
        correction=Correction[given.correction],
        resamples=given.resamples,
        seed=given.seed,
        cluster=given.cluster,
        all_pairs=given.all_pairs,
        differ=tuple(given.differ),
    )
    runs = read_runs(given.folders, given.trust)
    found = compared(runs, settings)
    written = {"json": as_json, "csv": as_csv, "markdown": markdown}
    print(written[given.form](found) if given.form else text(found, given.clips))
    if given.html is not None:
        most = max(given.clips, 1)
        listed = [clip.id for one in found.comparisons for clip in (*one.broken[:most], *one.mended[:most])]
        given.html.parent.mkdir(parents=True, exist_ok=True)
        content = page(found, sounds(runs[0], listed), given.html.parent, most, given.embed)
        given.html.write_text(content, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastadasp compare",
        description="Test finished runs of one task against the first one of them, on the same clips: difference, p, "
        "margin, the smallest difference that could be found, clips that broke and clips that were mended.",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of runs, the one to compare with first")
    parser.add_argument(
        "--metric", help="the score (default: the task's objective); such as chrf, macro_f1 or judge:NAME"
    )
    parser.add_argument(
        "--margin", type=float, default=0.5, help="points by which a run may be worse and still be no worse (0.5)"
    )
    parser.add_argument("--correction", choices=("holm", "bh", "none"), default="holm", help="of p values in a table")
    parser.add_argument("--cluster", help="field of the manifest whose clips belong together; clips: none do")
    parser.add_argument("--all-pairs", action="store_true", help="compare each run with each other one")
    parser.add_argument(
        "--differ",
        metavar="KEY",
        action="append",
        default=[],
        help="setting in which the runs may differ, such as model",
    )
    parser.add_argument("--resamples", type=int, default=10_000, help="of intervals and permutations (10000)")
    parser.add_argument("--seed", type=int, default=0, help="of both (0)")
    parser.add_argument("--clips", type=int, default=5, help="broken and mended clips to list of each comparison (5)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write these clips as a page with players")
    parser.add_argument("--embed", action="store_true", help="put the audio into the page instead of referring to it")
    form = parser.add_mutually_exclusive_group()
    for name in ("json", "csv", "markdown"):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=f"print {name.upper()}")
    parser.add_argument(
        "--trust", metavar="MODULE", action="append", default=[], help="module of your own whose tasks may be used"
    )
    return parser
