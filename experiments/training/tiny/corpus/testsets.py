"""Make the bundled test sets, or larger ones to choose settings on.

`python -m experiments.training.tiny.corpus.testsets --texts FOLDER` makes the bundled sets. With `--split dev --times 4
--out outputs/development` the same recipes are followed with the speakers and sentences of the development split, four
times as long: sets on which methods and settings may be chosen, so that the bundled ones are for reporting alone.

Speakers, sentences and passages are those that `speakers.py` and `texts.py` keep from training.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from . import emotion, texts
from .augment import recorded
from .passages import long_passage, passage
from .speakers import everyday_prosody, voices_for
from .synthesize import passage_fields, read_aloud, two_utterances
from .texts import Sentence
from .voices import RATE, Audio, Voice, speak

Clip = tuple[Audio, dict[str, Any]]
OWN = "Apache-2.0"
TATOEBA = "CC BY 2.0 FR (sentences: tatoeba.org)"


@dataclass(frozen=True)
class Recipe:
    """Whose speech and which sentences a set is made of, and how long it is."""

    texts_folder: Path
    rng: np.random.Generator
    split: str = "test"
    """`test` for the bundled sets, `dev` for sets to choose on."""
    times: int = 1
    """Examples, as a multiple of the bundled sets' number."""

    @property
    def voices(self) -> Sequence[Voice]:
        """Speakers that are heard in this split only."""
        return voices_for(self.split, ("hibari", "flite", "kokoro"))

    def draws(self, name: str) -> random.Random:
        """Random numbers for the texts of one set."""
        return random.Random(f"{name} {self.split}")

    def grammar(self) -> list[Sentence]:
        """The split's sentences of our own grammar, in an order of its own."""
        held_out = [s for s in texts.own_grammar() if s.split == self.split]
        self.draws("grammar").shuffle(held_out)
        return held_out


def read(recipe: Recipe, sentences: list[Sentence], licence: str = OWN) -> Iterator[Clip]:
    """Each sentence by the next voice."""
    voices, rng = recipe.voices, recipe.rng
    for number, sentence in enumerate(sentences):
        voice = voices[number % len(voices)]
        x = speak(sentence.spoken, voice, everyday_prosody(rng), int(rng.integers(2**31)))
        fields: dict[str, Any] = {"text": sentence.text}
        if sentence.translation:
            fields["translation"] = sentence.translation
        yield x, {**fields, "voice": voice.name, "engine": voice.engine, "licence": licence}


def asr(recipe: Recipe) -> Iterator[Clip]:
    """Half sentences of the translation grammar, half two sentences in a row out of passages."""
    draws, half = recipe.draws("asr"), 32 * recipe.times
    grammar = [s for s in recipe.grammar() if 6 <= len(s.text.split()) <= 20][:half]
    told: list[Sentence] = []
    while len(told) < half:
        sentences = passage(draws).sentences
        first = draws.randrange(1, len(sentences) - 1)
        said = texts.make(" ".join(sentences[first : first + 2]), "passage")
        if said and said.split == recipe.split:
            told.append(said)
    yield from read(recipe, [s for pair in zip(grammar, told, strict=True) for s in pair])


def st(recipe: Recipe) -> Iterator[Clip]:
    """Sentences of the translation grammar, other ones than in `asr`."""
    fitting, times = [s for s in recipe.grammar() if 4 <= len(s.text.split()) <= 20], recipe.times
    yield from read(recipe, fitting[32 * times : 96 * times])


def st_tatoeba(recipe: Recipe) -> Iterator[Clip]:
    """Held-out sentences that people wrote and translated."""
    sentences = texts.tatoeba(recipe.texts_folder / "tatoeba_en_de.tsv")
    held_out = [s for s in sentences if s.split == recipe.split and len(s.text.split()) >= 4]
    yield from read(recipe, recipe.draws("tatoeba").sample(held_out, 64 * recipe.times), TATOEBA)


