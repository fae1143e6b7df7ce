"""Manifests of public corpora: `python -m fastadasp.data.corpora librispeech DATA test-clean manifest.jsonl`.

Corpora are not downloaded: get them from their owners, under their licences.
"""

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastadasp.data.manifest import ManifestError
from fastadasp.errors import InputError
from fastadasp.files.tables import read_tsv
from fastadasp.files.text import short

EMOTIONS = {"neu": "neutral", "hap": "happy", "exc": "happy", "sad": "sad", "ang": "angry"}
"""IEMOCAP's labels in the usual four-class setting; utterances with other labels are left out."""


@dataclass(frozen=True)
class LeftOut:
    """A line of a corpus that is no example, by the corpus' own rules."""

    reason: str


@dataclass(frozen=True)
class Written:
    """What became of a corpus."""

    lines: int
    left_out: Counter[str] = field(default_factory=Counter)
    """How many lines of the corpus became none of the manifest, by reason."""


Rows = Iterator[dict[str, Any] | LeftOut]


def librispeech(root: Path, subset: str) -> Rows:
    """ASR lines of `<root>/LibriSpeech/<subset>`, subset being test-clean, test-other, ..."""
    from torchaudio.datasets import LIBRISPEECH

    corpus = LIBRISPEECH(root, url=subset)
    for index in range(len(corpus)):
        path, _, text, speaker, *_ = corpus.get_metadata(index)
        yield {"id": Path(path).stem, "audio": root / "LibriSpeech" / path, "text": text, "speaker": str(speaker)}


def iemocap(root: Path, session: str) -> Rows:
    """ER lines of `<root>/IEMOCAP/Session<session>`; session 5 is the usual test set (1241 utterances)."""
    from torchaudio.datasets import IEMOCAP

    corpus = IEMOCAP(root, sessions=(session,))
    for index in range(len(corpus)):
        path, _, name, label, speaker = corpus.get_metadata(index)
        if label not in EMOTIONS:
            yield LeftOut(f"label {label}")
            continue
        yield {"id": name, "audio": root / "IEMOCAP" / path, "label": EMOTIONS[label], "speaker": speaker}


def covost2(root: Path, split: str) -> Rows:
    """ST lines of `<root>/covost_v2.<split>.tsv` (split such as en_de.test) with Common Voice's `<root>/clips`.

    The tables are written with a backslash before each quotation mark and backslash. Translations that their makers
    marked as unusable (REMOVE), and empty ones, are left out.
    """
    columns = ("path", "sentence", "translation", "client_id")
    for _, row in read_tsv(root / f"covost_v2.{split}.tsv", columns, escaped=True):
        if row["translation"].strip() in ("REMOVE", ""):
            yield LeftOut(f"translation {row['translation'].strip() or 'empty'}")
            continue
        yield {
            "id": Path(row["path"]).stem,
            "audio": root / "clips" / row["path"],
            "text": row["sentence"],
            "translation": row["translation"],
            "speaker": row["client_id"],
        }


CORPORA: dict[str, Callable[[Path, str], Rows]] = {
    reader.__name__: reader for reader in (librispeech, iemocap, covost2)
}


def write_manifest(corpus: str, root: Path, part: str, manifest: Path) -> Written:
    """Write `part` of the corpus below `root` as a manifest, audio paths relative to it.

    Raises InputError where the corpus is not there or holds nothing, and ManifestError, which lists every clip that is
    missing, unreadable or without sound; no manifest is written then.
    """
    try:
        rows = list(CORPORA[corpus](root, part))
    except (ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{corpus} cannot be read below {root}, part {part}: {short(error, 400)}") from error
    examples = [row for row in rows if not isinstance(row, LeftOut)]
    left_out = Counter(row.reason for row in rows if isinstance(row, LeftOut))
    if not examples:
        raise InputError(f"{corpus}: nothing found below {root} for part {part}{_told(left_out)}")
    folder = manifest.resolve().parent
    lines = []
    problems = []
    for row in examples:
        seconds, problem = _length(row["audio"])
        if problem:
            problems.append(f"{short(row['id'])}: {problem}")
        row |= {"seconds": seconds, "audio": os.path.relpath(row["audio"].resolve(), folder)}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    if problems:
        raise ManifestError.listing(manifest, problems)
    folder.mkdir(parents=True, exist_ok=True)
    manifest.write_text("".join(lines), encoding="utf-8")
    return Written(len(lines), left_out)


def _length(audio: Path) -> tuple[float, str | None]:
    """Seconds of the file's audio, and what is wrong with the file."""
    from fastadasp.data.audio import AudioError, audio_seconds

    if not audio.is_file():
        return 0.0, f"no file {short(audio)}"
    try:
        seconds = round(audio_seconds(audio), 3)
    except AudioError as error:
        return 0.0, str(error)
    return seconds, None if seconds > 0 else f"{short(audio)} holds no sound"


def _told(left_out: Counter[str]) -> str:
    """What was left out, for messages."""
    listed = ", ".join(f"{count} ({reason})" for reason, count in sorted(left_out.items()))
    return f"; left out: {listed}" if listed else ""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the manifest of a corpus that lies on this machine.")
    parser.add_argument("corpus", choices=sorted(CORPORA))
    parser.add_argument(
        "root", type=Path, help="folder that holds the corpus (LibriSpeech/, IEMOCAP/, or tsv + clips/)"
    )
    parser.add_argument("part", help="test-clean (librispeech), 5 (iemocap: session), en_de.test (covost2), ...")
    parser.add_argument("manifest", type=Path, help="file to write, for task.manifest=...")
    arguments = parser.parse_args()
    try:
        written = write_manifest(arguments.corpus, arguments.root, arguments.part, arguments.manifest)
    except InputError as error:
        raise SystemExit(str(error)) from error
    print(f"{written.lines} lines in {arguments.manifest}{_told(written.left_out)}")


if __name__ == "__main__":
    main()
