"""Have answers judged elsewhere: `fastadasp judge export RUN --out FILE`, then `fastadasp judge import RUN FILE`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fastadasp.config.messages import readable_errors


def main(arguments: Sequence[str]) -> None:
    """Write answers for a judge, or read what the judge says of them."""
    with readable_errors():
        judge(arguments)


def judge(arguments: Sequence[str]) -> None:
    """The command without the wording of its errors."""
    given = _parser().parse_args(arguments)
    from fastadasp.comparing.pairs import read_runs
    from fastadasp.judging.exchange import FORM, exported, keep, read_judgements, write_lines
    from fastadasp.judging.scores import as_counts, judged_score
    from fastadasp.tasks.counted import Counted

    (run,) = read_runs([given.run], given.trust)
    if given.action == "export":
        count = write_lines(exported(run, FORM if given.form is None else given.form), given.out)
        print(
            f"{given.out}: {count} answers; fill in `score` of each line, then: fastadasp judge import RUN {given.out}"
        )
        return
    judgements = read_judgements(given.file, run, given.lowest, given.highest)
    place = keep(run, given.judge, judgements)
    counts = as_counts(judgements, Counted.of(run.task, run.predictions))
    found = counts.estimate(judged_score(counts), 2000).interval()
    print(f"{place}\n{len(judgements)} answers, mean score {found.value:.4f} [{found.low:.4f}, {found.high:.4f}]")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastadasp judge", description="Have the answers of a run judged elsewhere.")
    actions = parser.add_subparsers(dest="action", required=True)
    export = actions.add_parser("export", help="write answers as JSON Lines, each with a prompt for a judge")
    export.add_argument("run", type=Path, help="a run's folder")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    export.add_argument("--form", help="the judge's prompt: {question}, {references}, {answer}, fields of the manifest")
    back = actions.add_parser("import", help="read the file again, with a score on each line, into the run's folder")
    back.add_argument("run", type=Path, help="a run's folder")
    back.add_argument("file", type=Path, help="JSON Lines with id and score")
    back.add_argument("--judge", default="judge", help="the judge's name, for fastadasp compare --metric judge:NAME")
    back.add_argument("--lowest", type=float, default=0.0, help="the lowest score that the judge gives (0)")
    back.add_argument("--highest", type=float, default=1.0, help="the highest score that the judge gives (1)")
    for action in (export, back):
        action.add_argument("--trust", metavar="MODULE", action="append", default=[], help="module of your own tasks")
    return parser
