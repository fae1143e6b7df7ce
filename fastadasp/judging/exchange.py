"""Files for judges: answers go out as JSON Lines, and come back with a score on each line."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastadasp.errors import ConfigError, InputError
from fastadasp.evaluation.store import RunStore
from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.records import record
from fastadasp.files.text import FileError, read_lines, short, shown
from fastadasp.report.plain import file_name
from fastadasp.report.runs import Run
from fastadasp.tasks.base import Prediction

FORM = (
    "Question: {question}\nRight answer: {references}\nGiven answer: {answer}\n"
    "Is the given answer right? Reply with a number from 0 (wrong) to 1 (right)."
)
"""What a judge is asked, where nothing else is given."""
FOLDER = "judgements"
"""Folder in a run's folder with one file for each judge."""
MOST_REPORTED = 20


class JudgementError(InputError):
    """A file of judgements that does not belong to a run, or holds no scores; the message lists every bad line."""


@dataclass(frozen=True)
class Judgement:
    """What a judge said of one answer."""

    id: str
    score: float
    """From 0 to 1."""
    comment: str = ""


def exported(run: Run, form: str = FORM) -> Iterator[dict[str, Any]]:
    """One object for each answer: id, question, right answers, the answer, and the text to show a judge.

    form: may hold {question}, {references}, {answer} and fields of the manifest's line. Raises ConfigError where a
    line lacks one of them.
    """
    for prediction in run.predictions:
        question = str(prediction.meta.get("question", getattr(run.task, "instruction", "")))
        references = prediction.meta.get("references", [prediction.reference])
        told = "; ".join(map(str, references)) if isinstance(references, Sequence) else str(references)
        given = {**prediction.meta, "question": question, "references": told, "answer": prediction.answer}
        try:
            prompt = form.format_map(given)
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise ConfigError(
                f"--form {form!r} cannot be filled ({error}) for answer {shown(prediction.id)}; it may use "
                f"{', '.join(f'{{{name}}}' for name in given)}"
            ) from error
        yield {
            "id": prediction.id,
            "question": question,
            "references": references,
            "answer": prediction.answer,
            "prompt": prompt,
            "score": None,
        }


def write_lines(lines: Iterable[Mapping[str, Any]], file: Path) -> int:
    """Write JSON Lines; returns how many."""
    count = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_judgements(file: Path, run: Run, lowest: float = 0.0, highest: float = 1.0) -> list[Judgement]:
    """The judgements in `file`, one for each answer of the run and in their order, as scores from 0 to 1.

    Each line needs `id` and `score` (a number from `lowest` to `highest`, or true and false); where it has `answer`,
    as exported lines do, that must be the run's own. Raises JudgementError with every bad line.
    """
    if not lowest < highest:
        raise ConfigError(f"--lowest {lowest} must be below --highest {highest}")
    answers = {prediction.id: prediction for prediction in run.predictions}
    found: dict[str, Judgement] = {}
    problems = []
    for number, line in read_lines(file):
        if not line.strip():
            continue
        try:
            judgement = _judgement(parse(line), answers, lowest, highest)
        except JsonError as error:
            problems.append(f"line {number}: {error}")
            continue
        if judgement.id in found:
            problems.append(f"line {number}: {shown(judgement.id)} is judged a second time")
        found[judgement.id] = judgement
    missing = [id for id in answers if id not in found]
    if missing and not problems:
        problems.append(f"{len(missing)} of {len(answers)} answers are not judged, the first is {shown(missing[0])}")
    if problems:
        listed = [f"  {short(problem, 300)}" for problem in problems[:MOST_REPORTED]]
        more = [f"  ... and {len(problems) - MOST_REPORTED} more"] if len(problems) > MOST_REPORTED else []
        head = f"{short(file)} holds no judgements of {short(run.folder)}:"
        raise JudgementError("\n".join([head, *listed, *more]))
    return [found[id] for id in answers]


def _judgement(raw: Any, answers: Mapping[str, Prediction], lowest: float, highest: float) -> Judgement:
    """One line; JsonError says what is wrong with it."""
    if not isinstance(raw, dict):
        raise JsonError(f"must be an object with id and score, got {shown(raw)}")
    identity, score = raw.get("id"), raw.get("score")
    if not isinstance(identity, str) or identity not in answers:
        raise JsonError(f"the run has no answer {shown(identity)}")
    if isinstance(score, bool):
        score = highest if score else lowest
    if not isinstance(score, int | float) or not lowest <= score <= highest:
        raise JsonError(f"score must be a number from {lowest:g} to {highest:g}, or true or false; got {shown(score)}")
    if "answer" in raw and raw["answer"] != answers[identity].answer:
        raise JsonError(
            f"another answer was judged: {shown(raw['answer'])}, the run's is {shown(answers[identity].answer)}"
        )
    return Judgement(str(identity), (score - lowest) / (highest - lowest), str(raw.get("comment", "")))


def keep(run: Run, judge: str, judgements: Sequence[Judgement]) -> Path:
    """Store the judgements in the run's folder under the judge's name."""
    place = _place(run, judge)
    write_lines(map(asdict, judgements), place)
    return place


def kept(run: Run, judge: str) -> list[Judgement]:
    """What `keep` has stored, in the order of the run's answers; InputError where there is nothing, or not all."""
    place = _place(run, judge)
    if not place.is_file():
        raise InputError(
            f"{short(run.folder)} holds no judgements by {shown(judge)}: fastadasp judge import RUN FILE --judge NAME "
            "brings them"
        )
    try:
        found = {one.id: one for _, line in read_lines(place) if (one := record(Judgement, parse(line)))}
    except JsonError as error:
        raise FileError(f"{short(place)} is damaged ({error}); import the judgements again") from error
    ids = [prediction.id for prediction in run.predictions]
    if missing := [id for id in ids if id not in found]:
        raise InputError(f"{short(place)} lacks {len(missing)} answers of the run, the first is {shown(missing[0])}")
    return [found[id] for id in ids]


def _place(run: Run, judge: str) -> Path:
    return RunStore(run.folder).folder / FOLDER / f"{file_name(judge)}.jsonl"
