"""3,000 broken manifests: read as they are meant, or refused by file and line in a short message; no traceback."""

import re
from pathlib import Path

from fastadasp.data.manifest import ManifestError
from fastadasp.tasks.asr import ASR
from tests.data.fuzzed_manifests import COUNT, OTHERS, Lines, cases
from tests.data.manifest_outcomes import audio, outcomes

LONGEST_LINE = 420


def meant(lines: Lines, folder: Path) -> list[tuple[str, tuple[Path, ...], str, float]]:
    """What the unbroken lines say, without the reader under test."""
    names = [line["audio"] if isinstance(line["audio"], list) else [line["audio"]] for line in lines]
    files = [tuple(folder / name for name in listed) for listed in names]
    return [
        (str(line["id"]), audio, line["text"], float(line["seconds"])) for line, audio in zip(lines, files, strict=True)
    ]


def test_every_manifest_is_read_as_it_is_meant_or_refused_by_its_line(tmp_path: Path) -> None:
    audio(tmp_path)
    read = refused = 0
    for index, case in enumerate(cases()):
        result, _ = outcomes(case.content, tmp_path, (ASR, OTHERS[index % len(OTHERS)]))
        told = f"manifest {index}, {case.kind}: {result!s:.300}"
        if case.lines is not None:
            assert isinstance(result, list), told
            assert [(e.id, e.audio, e.reference, e.seconds) for e in result] == meant(case.lines, tmp_path), told
        elif case.bad_line is not None:
            assert isinstance(result, ManifestError), told
            assert set(re.findall(r"\bline (\d+)[:,]", str(result))) == {str(case.bad_line)}, told
        read += isinstance(result, list)
        refused += isinstance(result, ManifestError)
        if isinstance(result, ManifestError):
            assert str(tmp_path / "manifest.jsonl") in str(result), told
            assert max(map(len, str(result).splitlines())) <= LONGEST_LINE, told
            assert str(result).encode(), "a message that can be printed"
    assert read + refused == COUNT
    assert min(read, refused) > COUNT / 3


def test_the_same_seed_gives_the_same_manifests_and_another_seed_others() -> None:
    assert list(cases(100)) == list(cases(100)) != list(cases(100, seed=16))
