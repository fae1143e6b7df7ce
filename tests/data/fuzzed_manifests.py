"""Manifests as users break them: `python -m tests.data.fuzzed_manifests [SEED]` counts what becomes of 3,000.

Each starts as three good lines. `PLAIN` changes leave the meaning plain, so all lines must be read as if unchanged;
`DAMAGE` makes one line senseless, which must be refused by its number; after `NOISE` either may happen.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastadasp.errors import InputError
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Task
from fastadasp.tasks.er import ER
from fastadasp.tasks.sqa import SQA
from fastadasp.tasks.st import ST
from fastadasp.tasks.sv import SV
from tests.data.manifest_outcomes import audio, outcomes

COUNT, SEED = 3000, 15
OTHERS: tuple[type[Task], ...] = (ST, ER, SQA, SV)
Lines = list[dict[str, Any]]
Draw = random.Random


def good_lines(draw: Draw) -> Lines:
    """Three lines that every task but sv can read."""
    words = ["hello world", "drei Wörter über", "你好", "don't [laughs] stop", "a\u2028b", "1,000 <unk> $5", "مرحبا"]
    return [
        {
            "id": f"x{number}",
            "audio": draw.choice(["a.wav", ["a.wav"], ["a.wav", "b.wav"]]),
            "text": draw.choice(words),
            "translation": draw.choice(words),
            "label": draw.choice(["happy", "sad", "Neutral "]),
            "question": "what?",
            "choices": ["red", "blue"],
            "answer": "A",
            "seconds": draw.choice([1, 0.5, 3e1]),
        }
        for number in range(3)
    ]


def written(lines: Lines, **options: Any) -> str:
    """JSONL."""
    return "".join(json.dumps(line, **options) + "\n" for line in lines)


def _spaced(draw: Draw, lines: Lines) -> bytes:
    blank = draw.choice(["", "   ", "\t"])
    return "\n".join([blank, *(f" {json.dumps(line)} " for line in lines), blank, ""]).encode()


def _whole_number_ids(_: Draw, lines: Lines) -> bytes:
    for number, line in enumerate(lines):
        line["id"] = number
    return written(lines).encode()


def _pairs(draw: Draw, lines: Lines) -> bytes:
    line = draw.choice(lines)
    line["text"] = line["text"] + "😀"
    return written(lines).encode()  # json.dumps writes a surrogate pair


def _twice_the_same(draw: Draw, lines: Lines) -> bytes:
    text = written(lines)
    return text.replace("{", f'{{"text": {json.dumps(lines[0]["text"])}, ', 1).encode()


def _any_order(draw: Draw, lines: Lines) -> bytes:
    return written([dict(draw.sample(list(line.items()), len(line))) for line in lines], ensure_ascii=False).encode()


def _further_fields(draw: Draw, lines: Lines) -> bytes:
    odd = draw.choice(
        [None, True, -1.5e-300, 10**200, "x" * 5000, {"a": {"b": [1, {}]}}, [[[[]]]], "${oc.env:HOME}", ""]
    )
    draw.choice(lines)["note" if draw.random() < 0.8 else "_target_"] = odd
    return written(lines).encode()


PLAIN: dict[str, Callable[[Draw, Lines], bytes]] = {
    "UTF-8 with a byte order mark": lambda _, lines: b"\xef\xbb\xbf" + written(lines, ensure_ascii=False).encode(),
    "a byte order mark on each line": lambda _, lines: ("\ufeff" + written(lines).replace("\n{", "\n\ufeff{")).encode(),
    "UTF-16": lambda draw, lines: written(lines, ensure_ascii=False).encode("utf-16"),
    "UTF-16, big end first": lambda _, lines: ("\ufeff" + written(lines, ensure_ascii=False)).encode("utf-16-be"),
    "UTF-32": lambda _, lines: written(lines, ensure_ascii=False).encode("utf-32"),
    "CRLF": lambda _, lines: written(lines).replace("\n", "\r\n").encode(),
    "CR alone": lambda _, lines: written(lines).replace("\n", "\r").encode(),
    "no end of the last line": lambda _, lines: written(lines).rstrip("\n").encode(),
    "blank lines and spaces": _spaced,
    "whole numbers as ids": _whole_number_ids,
    "surrogate pairs": _pairs,
    "a key twice with one value": _twice_the_same,
    "fields in any order": _any_order,
    "further fields": _further_fields,
}

_SENSELESS: list[Any] = [
    None, True, 0, -1, float("nan"), float("inf"), -float("inf"), "", "  ", [], {}, [None], [[]], {"a": "b"}, "\ud800",
    "a\0b", [["x"] * 3] * 3, "x" * 100_000 + "\0", 10**299, 3.5,
]  # fmt: skip


def _senseless_value(draw: Draw, lines: Lines) -> tuple[bytes, int]:
    number = draw.randrange(3)
    key = draw.choice(["id", "audio", "text"])
    value = draw.choice([value for value in _SENSELESS if key != "id" or type(value) is not int])
    lines[number][key] = value
    return written(lines).encode(), number


def _missing_field(draw: Draw, lines: Lines) -> tuple[bytes, int]:
    number = draw.randrange(3)
    del lines[number][draw.choice(["id", "audio", "text"])]
    return written(lines).encode(), number


def _other_seconds(draw: Draw, lines: Lines) -> tuple[bytes, int]:
    number = draw.randrange(3)
    lines[number]["seconds"] = "SECONDS"
    odd = draw.choice(["1e999", "-1", "0", "NaN", "null", "true", '"3"', "[1]", "9" * 400, "9" * 5000, "-Infinity"])
    return written(lines).replace('"SECONDS"', odd).encode(), number


def _no_such_file(draw: Draw, lines: Lines) -> tuple[bytes, int]:
    number = draw.randrange(3)
    names = [
        "gone.wav",
        "",
        ".",
        "..",
        "/",
        "a.wav/x",
        "n" * 300,
        "n/" * 5000,
        "~",
        "~nobody-of-that-name/a.wav",
        "file://a.wav",
    ]
    lines[number]["audio"] = draw.choice(names)
    return written(lines).encode(), number


def _changed_line(draw: Draw, lines: Lines) -> tuple[bytes, int]:
    number = draw.randrange(3)
    texts = written(lines).splitlines()
    texts[number] = draw.choice(
        [
            "{", "[" * 2000, '{"a":' * 3000, "null", "17", '"text"', "[]", "[1, 2]", "\0" * 50, "id\taudio\ttext",
            "{'id': 1}", f'{{"id": {"[" * 51}{"]" * 51}}}', "x" * 200_000,
            texts[number][: draw.randrange(1, len(texts[number]) - 1)], texts[number] + ",", texts[number] * 2,
            texts[number].replace('"text"', '"text": "another", "text"'),
        ]
    )  # fmt: skip
    return "\n".join(texts).encode(), number


def _other_bytes(draw: Draw, lines: Lines) -> tuple[bytes, int]:
    number = draw.randrange(3)
    pieces = written(lines).encode().splitlines()
    pieces[number] = pieces[number].replace(b"x", draw.choice([b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xfc"]), 1)
    return b"\n".join(pieces), number


def _id_again(draw: Draw, lines: Lines) -> tuple[bytes, int]:
    first, second = sorted(draw.sample(range(3), 2))
    lines[first]["id"], lines[second]["id"] = draw.choice([(1, "1"), ("x", "x"), (7, 7), ("ü", "ü")])
    return written(lines).encode(), second


DAMAGE: dict[str, Callable[[Draw, Lines], tuple[bytes, int]]] = {
    "a senseless value": _senseless_value,
    "a missing field": _missing_field,
    "seconds that are none": _other_seconds,
    "no such audio file": _no_such_file,
    "a line that is no object": _changed_line,
    "bytes that are no UTF-8": _other_bytes,
    "an id for the second time": _id_again,
}


def _scattered(draw: Draw, lines: Lines) -> bytes:
    content = bytearray(written(lines, ensure_ascii=draw.random() < 0.5).encode())
    for _ in range(draw.choice([1, 1, 1, 2, 4, 8])):
        place = draw.randrange(len(content))
        match draw.randrange(4):
            case 0:
                content[place] = draw.randrange(256)
            case 1:
                content[place] = draw.randrange(32, 127)
            case 2:
                del content[place : place + draw.randrange(1, 40)]
            case _:
                content[place:place] = draw.randbytes(draw.randrange(1, 5))
        if not content:
            break
    return bytes(content)


def _odd_values(draw: Draw, lines: Lines) -> bytes:
    more = [
        "${oc.env:HOME}",
        "{text}",
        "a|b",
        "<script>",
        "[/red]",
        "x" * 100_000,
        10**400,
        1e308,
        {"A": "red", "B": "blue"},
    ]
    for _ in range(draw.randrange(1, 6)):
        line = draw.choice(lines)
        line[draw.choice([*line, "more"])] = draw.choice([*_SENSELESS, *more, *line.values()])
    return written(lines).encode()


NOISE: dict[str, Callable[[Draw, Lines], bytes]] = {
    "changed, lost and added bytes": _scattered,
    "cut off": lambda draw, lines: (text := written(lines).encode())[: draw.randrange(len(text))],
    "odd values in any field": _odd_values,
    "random bytes": lambda draw, _: draw.randbytes(draw.randrange(400)),
}


@dataclass(frozen=True)
class Case:
    """One manifest, and what must come of it."""

    kind: str
    content: bytes
    lines: Lines | None
    """As they must be read; None where something must be refused, or may be."""
    bad_line: int | None
    """Number of the line that must be refused; None where none must."""


def cases(count: int = COUNT, seed: int = SEED) -> Iterator[Case]:
    """`count` manifests, the same for the same seed, all kinds about equally often."""
    kinds = [*PLAIN, *DAMAGE, *NOISE]
    for index in range(count):
        draw = random.Random(f"{seed} {index}")
        lines, kind = good_lines(draw), kinds[index % len(kinds)]
        if kind in PLAIN:
            yield Case(kind, PLAIN[kind](draw, lines), lines, None)
        elif kind in DAMAGE:
            content, number = DAMAGE[kind](draw, lines)
            yield Case(kind, content, None, number + 1)
        else:
            yield Case(kind, NOISE[kind](draw, lines), None, None)


def main(seed: int = SEED) -> int:
    """Print, for each kind, how many manifests were read and how many refused, by `asr` and by one other task each."""
    table: dict[str, Counter[str]] = {kind: Counter() for kind in (*PLAIN, *DAMAGE, *NOISE)}
    with TemporaryDirectory() as name:
        audio(Path(name))
        for index, case in enumerate(cases(seed=seed)):
            try:
                found = outcomes(case.content, Path(name), (ASR, OTHERS[index % len(OTHERS)]))
                results = ["refused" if isinstance(result, InputError) else "read" for result in found]
            except Exception as error:
                print(f"{case.kind}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
                results = ["traceback", "traceback"]
            table[case.kind].update(f"{result}, {task}" for result, task in zip(results, ("asr", "other"), strict=True))
    columns = [f"{result}, {task}" for task in ("asr", "other") for result in ("read", "refused", "traceback")]
    print(f"| change | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    for kind, counts in table.items():
        print(f"| {kind} | {' | '.join(str(counts[column]) for column in columns)} |")
    return sum(counts[column] for counts in table.values() for column in columns if "traceback" in column)


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
