"""Sentence sources: what is spoken, what is written down, and that splits hold."""

from pathlib import Path

import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from experiments.training.tiny.corpus.texts import (
    clauses,
    expand_titles,
    librispeech,
    own_grammar,
    split_of,
    tatoeba,
    transcript,
)


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("Don't stop, Mister Hale!", "don't stop mister hale"),
        ("The well-known \u2018poet\u2019s\u2019 house.", "the well known poet's' house"),
        ("Who's there?", "who's there"),
    ],
)
def test_transcript(spoken: str, written: str) -> None:
    assert transcript(spoken) == written


def test_transcripts_mean_the_same_to_whispers_normaliser() -> None:
    normalise = EnglishTextNormalizer()
    for sentence in own_grammar(200):
        assert normalise(sentence.text) == normalise(sentence.spoken)


def test_titles_do_not_end_sentences_and_long_ones_are_cut() -> None:
    text = expand_titles("Mr. Elton came. " + "He spoke, " * 30 + "and left.")
    parts = list(clauses(text, most_words=20))
    assert parts[0] == "Mister Elton came."
    assert " ".join(parts) == text
    assert max(len(part.split()) for part in parts) <= 20


def test_tatoeba_keeps_one_translation_and_skips_what_cannot_be_said(tmp_path: Path) -> None:
    table = tmp_path / "pairs.tsv"
    table.write_text("Go.\tGeh.\nGo.\tGehen Sie.\nA\u00e9ro.\tAero.\nNo pain.\tKein Schmerz.\n", encoding="utf-8")
    assert [(s.text, s.translation) for s in tatoeba(table)] == [("go", "Geh."), ("no pain", "Kein Schmerz.")]


def test_librispeech_leaves_out_the_longest(tmp_path: Path) -> None:
    table = tmp_path / "text.tsv"
    table.write_text(f"1-1\tshort and good\n1-2\t{'word ' * 41}\n", encoding="utf-8")
    assert [s.text for s in librispeech(table)] == ["short and good"]


def test_splits_depend_on_the_text_alone_and_are_about_two_percent() -> None:
    sentences = own_grammar(4000)
    share = [sum(s.split == split for s in sentences) / len(sentences) for split in ("dev", "test")]
    assert all(0.01 < one < 0.03 for one in share)
    assert all(s.split == split_of(s.text) for s in sentences)
