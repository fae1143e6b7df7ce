"""Multilingual LibriSpeech: read books (ASR), `<root>/<part>/{transcripts.txt,audio/<speaker>/<book>/<id>.flac}`."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastadasp.data.corpus import Corpus
from fastadasp.data.rows import Bad, Row
from fastadasp.files.tables import read_tsv


@dataclass(frozen=True)
class MLS(Corpus):
    """One part of one language; `root` is the folder of the language, such as mls_german."""

    part: str = "test"
    """train, dev or test."""
    language: str = ""
    """Code of the language for the manifest, such as de; empty: none is written."""

    def rows(self) -> Iterator[Row | Bad]:
        """All examples, with `text` (lower case, without punctuation), `speaker` and `book`."""
        table = self.find(f"{self.part}/transcripts.txt", what="list of transcripts")
        audio = table.parent / "audio"
        suffix = ".opus" if next(audio.glob("*/*/*.opus"), None) else ".flac"
        for line, row in read_tsv(table, header=("id", "text")):
            speaker, _, rest = row["id"].partition("_")
            book, _, _ = rest.partition("_")
            if not rest or not book:
                yield Bad(f"{table.name}, line {line}", f"{row['id']!r} is no id such as 2422_2344_000000")
                continue
            fields = {"text": row["text"], "speaker": speaker, "book": book}
            language = {"language": self.language} if self.language else {}
            yield Row(row["id"], audio / speaker / book / f"{row['id']}{suffix}", {**fields, **language})