def er(recipe: Recipe) -> Iterator[Clip]:
    """Sixteen neutral sentences, each in all four styles by one voice."""
    fitting = [s for s in recipe.grammar() if 6 <= len(s.text.split()) <= 12]
    voices, rng, sentences = recipe.voices, recipe.rng, fitting[200 : 200 + 16 * recipe.times]
    for number, sentence in enumerate(sentences):
        voice = voices[number % len(voices)]
        for label in emotion.STYLES:
            x = emotion.say(sentence.spoken, voice, label, rng)
            yield (
                x,
                {"label": label, "text": sentence.text, "voice": voice.name, "engine": voice.engine, "licence": OWN},
            )


def sqa(recipe: Recipe) -> Iterator[Clip]:
    """Passages of 10-40 s, one question each."""
    draws, voices = recipe.draws("sqa"), recipe.voices
    made = 0
    while made < 64 * recipe.times:
        told, voice = passage(draws), voices[made % len(voices)]
        x = read_aloud(told.sentences, voice, recipe.rng)
        if 10 <= len(x) / RATE <= 40:
            made += 1
            fields = {k: v for k, v in passage_fields(told).items() if k != "questions"}
            yield x, {**fields, "voice": voice.name, "engine": voice.engine, "licence": OWN}


def sqa_long(recipe: Recipe) -> Iterator[Clip]:
    """Passages of 2-4 minutes with three questions each."""
    draws, voices = recipe.draws("long sqa"), recipe.voices
    made = 0
    while made < 8 * recipe.times:
        told, voice = long_passage(draws, 6), voices[made % 4]
        x = read_aloud(told.sentences, voice, recipe.rng)
        if 120 <= len(x) / RATE <= 240:
            made += 1
            fields = passage_fields(told)
            yield (
                x,
                {
                    **fields,
                    "questions": fields["questions"][:3],
                    "voice": voice.name,
                    "engine": voice.engine,
                    "licence": OWN,
                },
            )


def sv(recipe: Recipe) -> Iterator[Clip]:
    """Two sentences by one speaker or by two."""
    said = [s for s in recipe.grammar() if 4 <= len(s.text.split()) <= 12][300 : 300 + 128 * recipe.times]
    for index, (first, second) in enumerate(zip(said[::2], said[1::2], strict=True)):
        x, fields = two_utterances(first, second, recipe.voices, index % 2 == 0, recipe.rng)
        yield x, {**fields, "licence": OWN}


SETS = {"asr": asr, "st": st, "st_tatoeba": st_tatoeba, "er": er, "sqa": sqa, "sqa_long": sqa_long, "sv": sv}


def write_set(folder: Path, clips: Iterator[Clip], rng: np.random.Generator) -> tuple[int, float]:
    """Write clips as Ogg Opus and their manifest; a clip with several questions gets a line for each."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    lines, seconds = [], 0.0
    for number, (x, fields) in enumerate(clips):
        x = recorded(x, rng, strength=0.2)
        name = f"{folder.name}-{number:03d}"
        sf.write(folder / "audio" / f"{name}.ogg", x, RATE, format="OGG", subtype="OPUS", compression_level=0.93)
        seconds += len(x) / RATE
        common = {"audio": f"audio/{name}.ogg", "seconds": round(len(x) / RATE, 3)}
        questions = fields.pop("questions", [{}])
        for index, question in enumerate(questions):
            identity = name if len(questions) == 1 else f"{name}-{index}"
            lines.append(json.dumps({"id": identity, **common, **fields, **question}, ensure_ascii=False))
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="folder with tatoeba_en_de.tsv")
    parser.add_argument("--out", type=Path, default=Path("fastadasp/assets/benchmark"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--split", choices=["test", "dev"], default="test")
    parser.add_argument("--times", type=int, default=1, help="examples, as a multiple of the bundled sets' number")
    args = parser.parse_args()
    for name in args.sets:
        rng = np.random.default_rng([2024, *name.encode()])
        clips = SETS[name](Recipe(args.texts, rng, args.split, args.times))
        lines, seconds = write_set(args.out / name, clips, rng)
        print(f"{name}: {lines} examples, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
