"""Common Voice: read sentences in many languages (ASR), `<root>/<part>.tsv` and `clips/`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastadasp.data.corpus import Corpus
from fastadasp.data.rows import LeftOut, Row
from fastadasp.files.tables import read_tsv

OPTIONAL = ("age", "gender", "accents", "accent", "locale", "variant", "sentence_id")


@dataclass(frozen=True)
class CommonVoice(Corpus):
    """One table of one language; `root` is the language's folder, such as cv-corpus-21.0-2025-03-14/de.

    Quotation marks and backslashes of the tables are ordinary characters.
    """

    part: str = "test"
    """train, dev, test, validated, other or invalidated."""

    def rows(self) -> Iterator[Row | LeftOut]:
        """All examples, with `text`, `speaker`, `language`, and what the speakers said of themselves."""
        table = self.find(f"{self.part}.tsv", what="table of Common Voice")
        for _, row in read_tsv(table, ("client_id", "path", "sentence")):
            if not row["sentence"].strip():
                yield LeftOut("sentence empty")
                continue
            name = row["path"] if Path(row["path"]).suffix else f"{row['path']}.mp3"  # the first releases had none
            more = {key: row[key] for key in OPTIONAL if row.get(key)}
            language = more.pop("locale", self.base.name)
            fields = {"text": row["sentence"], "speaker": row["client_id"], "language": language, **more}
            yield Row(Path(name).stem, self.base / "clips" / name, fields)
