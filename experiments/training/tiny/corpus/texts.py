"""Sentences to speak: where they come from, how they are made speakable, and which split each belongs to."""

import gzip
import hashlib
import random
import re
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .grammar.sentences import translated

TITLES = {
    "Mr.": "Mister",
    "Mrs.": "Missus",
    "Dr.": "Doctor",
    "Messrs.": "Messieurs",
    "Capt.": "Captain",
    "Col.": "Colonel",
}
WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?|'[a-z]+")
DEV_PERCENT = TEST_PERCENT = 2


@dataclass(frozen=True)
class Sentence:
    """One thing to say: `spoken` goes to the synthesiser, `text` is the transcript that a listener should write."""

    spoken: str
    text: str
    source: str
    translation: str | None = None

    @property
    def split(self) -> str:
        return split_of(self.text)


def split_of(text: str) -> str:
    """`train`, `dev` or `test`, decided by the text alone, so that equal sentences never cross a split."""
    bucket = int.from_bytes(hashlib.sha1(text.encode()).digest()[:4], "big") % 100
    if bucket < DEV_PERCENT:
        return "dev"
    return "test" if bucket < DEV_PERCENT + TEST_PERCENT else "train"


def transcript(spoken: str) -> str:
    """Lower case words and apostrophes only, the form that Whisper's English normaliser leaves alone."""
    return " ".join(WORD.findall(spoken.lower().replace("\u2019", "'").replace("-", " ")))


def say_numbers(text: str) -> str | None:
    """Whole numbers up to 9999 as words (1100 to 2099 as a year); None where something else needs digits."""
    if re.search(r"\d[.,:/]\d|\d(?:st|nd|rd|th)\b|[$€£%°#&@+*=/<>]", text):
        return None
    if not re.search(r"\d", text):
        return text
    from num2words import num2words

    def words(match: re.Match[str]) -> str:
        number = int(match.group())
        return num2words(number, to="year" if 1100 <= number <= 2099 else "cardinal").replace(" and ", " ")

    if re.search(r"\d{5,}|\d[a-zA-Z]|[a-zA-Z]\d", text):
        return None
    return re.sub(r"\d+", words, text)


def expand_titles(text: str) -> str:
    """`Mr. Elton` as `Mister Elton`; before sentences are split, so that no title ends one."""
    for short, long in TITLES.items():
        text = text.replace(short, long)
    return text


def speakable(text: str) -> str | None:
    """The text with titles and numbers spelled out, or None if it holds anything that is not plain English prose."""
    text = (
        expand_titles(text)
        .replace("\u2019", "'")
        .replace("“", '"')
        .replace("”", '"')
        .replace("--", ", ")
        .replace("—", ", ")
    )
    said = say_numbers(text)
    if said is None or not said.isascii() or re.search(r"\b(?:[A-Za-z]\.){2,}|[\[\]{}|_\\~^]|\b[A-Z]{2,}\b", said):
        return None
    return re.sub(r"\s+", " ", said).strip(" \"'")


def make(spoken: str, source: str, translation: str | None = None) -> Sentence | None:
    """A `Sentence`, or None if the text cannot be spoken or is empty."""
    said = speakable(spoken)
    text = transcript(said) if said else ""
    return Sentence(said, text, source, translation) if said and text else None


def clauses(text: str, most_words: int = 38) -> Iterator[str]:
    """Sentences of a book, those over `most_words` cut at clause marks."""
    for sentence in re.split(r"(?<=[.!?])[\"']*\s+(?=[\"'A-Z])", text):
        held = ""
        for part in re.split(r"(?<=[;:,])\s+", sentence):
            if held and len(held.split()) + len(part.split()) > most_words:
                yield held
                held = part
            else:
                held = f"{held} {part}".strip()
        yield held


