"""Make the speech: `python -m experiments.training.tiny.corpus.synthesize --shards 40 --every 2 --first 0`.

Each shard is made from its own seed alone, so shards can be made in any order, by several processes, and again after a
stop: those that are complete are skipped.
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import emotion, texts
from .augment import recorded
from .passages import Passage, long_passage, passage, two_sentences
from .shards import is_complete, write_shard
from .speakers import SHARES, draw, everyday_prosody, voices_for
from .texts import Sentence
from .voices import RATE, Audio, Voice, speak

Clip = tuple[Audio, dict[str, Any]]
LONGEST = 29.5
"""Seconds: a clip must fit Whisper's 30 s window."""


@dataclass(frozen=True)
class Making:
    """What a shard is made from."""

    pools: dict[str, list[Sentence]]
    voices: Sequence[Voice]
    split: str
    rng: np.random.Generator
    portion: float = 1.0
    """Factor on the number of items in a shard."""

    def sentences(self, number: int, counts: dict[str, int]) -> list[Sentence]:
        """Shard `number`'s share of each pool: pools are walked through in a fixed random order, again and again."""
        wanted: list[Sentence] = []
        for name, full in counts.items():
            pool, count = self.pools[name], round(full * self.portion)
            order = np.random.default_rng(len(pool)).permutation(len(pool))
            wanted += [pool[order[i % len(pool)]] for i in range(number * count, (number + 1) * count)]
        return wanted


def sentence_clip(sentence: Sentence, voice: Voice, rng: np.random.Generator, split: str) -> Clip | None:
    """One clean reading and what the manifest says of it; None where the engine failed to say it plausibly."""
    x = speak(sentence.spoken, voice, everyday_prosody(rng), int(rng.integers(2**31)))
    words = len(sentence.text.split())
    if not 0.12 * words < len(x) / RATE < min(1.5 + 0.9 * words, LONGEST - 1):
        return None
    fields: dict[str, Any] = {
        "text": sentence.text,
        "source": sentence.source,
        "voice": voice.name,
        "engine": voice.engine,
    }
    if sentence.translation:
        fields["translation"] = sentence.translation
    return x, {**fields, "split": split}


def degrade(clips: Sequence[Clip], rng: np.random.Generator, strength: float = 1.0) -> Iterator[Clip]:
    """Each clip as if recorded somewhere, with other clips of the list as background talkers."""
    for x, fields in clips:
        others = [clips[int(i)][0] for i in rng.integers(len(clips), size=int(rng.integers(2, 6)))]
        clean = rng.random() < 0.25
        yield recorded(x, rng, others, 0.0 if clean else strength), {**fields, "clean": bool(clean)}


def read_sentences(number: int, made: Making, counts: dict[str, int]) -> Iterator[Clip]:
    """Read sentences: `counts` of each pool, each by a voice drawn anew."""
    clips = [
        c
        for s in made.sentences(number, counts)
        if (c := sentence_clip(s, draw(made.voices, made.rng), made.rng, made.split))
    ]
    yield from degrade([clips[i] for i in made.rng.permutation(len(clips))], made.rng)


def emotional_sentences(number: int, made: Making, counts: dict[str, int]) -> Iterator[Clip]:
    """Each sentence in all four styles by one voice, so that the words tell nothing."""
    clips: list[Clip] = []
    for sentence in (s for s in made.sentences(number, counts) if 3 <= len(s.text.split()) <= 14):
        voice = draw([v for v in made.voices if v.engine != "espeak"], made.rng)
        fields = {
            "text": sentence.text,
            "source": sentence.source,
            "voice": voice.name,
            "engine": voice.engine,
            "split": made.split,
        }
        clips += [
            (emotion.say(sentence.spoken, voice, label, made.rng), {"label": label, **fields})
            for label in emotion.STYLES
        ]
    yield from degrade([clips[i] for i in made.rng.permutation(len(clips))], made.rng, strength=0.3)


def read_aloud(sentences: Sequence[str], voice: Voice, rng: np.random.Generator) -> Audio:
    """The sentences one after another, in one manner of speaking, with pauses of 0.2-0.7 s."""
    manner = everyday_prosody(rng)
    parts: list[Audio] = []
    for sentence in sentences:
        parts += [
            speak(sentence, voice, manner, int(rng.integers(2**31))),
            np.zeros(int(rng.uniform(0.2, 0.7) * RATE), np.float32),
        ]
    return np.concatenate(parts[:-1])


def passage_fields(told: Passage) -> dict[str, Any]:
    """Transcript, passage, and all questions; the first of them also at the top level, as the task wants it."""
    questions = [asdict(question) for question in told.questions]
    return {
        "text": told.transcript,
        "passage": told.text,
        "domain": told.domain,
        **questions[0],
        "questions": questions,
    }


