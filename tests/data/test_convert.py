"""From rows to a manifest: all problems at once, nothing half-written, and anew only where something has changed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from fastadasp.data import corpus as module
from fastadasp.data.corpus import Corpus
from fastadasp.data.manifest import ManifestError
from fastadasp.data.rows import Bad, CorpusError, Found, LeftOut, Row
from fastadasp.data.sources import Cut
from tests.helpers.miniatures import tone


@dataclass(frozen=True)
class Listed(Corpus):
    """A corpus of the rows that it is given."""

    found: tuple[Found, ...] = field(default=(), repr=False)
    name: str = ""

    def rows(self) -> Iterator[Found]:
        yield from self.found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tone(tmp_path / "a.wav", 1.0)
    return tmp_path


def test_every_problem_is_named_at_once_and_nothing_is_written(folder: Path) -> None:
    a = folder / "a.wav"
    (folder / "empty.wav").write_bytes(b"")
    (folder / "cut.wav").write_bytes(a.read_bytes()[:20_000])
    rows: list[Found] = [
        Row("fine", a),
        Row("gone", folder / "gone.wav"),
        Row("empty", folder / "empty.wav"),
        Row("cut off", folder / "cut.wav"),
        Row("outside", Cut(a, 0.5, 0.7)),
        Row("behind", Cut(a, 1.5)),
        Row("fine", a),
        Row("half", a, {"text": "\ud800"}),
        Bad("table.tsv, line 9", "has no columns"),
    ]
    out = folder / "out" / "manifest.jsonl"
    with pytest.raises(ManifestError) as caught:
        Listed(folder, tuple(rows)).convert(out)
    told = str(caught.value)
    assert told.startswith(f"8 problems in corpus Listed in {folder}:")
    for expected in (
        f"gone: no file {folder}/gone.wav",
        "empty: ",
        "cut off: ",
        "outside: ",
        "but the cut is from 0.5 s to 1.2 s",
        "behind: ",
        "fine: this id stands twice",
        "half: field 'text' holds half of a character",
        "table.tsv, line 9: has no columns",
    ):
        assert expected in told
    assert list(out.parent.iterdir()) == []


def test_what_is_bad_can_be_left_out_and_is_counted(folder: Path) -> None:
    rows = (
        Row("1", folder / "a.wav", {"text": "ü"}),
        Row("2", folder / "gone.wav"),
        LeftOut("unusable"),
        LeftOut("unusable"),
    )
    done = Listed(folder, rows).convert(folder / "m.jsonl", skip_bad=True)
    assert done.told() == "1 examples; left out: 1 (bad), 2 (unusable)"
    assert json.loads((folder / "m.jsonl").read_text()) == {"id": "1", "audio": "a.wav", "seconds": 1.0, "text": "ü"}


def test_a_cut_may_end_a_little_behind_its_file(folder: Path) -> None:
    Listed(folder, (Row("1", Cut(folder / "a.wav", 0.5, 0.55)),)).convert(folder / "m.jsonl")
    assert json.loads((folder / "m.jsonl").read_text())["seconds"] == 0.5


def test_a_corpus_without_examples_is_an_error(folder: Path) -> None:
    with pytest.raises(CorpusError, match=r"Listed in .*: nothing found: 0 examples; left out: 1 \(unusable\)"):
        Listed(folder, (LeftOut("unusable"),)).convert(folder / "m.jsonl")
    assert not (folder / "m.jsonl").exists()


def test_a_manifest_that_stands_there_survives_a_conversion_that_fails(folder: Path) -> None:
    (folder / "m.jsonl").write_text("before")
    with pytest.raises(ManifestError):
        Listed(folder, (Row("1", folder / "gone.wav"),)).convert(folder / "m.jsonl")
    assert (folder / "m.jsonl").read_text() == "before"


def test_a_kept_manifest_is_written_anew_only_where_something_has_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Any] = []
    convert = Corpus.convert
    monkeypatch.setattr(Corpus, "convert", lambda self, *rest: (written.append(self), convert(self, *rest))[1])

    def manifest(corpus: Corpus) -> Path:
        monkeypatch.setattr(module, "_written", {})  # as in another process
        return corpus.manifest_in(folder / "kept")

    corpus = Listed(folder, (Row("1", folder / "a.wav", {"text": "one"}),))
    first = manifest(corpus)
    assert (first.parent.parent, len(written)) == (folder / "kept", 1)
    assert (manifest(corpus), len(written)) == (first, 1), "nothing has changed"
    changed = replace(corpus, found=(Row("1", folder / "a.wav", {"text": "two"}),))
    assert (manifest(changed), len(written)) == (first, 2), "a text has changed"
    tone(folder / "a.wav", 0.75)
    assert (manifest(changed), len(written)) == (first, 3), "a file has changed"
    assert json.loads(first.read_text())["seconds"] == 0.75
    (first.parent / "source.sha256").write_bytes(b"\xff")
    assert (manifest(changed), len(written)) == (first, 4), "what is kept is damaged"
    assert manifest(replace(changed, name="other")) != first, "other settings, another folder"
    (folder / "a.wav").unlink()
    with pytest.raises(ManifestError):
        manifest(changed)
    assert not (first.parent / "source.sha256").exists()
