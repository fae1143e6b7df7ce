"""CoVoST 2: translations of Common Voice (ST), `<root>/covost_v2.<pair>.<part>.tsv` and Common Voice's `clips/`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastadasp.data.corpus import Corpus
from fastadasp.data.rows import LeftOut, Row
from fastadasp.files.tables import read_tsv

COLUMNS = ("path", "sentence", "translation", "client_id")


@dataclass(frozen=True)
class CoVoST2(Corpus):
    """One part of one pair of languages, as the makers' get_covost_splits.py writes it.

    The tables have a backslash before each quotation mark and backslash. Translations that the makers marked as
    unusable (REMOVE), and empty ones, are left out.
    """

    pair: str = "en_de"
    """Languages: en_de, fr_en, ..."""
    part: str = "test"
    """train, dev or test."""
    clips: str = "clips"
    """Folder of the clips below `root`."""

    def rows(self) -> Iterator[Row | LeftOut]:
        """All examples, with `text`, `translation`, `speaker` and `language`."""
        table = self.find(f"covost_v2.{self.pair}.{self.part}.tsv", what="table of CoVoST 2")
        source, _, target = self.pair.partition("_")
        for _, row in read_tsv(table, COLUMNS, escaped=True):
            if row["translation"].strip() in ("REMOVE", ""):
                yield LeftOut(f"translation {row['translation'].strip() or 'empty'}")
                continue
            fields = {
                "text": row["sentence"],
                "translation": row["translation"],
                "speaker": row["client_id"],
                "language": source,
                "target": target,
            }
            yield Row(Path(row["path"]).stem, self.base / self.clips / row["path"], fields)
