"""Make the bundled test sets: `python -m experiments.training.tiny.corpus.testsets --texts FOLDER`.

Speakers, sentences and passages are those that `speakers.py` and `texts.py` keep from training.
"""

import argparse
import json
import random
from collections.abc import Iterator
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
from .voices import RATE, Audio, speak

Clip = tuple[Audio, dict[str, Any]]
OWN = "Apache-2.0"
TATOEBA = "CC BY 2.0 FR (sentences: tatoeba.org)"
VOICES = voices_for("test", ("hibari", "flite", "kokoro"))


def read(sentences: list[Sentence], rng: np.random.Generator, licence: str = OWN) -> Iterator[Clip]:
    """Each sentence by the next voice."""
    for number, sentence in enumerate(sentences):
        voice = VOICES[number % len(VOICES)]
        x = speak(sentence.spoken, voice, everyday_prosody(rng), int(rng.integers(2**31)))
        fields: dict[str, Any] = {"text": sentence.text}
        if sentence.translation:
            fields["translation"] = sentence.translation
        yield x, {**fields, "voice": voice.name, "engine": voice.engine, "licence": licence}


def asr(texts_folder: Path, rng: np.random.Generator) -> Iterator[Clip]:
    """Half sentences of the translation grammar, half two sentences in a row out of passages."""
    draws = random.Random("asr test")
    grammar = [s for s in _grammar() if 6 <= len(s.text.split()) <= 20][:32]
    told: list[Sentence] = []
    while len(told) < 32:
        sentences = passage(draws).sentences
        first = draws.randrange(1, len(sentences) - 1)
        said = texts.make(" ".join(sentences[first : first + 2]), "passage")
        if said and said.split == "test":
            told.append(said)
    yield from read([s for pair in zip(grammar, told, strict=True) for s in pair], rng)


def st(texts_folder: Path, rng: np.random.Generator) -> Iterator[Clip]:
    """Sentences of the translation grammar."""
    yield from read([s for s in _grammar() if 4 <= len(s.text.split()) <= 20][32:96], rng)


def st_tatoeba(texts_folder: Path, rng: np.random.Generator) -> Iterator[Clip]:
    """Held-out sentences that people wrote and translated."""
    held_out = [
        s for s in texts.tatoeba(texts_folder / "tatoeba_en_de.tsv") if s.split == "test" and len(s.text.split()) >= 4
    ]
    yield from read(random.Random("tatoeba test").sample(held_out, 64), rng, TATOEBA)


def er(texts_folder: Path, rng: np.random.Generator) -> Iterator[Clip]:
    """Sixteen neutral sentences, each in all four styles by one voice."""
    sentences = [s for s in _grammar() if 6 <= len(s.text.split()) <= 12][200:216]
    for number, sentence in enumerate(sentences):
        voice = VOICES[number % len(VOICES)]
        for label in emotion.STYLES:
            x = emotion.say(sentence.spoken, voice, label, rng)
            yield (
                x,
                {"label": label, "text": sentence.text, "voice": voice.name, "engine": voice.engine, "licence": OWN},
            )


def sqa(texts_folder: Path, rng: np.random.Generator) -> Iterator[Clip]:
    """Passages of 10-40 s, one question each."""
    draws = random.Random("sqa test")
    made = 0
    while made < 64:
        told, voice = passage(draws), VOICES[made % len(VOICES)]
        x = read_aloud(told.sentences, voice, rng)
        if 10 <= len(x) / RATE <= 40:
            made += 1
            fields = {k: v for k, v in passage_fields(told).items() if k != "questions"}
            yield x, {**fields, "voice": voice.name, "engine": voice.engine, "licence": OWN}


def sqa_long(texts_folder: Path, rng: np.random.Generator) -> Iterator[Clip]:
    """Passages of 2-4 minutes with three questions each."""
    draws = random.Random("long sqa test")
    made = 0
    while made < 8:
        told, voice = long_passage(draws, 6), VOICES[made % 4]
        x = read_aloud(told.sentences, voice, rng)
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


def sv(texts_folder: Path, rng: np.random.Generator) -> Iterator[Clip]:
    """Two sentences by one speaker or by two."""
    said = [s for s in _grammar() if 4 <= len(s.text.split()) <= 12][300:428]
    for index, (first, second) in enumerate(zip(said[::2], said[1::2], strict=True)):
        x, fields = two_utterances(first, second, VOICES, index % 2 == 0, rng)
        yield x, {**fields, "licence": OWN}


SETS = {"asr": asr, "st": st, "st_tatoeba": st_tatoeba, "er": er, "sqa": sqa, "sqa_long": sqa_long, "sv": sv}


def _grammar() -> list[Sentence]:
    held_out = [s for s in texts.own_grammar() if s.split == "test"]
    random.Random("grammar test").shuffle(held_out)
    return held_out


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
    args = parser.parse_args()
    for name in args.sets:
        rng = np.random.default_rng([2024, *name.encode()])
        lines, seconds = write_set(args.out / name, SETS[name](args.texts, rng), rng)
        print(f"{name}: {lines} examples, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
