"""Hugging Face data sets on this machine: folders of `save_to_disk` (Arrow), and Parquet files with a feature Audio."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastadasp.data.archives.member import ArchiveError, Member
from fastadasp.data.archives.tables import arrow, audio_columns, mapped, schema_of
from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, CorpusError, Row
from fastadasp.data.sources import Place
from fastadasp.files.json_text import read_json
from fastadasp.files.named import located
from fastadasp.files.text import short

PLAIN = (str, int, float, bool, list, dict)
"""Values that a manifest can hold."""


@dataclass(frozen=True)
class HuggingFace(Format):
    """One split; `root` is a folder that `save_to_disk` wrote, a folder with Parquet files, or one such file.

    The hub is not asked, and no code of a data set runs: a data set that has a loading script must be saved first
    (`load_dataset(...).save_to_disk(folder)`). Numbers of a ClassLabel become the names of the classes.
    """

    part: str = ""
    """The split, such as test; empty: the only one."""
    config: str = ""
    """The folder of Parquet files below `root`, such as en_us, where several hold the split; empty: the only one."""
    audio: str = ""
    """The column with the recordings; empty: the only one that is an Audio feature."""

    def rows(self) -> Iterator[Row | Bad]:
        """All examples, with every column under its own name or the one that `rename` gives it.

        Ids come from the column `id`, else from the names of the recordings, else from the file and the row.
        """
        taken: set[str] = set()
        try:
            for file in self._files():
                column = self._column(file)
                for number, path, inside, fields in _cells(file, column):
                    fields = self.renamed(fields)
                    id = _id(fields.pop("id", None), path, f"{file.stem}-{number}", taken)
                    place = self._place(file, column, number, path, inside)
                    if place is None:
                        yield Bad(f"{file.name}, row {number}", f"its column {column} holds neither bytes nor a path")
                    else:
                        yield Row(id, place, fields)
        except ArchiveError as error:
            raise CorpusError(str(error)) from error

    def _place(self, file: Path, column: str, number: int, path: str, inside: bool) -> Place | None:
        if inside:
            return Member(file, f"{column}/{number}")
        return located(file.parent, path) if path else None

    def _files(self) -> Sequence[Path]:
        """The files of the split, in the order of its rows."""
        if self.base.is_file():
            if self.base.suffix not in (".arrow", ".parquet"):
                raise CorpusError(f"{short(self.base)} must end in .arrow or .parquet, or be a folder of such files")
            return [self.base]
        if (self.base / "dataset_dict.json").is_file():
            splits = read_json(self.base / "dataset_dict.json").get("splits", [])
            return _saved(self.base / self._chosen([str(name) for name in splits], self.part, "part"))
        if (self.base / "state.json").is_file():
            return _saved(self.base)
        found: dict[str, dict[str, list[Path]]] = {}
        for file in sorted(self.base.rglob("*.parquet")):
            folder = file.parent.relative_to(self.base).as_posix()
            found.setdefault(folder, {}).setdefault(file.stem.partition("-")[0], []).append(file)
        if not found:
            raise CorpusError(
                f"{short(self.base)} holds neither dataset_dict.json nor state.json (of save_to_disk) nor Parquet files"
            )
        usable = [folder for folder, splits in found.items() if not self.part or self.part in splits]
        splits = found[self._chosen(usable or sorted(found), self.config, "config")]
        return splits[self._chosen(sorted(splits), self.part, "part")]

    def _chosen(self, known: Sequence[str], given: str, key: str) -> str:
        if given in known or (not given and len(known) == 1):
            return given or known[0]
        listed = ", ".join(name or "." for name in known)
        raise CorpusError(f"data.{key} must be one of {listed} of {short(self.base)}, got {given or 'nothing'!r}")

    def _column(self, file: Path) -> str:
        found = audio_columns(schema_of(file))
        if self.audio in found or (not self.audio and len(found) == 1):
            return self.audio or found[0]
        listed = ", ".join(found) or "none (cast one with `cast_column('audio', Audio())`)"
        raise CorpusError(f"data.audio must be a column of audio of {short(file)}; these are {listed}")


def _saved(folder: Path) -> list[Path]:
    """The Arrow files that `save_to_disk` wrote into a folder, as its state.json lists them."""
    listed = read_json(folder / "state.json").get("_data_files", [])
    return [folder / str(entry["filename"]) for entry in listed]


def _cells(file: Path, column: str) -> Iterator[tuple[int, str, bool, dict[str, object]]]:
    """Of each row its number, the recording's path, whether its bytes are inside, and the other columns' values."""
    arrow(file)
    number = 0
    for batch in _batches(file, column):
        audio = batch.column(column)
        paths, present = audio.field("path").to_pylist(), audio.is_valid().to_pylist()
        known = [part.name for part in audio.type]
        inside = audio.field("bytes").is_valid().to_pylist() if "bytes" in known else [True] * len(paths)
        others = batch.select([name for name in batch.schema.names if name != column])
        for path, there, has_bytes, values in zip(paths, present, inside, _decoded(others), strict=True):
            yield number, path or "", there and has_bytes, values
            number += 1


def _batches(file: Path, column: str) -> Iterator[Any]:
    """The rows of a table, some at a time; of a Parquet file whose bytes are all inside, without these bytes."""
    if file.suffix == ".arrow":
        yield from mapped(file).to_batches(max_chunksize=1000)
        return
    from pyarrow.parquet import ParquetFile

    with ParquetFile(file) as opened:
        others = [name for name in opened.schema_arrow.names if name != column]
        parts = [f"{column}.path"] if _all_inside(opened.metadata, f"{column}.bytes") else [column]
        yield from opened.iter_batches(batch_size=100, columns=[*others, *parts])


def _all_inside(metadata: Any, leaf: str) -> bool:
    """Whether the statistics of a Parquet file say that a column of its leaves has a value in every row."""
    for group in range(metadata.num_row_groups):
        found = [metadata.row_group(group).column(index) for index in range(metadata.num_columns)]
        statistics = next((one.statistics for one in found if one.path_in_schema == leaf), None)
        if statistics is None or not statistics.has_null_count or statistics.null_count:
            return False
    return True


def _decoded(others: Any) -> Iterator[dict[str, object]]:
    """Rows as plain values: names instead of the numbers of a ClassLabel, and nothing that a manifest cannot hold."""
    from datasets import ClassLabel, Features

    features = Features.from_arrow_schema(others.schema)
    classes = {name: kind for name, kind in features.items() if isinstance(kind, ClassLabel)}
    for row in others.to_pylist():
        yield {name: _plain(value, classes.get(name)) for name, value in row.items() if _storable(value)}


def _plain(value: Any, kind: Any) -> object:
    return kind.int2str(value) if kind is not None and isinstance(value, int) and value >= 0 else value


def _storable(value: Any) -> bool:
    if not isinstance(value, PLAIN):
        return False
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _id(given: object, path: str, else_: str, taken: set[str]) -> str:
    """An id that no earlier row has, unless the data set itself gives one twice."""
    if isinstance(given, str | int) and str(given).strip():
        return str(given)
    stem = Path(path).stem
    id = stem if stem and stem not in taken else else_
    taken.add(id)
    return id
