"""Manifests of public corpora: `python -m fastadasp.data.corpora librispeech DATA test-clean manifest.jsonl`.

Corpora are not downloaded: get them from their owners, under their licences.
"""

import argparse
import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fastadasp.errors import InputError

EMOTIONS = {"neu": "neutral", "hap": "happy", "exc": "happy", "sad": "sad", "ang": "angry"}
"""IEMOCAP's labels in the usual four-class setting; utterances with other labels are left out."""


def librispeech(root: Path, subset: str) -> Iterator[dict[str, Any]]:
    """ASR lines of `<root>/LibriSpeech/<subset>`, subset being test-clean, test-other, ..."""
    from torchaudio.datasets import LIBRISPEECH

    corpus = LIBRISPEECH(root, url=subset)
    for index in range(len(corpus)):
        path, _, text, speaker, *_ = corpus.get_metadata(index)
        yield {"id": Path(path).stem, "audio": root / "LibriSpeech" / path, "text": text, "speaker": str(speaker)}


def iemocap(root: Path, session: str) -> Iterator[dict[str, Any]]:
    """ER lines of `<root>/IEMOCAP/Session<session>`; session 5 is the usual test set (1241 utterances)."""
    from torchaudio.datasets import IEMOCAP

    corpus = IEMOCAP(root, sessions=(session,))
    for index in range(len(corpus)):
        path, _, name, label, speaker = corpus.get_metadata(index)
        if label in EMOTIONS:
            yield {"id": name, "audio": root / "IEMOCAP" / path, "label": EMOTIONS[label], "speaker": speaker}


def covost2(root: Path, split: str) -> Iterator[dict[str, Any]]:
    """ST lines of `<root>/covost_v2.<split>.tsv` (split such as en_de.test) with Common Voice's `<root>/clips`."""
    with (root / f"covost_v2.{split}.tsv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield {
                "id": Path(row["path"]).stem,
                "audio": root / "clips" / row["path"],
                "text": row["sentence"],
                "translation": row["translation"],
                "speaker": row["client_id"],
            }


CORPORA: dict[str, Callable[[Path, str], Iterator[dict[str, Any]]]] = {
    reader.__name__: reader for reader in (librispeech, iemocap, covost2)
}


def write_manifest(corpus: str, root: Path, part: str, manifest: Path) -> int:
    """Write `part` of the corpus below `root` as a manifest, audio paths relative to it; returns the line count."""
    from fastadasp.data.audio import audio_seconds

    try:
        rows = list(CORPORA[corpus](root, part))
    except (ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{corpus} cannot be read below {root}, part {part}: {error}") from error
    if not rows:
        raise InputError(f"{corpus}: nothing found below {root} for part {part}")
    folder = manifest.resolve().parent
    lines = []
    for row in rows:
        audio: Path = row["audio"]
        row["seconds"] = round(audio_seconds(audio), 3)
        row["audio"] = os.path.relpath(audio.resolve(), folder)
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    folder.mkdir(parents=True, exist_ok=True)
    manifest.write_text("".join(lines), encoding="utf-8")
    return len(lines)


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
        count = write_manifest(arguments.corpus, arguments.root, arguments.part, arguments.manifest)
    except InputError as error:
        raise SystemExit(str(error)) from error
    print(f"{count} lines in {arguments.manifest}")


if __name__ == "__main__":
    main()
