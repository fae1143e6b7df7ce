"""WebDataset shards: tar archives in which files with one name and different endings are an example."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastadasp.data.archives import ArchiveError, Member, names_in, read_member
from fastadasp.data.corpora.audiofolder import SUFFIXES
from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, CorpusError, LeftOut, Row
from fastadasp.files.braces import expanded
from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.text import home, short, shown

_NAME = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)")
"""Key and ending: the ending begins at the first dot behind the last slash."""
TEXTS = {"txt": "text", "text": "text", "transcript": "text", "cls": "label", "label": "label", "lang": "language"}
"""Endings of files whose content is one field, and that field's name."""


@dataclass(frozen=True)
class WebDataset(Format):
    """Shards; `root` is one, a folder of them, or a pattern such as `/data/shard-{000000..000015}.tar`."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with the fields of `<key>.json`, and `text`, `label` or `language` from files of their own."""
        for shard in self._shards():
            try:
                examples = _examples(shard)
            except ArchiveError as error:
                yield Bad(shard.name, str(error))
                continue
            for key, members in examples.items():
                yield self._row(shard, key, members)

    def _shards(self) -> list[Path]:
        if self.base.is_dir():
            found = sorted(file for file in self.base.rglob("*") if file.name.endswith((".tar", ".tar.gz", ".tgz")))
            if not found:
                raise CorpusError(f"{short(self.base)} holds no shards (*.tar, *.tar.gz)")
            return found
        try:
            shards = [home(Path(name)) for name in expanded(str(self.root))]
        except ValueError as error:
            raise CorpusError(str(error)) from error
        if missing := [shard for shard in shards if not shard.is_file()]:
            raise CorpusError(f"no shard {short(missing[0])} ({len(missing)} of {len(shards)} are missing)")
        return shards

    def _row(self, shard: Path, key: str, members: dict[str, str]) -> Row | LeftOut | Bad:
        audio = [ending for ending in members if f".{ending.lower()}" in SUFFIXES]
        where = f"{shard.name}, {key}"
        if not audio:
            return LeftOut("no recording")
        if len(audio) > 1:
            return Bad(where, f"holds {len(audio)} recordings ({', '.join(sorted(audio))}); one is expected")
        fields: dict[str, object] = {}
        try:
            for ending, name in members.items():
                if ending == "json":
                    content = parse(_text(shard, name), strict=True)
                    if not isinstance(content, dict):
                        return Bad(where, f"its json must be an object, got {shown(content)}")
                    fields |= content
                elif ending in TEXTS:
                    fields[TEXTS[ending]] = _text(shard, name).strip()
        except (JsonError, ArchiveError, UnicodeDecodeError) as error:
            return Bad(where, f"a file beside its recording cannot be read ({short(error)})")
        fields = self.renamed(fields)
        given = fields.pop("id", None)
        id = str(given) if isinstance(given, str | int) and str(given).strip() else key
        return Row(id, Member(shard, members[audio[0]]), fields)


def _examples(shard: Path) -> dict[str, dict[str, str]]:
    """The members of each example, by ending."""
    found: dict[str, dict[str, str]] = {}
    for name in names_in(shard):
        if (match := _NAME.fullmatch(name)) and not Path(name).name.startswith("."):
            found.setdefault(match[1], {})[match[2]] = name
    return found


def _text(shard: Path, name: str) -> str:
    return read_member(Member(shard, name)).decode("utf-8-sig")
