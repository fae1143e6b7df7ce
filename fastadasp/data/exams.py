"""What benchmarks of multiple-choice questions have in common: records with a question, choices and the right one."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from fastadasp.data.rows import Bad, CorpusError, LeftOut, Row
from fastadasp.data.sources import Source
from fastadasp.files.json_text import JsonError, parse, read_json
from fastadasp.files.text import read_lines, short, shown

_CHOICE = re.compile(r"choice_[a-z]")
_ANSWERS = ("answer", "answer_gt")
_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")


def records(file: Path) -> list[Any]:
    """The records of a JSON file, which holds a list or an object with a list `tasks`, or of a JSON Lines file.

    Raises CorpusError for another content, FileError for a file that cannot be read.
    """
    if file.suffix == ".jsonl":
        found = []
        for number, line in read_lines(file):
            if line.strip():
                try:
                    found.append(parse(line, strict=True))
                except JsonError as error:
                    raise CorpusError(f"{short(file)}, line {number}: {error}") from error
        return found
    begins = next((line.strip() for _, line in read_lines(file) if line.strip()), "")
    content: Any = read_json(file, list if begins.startswith("[") else dict)
    listed = content.get("tasks") if isinstance(content, Mapping) else content
    if not isinstance(listed, list):
        raise CorpusError(f"{short(file)} must hold a list of questions, or an object with a list `tasks`")
    return listed


def asked(where: str, raw: Any, id: str, audio: Source, document: str) -> Row | LeftOut | Bad:
    """The example that a record stands for.

    raw: with `question`; choices as a list or mapping `choices` or `options`, or as `choice_a`, `choice_b`, ...; and
    the right one, by its text or its letter, as `answer` or `answer_gt`. Other fields are kept. document: what several
    questions are about, such as one recording. A question without a published answer, or whose answer is none of its
    choices, is left out.
    """
    if not isinstance(raw, Mapping) or not isinstance(raw.get("question"), str):
        return Bad(where, f"must be an object with a question, got {shown(raw)}")
    choices = _choices(raw)
    if len(choices) < 2:
        return Bad(where, f"must have at least two choices, got {shown(choices)}")
    given = next((raw[key] for key in _ANSWERS if raw.get(key) not in (None, "")), None)
    if given is None:
        return LeftOut("no answer published")
    answer = _right(str(given), choices)
    if answer is None:
        return LeftOut("answer is none of the choices")
    others = {
        key: value
        for key, value in raw.items()
        if key not in ("choices", "options", *_ANSWERS) and not _CHOICE.fullmatch(key) and value is not None
    }
    return Row(id, audio, {"document": document, **others, "choices": choices, "answer": answer})


def _choices(raw: Mapping[str, Any]) -> list[str]:
    given = raw.get("choices", raw.get("options"))
    if isinstance(given, Mapping):
        given = list(given.values())
    if not isinstance(given, Sequence) or isinstance(given, str):
        given = [raw.get(f"choice_{letter}") for letter in ascii_lowercase]
    return [str(one).strip() for one in given if one is not None and str(one).strip()]


def _right(given: str, choices: Sequence[str]) -> str | None:
    """The choice that an answer means by its text, without regard to case and marks, or by its letter; None: none.

    The choice's own text, or its letter where several choices have that text.
    """
    for form in (str.strip, _bare):
        same = [number for number, choice in enumerate(choices) if form(choice) == form(given)]
        if len(same) == 1 or (same and form is str.strip):
            return _told(same[0], choices)
    match = _LETTER.fullmatch(given.strip())
    number = ascii_uppercase.index(match[1].upper()) if match else len(choices)
    return _told(number, choices) if number < len(choices) else None


def _told(number: int, choices: Sequence[str]) -> str:
    alone = [_bare(choice) for choice in choices].count(_bare(choices[number])) == 1
    return choices[number] if alone else ascii_uppercase[number]


def _bare(text: str) -> str:
    """A text without letter of its own (`(A) Man`), case and marks."""
    return re.sub(r"\W+", " ", re.sub(r"^\s*\(?[A-Za-z][).:]\s+", "", text)).strip().casefold()
