"""What the manifests of other tools have in common: one file or folder, and fields that may need another name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastadasp.data.corpus import Corpus
from fastadasp.data.rows import CorpusError
from fastadasp.files.text import short


@dataclass(frozen=True)
class Format(Corpus):
    """A tool's manifest; `root` is its file or folder."""

    rename: dict[str, str] = field(default_factory=dict)
    """Fields that tasks call otherwise: {sentence: text} gives the field `sentence` the name `text`."""

    def file(self, what: str) -> Path:
        """`root` as the file that it must be; CorpusError where it is none. what: what to name, in words."""
        if not self.base.is_file():
            kind = "is a folder" if self.base.is_dir() else "does not exist"
            raise CorpusError(f"{short(self.base)} {kind}; data.root must be {what}")
        return self.base

    def renamed(self, fields: Mapping[str, object]) -> dict[str, object]:
        """`fields` under the names that `rename` gives them."""
        return {self.rename.get(name, name): value for name, value in fields.items()}