def tatoeba(path: Path) -> list[Sentence]:
    """English sentences with one German translation each (the first of several; CC BY 2.0 FR, tatoeba.org)."""
    pairs: dict[str, Sentence] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        english, german = line.split("\t")
        said = make(english, "tatoeba", german)
        if said and said.text not in pairs and say_numbers(german) == german:
            pairs[said.text] = said
    return list(pairs.values())


def librispeech(path: Path) -> list[Sentence]:
    """Transcripts of LibriSpeech dev-clean, cut to at most 40 words (public domain)."""
    texts = (line.split("\t")[1] for line in path.read_text(encoding="utf-8").splitlines())
    return [s for text in texts if len(text.split()) <= 40 and (s := make(text, "librispeech"))]


def austen(folder: Path) -> list[Sentence]:
    """Five novels of Jane Austen from Debian's `r-cran-janeaustenr` (public domain).

    `Sense and Sensibility` is left out: recordings of it serve as real test speech.
    """
    import rdata

    def load(raw: bytes) -> object:
        return rdata.conversion.convert(rdata.parser.parse_data(raw))

    index = load(gzip.decompress((folder / "Rdata.rdx").read_bytes()))["variables"]  # type: ignore[index]
    packed = (folder / "Rdata.rdb").read_bytes()
    found: list[Sentence] = []
    for name, (start, size) in index.items():
        if str(name) == "sensesensibility":
            continue
        # Each entry: 4 bytes of length, then a zlib stream of one R object (a vector of lines).
        lines = [str(line) for line in load(zlib.decompress(packed[start + 4 : start + size]))]  # type: ignore[attr-defined]
        for paragraph in "\n".join(lines).split("\n\n"):
            text = expand_titles(paragraph.replace("\n", " ").replace("_", ""))
            if not re.match(r"(?i)\s*(chapter|volume)\b", text):
                found += [s for c in clauses(text) if (s := make(c, "austen")) and len(s.text.split()) <= 40]
    return found


def bible() -> list[Sentence]:
    """Verses of the King James Bible from Debian's `bible-kjv-text` (public domain in most of the world)."""
    out = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=True).stdout
    verses = (line.split(" ", 1)[1] for line in out.splitlines() if " " in line)
    return [s for v in verses for c in clauses(v) if (s := make(c, "bible")) and len(s.text.split()) <= 40]


def wordnet(folder: Path) -> list[Sentence]:
    """Example phrases of WordNet's glosses (Debian's `wordnet-base`): short, and rich in rare words."""
    found: dict[str, Sentence] = {}
    for name in ("adj", "adv", "noun", "verb"):
        for line in (folder / f"data.{name}").read_text(encoding="latin-1").splitlines():
            for example in re.findall(r'"([^"]+)"', line.partition("|")[2]):
                said = make(example, "wordnet")
                if said and 2 <= len(said.text.split()) <= 30:
                    found.setdefault(said.text, said)
    return list(found.values())


def wordnet_words(folder: Path) -> list[Sentence]:
    """Single dictionary words and short compounds, for vocabulary."""
    found: dict[str, Sentence] = {}
    for name in ("adj", "adv", "noun", "verb"):
        for line in (folder / f"index.{name}").read_text(encoding="latin-1").splitlines():
            entry = line.split(" ", 1)[0]
            # An entry whose senses were tagged in a corpus is a common one (`tagsense_cnt` of wndb(5)).
            tagged = int(line.split()[4 + int(line.split()[3]) + 1]) if not line.startswith(" ") else 0
            if tagged and re.fullmatch(r"[a-z_]{3,}", entry):
                said = make(entry.replace("_", " "), "word")
                if said:
                    found.setdefault(said.text, said)
    return list(found.values())


def own_grammar(count: int = 80_000) -> list[Sentence]:
    """English sentences of our own grammar with their German translations, all different."""
    rng = random.Random("grammar")
    found: dict[str, Sentence] = {}
    while len(found) < count:
        english, german = translated(rng)
        said = make(english, "grammar", german)
        if said and len(said.text.split()) <= 30:
            found.setdefault(said.text, said)
    return list(found.values())
