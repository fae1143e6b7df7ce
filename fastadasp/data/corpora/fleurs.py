"""FLEURS: the same sentences read in many languages (ASR, ST), `<root>/<language>/<part>.tsv` and `audio/<part>/`."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastadasp.data.corpus import Corpus
from fastadasp.data.rows import Bad, LeftOut, Row
from fastadasp.files.tables import read_tsv

COLUMNS = ("id", "file", "raw_text", "text", "phonemes", "samples", "gender")
RATE = 16_000


@dataclass(frozen=True)
class FLEURS(Corpus):
    """One part of one language, in the published TSV files without a first line of names."""

    language: str = "en_us"
    """As the release calls it: en_us, de_de, cmn_hans_cn, ..."""
    part: str = "test"
    """train, dev or test."""
    target: str = ""
    """Language whose sentence of the same number is the translation; empty: none."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with `text` (as written), `normalized`, `gender`, `sentence`, and `translation`.

        A sentence is read by several people. Sentences that the target language lacks are left out.
        """
        table = self.find(f"{self.language}/{self.part}.tsv", what="table of FLEURS")
        folder = self.find(f"{self.language}/audio/{self.part}", f"{self.language}/{self.part}", what="folder of audio")
        translations = self._translations() if self.target else {}
        for line, row in read_tsv(table, header=COLUMNS):
            if not row["samples"].isdecimal() or len(row["samples"]) > 12:
                yield Bad(f"{table.name}, line {line}", f"column 6 must be a number of samples, got {row['samples']!r}")
                continue
            fields = {"text": row["raw_text"], "normalized": row["text"], "gender": row["gender"].lower()}
            fields |= {"sentence": row["id"], "language": self.language}
            if self.target:
                if row["id"] not in translations:
                    yield LeftOut(f"sentence not in {self.target}")
                    continue
                fields |= {"translation": translations[row["id"]], "target": self.target}
            audio = folder / row["file"]
            yield Row(audio.stem, audio, fields, int(row["samples"]) / RATE)

    def _translations(self) -> dict[str, str]:
        """Sentences of the target language by their numbers, of all parts: these are not split alike everywhere."""
        found: dict[str, str] = {}
        for part in ("train", "dev", "test"):
            table = self.base / self.target / f"{part}.tsv"
            if part == self.part or table.is_file():
                table = self.find(f"{self.target}/{part}.tsv", what="table of the target language")
                found.update((row["id"], row["raw_text"]) for _, row in read_tsv(table, header=COLUMNS))
        return found