def question_passages(number: int, made: Making, count: int, minutes: bool = False) -> Iterator[Clip]:
    """Passages with questions, of 10-40 seconds or of minutes."""
    draws = random.Random(f"{made.split}/{minutes}/{number}")
    clips: list[Clip] = []
    for _ in range(round(count * made.portion)):
        told = long_passage(draws, draws.randint(2, 6)) if minutes else passage(draws, fewest=2)
        voice = draw(made.voices, made.rng)
        fields = {"voice": voice.name, "engine": voice.engine, "split": made.split, **passage_fields(told)}
        clips.append((read_aloud(told.sentences, voice, made.rng), fields))
    yield from degrade(clips, made.rng, strength=0.6)


def two_utterances(
    first: Sentence, second: Sentence, voices: Sequence[Voice], same: bool, rng: np.random.Generator
) -> Clip:
    """Two sentences in one recording, by one speaker or by two; the label answers whether there is only one."""
    one = draw(voices, rng)
    two = one if same else draw([v for v in voices if v.name != one.name], rng)
    x = [speak(s.spoken, v, everyday_prosody(rng), int(rng.integers(2**31))) for s, v in ((first, one), (second, two))]
    pause = np.zeros(int(rng.uniform(0.3, 0.8) * RATE), np.float32)
    fields = {
        "label": "yes" if same else "no",
        "text": f"{first.text} {second.text}",
        "voice": one.name,
        "second_voice": two.name,
    }
    return np.concatenate([x[0], pause, x[1]]), fields


def speaker_pairs(number: int, made: Making, counts: dict[str, int]) -> Iterator[Clip]:
    """Pairs of sentences, half of them by one speaker."""
    said = made.sentences(number, counts)
    said = [said[i] for i in made.rng.permutation(len(said))]
    clips: list[Clip] = []
    for index, (first, second) in enumerate(zip(said[::2], said[1::2], strict=False)):
        x, fields = two_utterances(first, second, made.voices, index % 2 == 0, made.rng)
        clips.append((x, {**fields, "split": made.split}))
    yield from degrade(clips, made.rng, strength=0.5)


def pools_of(split: str, data: Path) -> dict[str, list[Sentence]]:
    """All sentences of a split by source."""
    everything = {
        "tatoeba": texts.tatoeba(data / "tatoeba_en_de.tsv"),
        "librispeech": texts.librispeech(data / "librispeech_dev_clean.tsv"),
        "austen": texts.austen(Path("/usr/lib/R/site-library/janeaustenr/data")),
        "bible": texts.bible(),
        "wordnet": texts.wordnet(Path("/usr/share/wordnet")),
        "grammar": texts.own_grammar(),
        "word": texts.wordnet_words(Path("/usr/share/wordnet")),
        "passage": two_sentences(),
    }
    return {name: [s for s in pool if s.split == split] for name, pool in everything.items()}


KINDS = {
    "asr": partial(
        read_sentences,
        counts={
            "librispeech": 70,
            "austen": 170,
            "bible": 50,
            "wordnet": 250,
            "tatoeba": 250,
            "grammar": 100,
            "word": 60,
            "passage": 120,
        },
    ),
    "st": partial(read_sentences, counts={"tatoeba": 600, "grammar": 450}),
    "sqa": partial(question_passages, count=150),
    "sqa-long": partial(question_passages, count=24, minutes=True),
    "sv": partial(speaker_pairs, counts={"tatoeba": 300, "grammar": 300}),
    "er": partial(emotional_sentences, counts={"tatoeba": 120, "wordnet": 60, "austen": 60, "grammar": 60}),
}
"""How a shard of each kind is made, with the number of sentences of each source; it comes to half an hour or more."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("outputs/tiny/shards"))
    parser.add_argument(
        "--texts", type=Path, required=True, help="folder with tatoeba_en_de.tsv and librispeech_dev_clean.tsv"
    )
    parser.add_argument("--kind", choices=KINDS, default="asr")
    parser.add_argument("--split", choices=("train", "dev"), default="train")
    parser.add_argument("--engines", nargs="+", choices=(*SHARES, "kokoro"), default=list(SHARES))
    parser.add_argument(
        "--portion", type=float, default=1.0, help="size of a shard; 0.1 is enough for a development set"
    )
    parser.add_argument("--shards", type=int, default=1, help="how many shards")
    parser.add_argument("--first", type=int, default=0, help="this process's first shard ...")
    parser.add_argument(
        "--every", type=int, default=1, help="... and its step: give k processes --first 0..k-1 --every k"
    )
    args = parser.parse_args()
    pools, voices = pools_of(args.split, args.texts), voices_for(args.split, args.engines)
    for number in range(args.first, args.first + args.shards * args.every, args.every):
        folder = args.out / f"{args.kind}{'' if '-' in args.kind else '-'}{number:04d}"
        if not is_complete(folder):
            began = time.time()
            rng = np.random.default_rng([number, *args.kind.encode(), *args.split.encode()])
            hours = write_shard(folder, KINDS[args.kind](number, Making(pools, voices, args.split, rng, args.portion)))
            print(f"{folder.name}: {hours:.2f} h in {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
