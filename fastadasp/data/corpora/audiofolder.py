"""Hugging Face audiofolder: audio files beside metadata.csv or metadata.jsonl, or in folders named after labels.

The folder may be packed: a ZIP or tar archive is read in place.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fastadasp.data.archives import ArchiveError, Member, at_hand, is_archive, names_in
from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, CorpusError, Row
from fastadasp.data.sources import Place
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
    """One split; without metadata, the name of the folder in which a file lies is its label.

    `root` is the folder, or an archive of it (.zip, .tar, .tar.gz, .tgz).
    """

    part: str = ""
    """Folder of the split below `root`, such as test; empty: `root` itself."""

    def rows(self) -> Iterator[Row | Bad]:
        """All examples, with the columns of the metadata, or `label`. Ids are paths without their endings."""
        if self.base.is_file():
            yield from self._packed()
            return
        folder = self.find(self.part, what="folder") if self.part else self.base
        metadata = [folder / name for name in METADATA if (folder / name).is_file()]
        if len(metadata) > 1:
            raise CorpusError(f"{short(folder)} holds both {' and '.join(METADATA)}; keep one")
        if not metadata:
            yield from _labelled(folder)
            return
        yield from self._listed(metadata[0], lambda name: located(folder, name))

    def _packed(self) -> Iterator[Row | Bad]:
        """The rows of an archive, in which `part` is a folder."""
        if not is_archive(self.base):
            raise CorpusError(f"{short(self.base)} must be a folder or an archive (.zip, .tar, .tar.gz, .tgz)")
        try:
            names = sorted(name for name in names_in(self.base) if PurePosixPath(name).is_relative_to(self.part))
        except ArchiveError as error:
            raise CorpusError(str(error)) from error
        metadata = sorted(
            (name for name in names if PurePosixPath(name).name in METADATA), key=lambda one: one.count("/")
        )
        if not metadata:
            files = [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]
            if not any("/" in name for name in files):
                raise CorpusError(f"{short(self.base)} holds neither {' nor '.join(METADATA)} nor folders of audio")
            for name in files:
                path = PurePosixPath(name)
                yield Row(str(path.with_suffix("")), Member(self.base, name), {"label": path.parent.name})
            return
        inside = PurePosixPath(metadata[0]).parent
        with at_hand(Member(self.base, metadata[0])) as table:
            yield from self._listed(table, lambda name: Member(self.base, str(inside / name)))

    def _listed(self, metadata: Path, place: Callable[[str], Place]) -> Iterator[Row | Bad]:
        """The rows of the metadata. place: where the recording of a name lies."""
        for line, raw in _lines(metadata):
            where = f"{metadata.name}, line {line}"
            name = raw.get("file_name") if isinstance(raw, dict) else None
            if isinstance(raw, JsonError) or not isinstance(name, str) or not name:
                yield Bad(where, str(raw) if isinstance(raw, JsonError) else f"must have file_name, got {shown(raw)}")
                continue
            fields = self.renamed({key: value for key, value in raw.items() if key != "file_name"})
            yield Row(_id(name, fields), place(name), {key: v for key, v in fields.items() if key != "id"})


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
