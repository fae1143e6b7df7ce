"""Hugging Face audiofolder: audio files beside metadata.csv or metadata.jsonl, or in folders named after labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, CorpusError, Row
from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.named import located
from fastadasp.files.tables import read_csv
from fastadasp.files.text import read_lines, short, shown

SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".aif", ".au", ".webm", ".mp4", ".w64", ".caf"}
)
METADATA = ("metadata.csv", "metadata.jsonl")


@dataclass(frozen=True)
class AudioFolder(Format):
    """One split; without metadata, the name of the folder in which a file lies is its label."""

    part: str = ""
    """Folder of the split below `root`, such as test; empty: `root` itself."""

    def rows(self) -> Iterator[Row | Bad]:
        """As in Corpus; the columns of the metadata, or `label`. Ids are paths without their endings."""
        folder = self.find(self.part, what="folder") if self.part else self.base
        metadata = [folder / name for name in METADATA if (folder / name).is_file()]
        if len(metadata) > 1:
            raise CorpusError(f"{short(folder)} holds both {' and '.join(METADATA)}; keep one")
        if not metadata:
            yield from _labelled(folder)
            return
        for line, raw in _lines(metadata[0]):
            where = f"{metadata[0].name}, line {line}"
            name = raw.get("file_name") if isinstance(raw, dict) else None
            if isinstance(raw, JsonError) or not isinstance(name, str) or not name:
                yield Bad(where, str(raw) if isinstance(raw, JsonError) else f"must have file_name, got {shown(raw)}")
                continue
            fields = self.renamed({key: value for key, value in raw.items() if key != "file_name"})
            yield Row(_id(name, fields), located(folder, name), {key: v for key, v in fields.items() if key != "id"})


def _id(name: str, fields: dict[str, object]) -> str:
    given = fields.get("id")
    return str(given) if isinstance(given, str | int) and str(given) else str(Path(name).with_suffix(""))


def _lines(metadata: Path) -> Iterator[tuple[int, Any]]:
    """Rows with their line numbers; in the place of a line that is not JSON, the error."""
    if metadata.suffix == ".csv":
        yield from read_csv(metadata, ("file_name",))
        return
    for number, line in read_lines(metadata):
        if line.strip():
            try:
                yield number, parse(line, strict=True)
            except JsonError as error:
                yield number, error


def _labelled(folder: Path) -> Iterator[Row]:
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not files or all(file.parent == folder for file in files):
        raise CorpusError(
            f"{short(folder)} holds neither {' nor '.join(METADATA)} nor folders of audio named after labels"
        )
    for file in files:
        relative = file.relative_to(folder)
        yield Row(str(relative.with_suffix("")), file, {"label": file.parent.name})
