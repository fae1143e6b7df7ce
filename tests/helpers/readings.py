"""Answers with what they mean, and how many of them the readers get wrong.

`python -m tests.helpers.readings tests/tasks/answers/choices_*.jsonl` prints the share of wrong readings of each file.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastadasp.tasks.base import Example
from fastadasp.tasks.er import ER
from fastadasp.tasks.reading.transcripts import unwrap
from fastadasp.tasks.sqa import SQA
from fastadasp.tasks.sv import SV

FOLDER = Path(__file__).parent.parent / "tasks" / "answers"


def cases(name: str) -> list[dict[str, Any]]:
    """The lines of a file of cases."""
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def read(case: Mapping[str, Any]) -> str:
    """What the project's reader makes of a case."""
    if "task" not in case:
        names = ("reference", "kind", "language")
        return unwrap(case["output"], **{name: case[name] for name in names if name in case})
    example = Example("1", (), "", "", meta={"choices": case.get("choices", ())})
    if case["task"] == "sqa":
        return SQA(Path()).parse(case["output"], example)
    kind = {"er": ER, "sv": SV}[case["task"]]
    return kind(Path(), labels=case.get("labels")).parse(case["output"], example)


def wrong(name: str) -> Iterator[tuple[str, str, str, str]]:
    """The cases of a file that are read wrongly: task, output, what it means, what was read."""
    for case in cases(name):
        found = read(case)
        if found != case["answer"]:
            yield case.get("task", "transcript"), case["output"], case["answer"], found


def main(files: Sequence[str]) -> None:
    """Print a line for each file and task, and every case that is read wrongly."""
    for file in files:
        counts: dict[str, int] = defaultdict(int)
        for case in cases(Path(file).name):
            counts[case.get("task", "transcript")] += 1
        found = list(wrong(Path(file).name))
        for task, count in sorted(counts.items()):
            errors = [case for case in found if case[0] == task]
            print(
                f"{Path(file).name:26} {task:10} {len(errors):3} of {count:3} read wrongly ({len(errors) / count:.1%})"
            )
            for _, output, meaning, answer in errors:
                print(f"    {output!r} means {meaning!r}, read as {answer!r}")


if __name__ == "__main__":
    main(sys.argv[1:] or sorted(path.name for path in FOLDER.glob("*s_*.jsonl")))
