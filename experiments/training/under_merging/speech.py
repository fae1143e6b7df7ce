"""Fresh speech to adapt a model on: `python -m experiments.training.under_merging.speech --out outputs/under_merging`.

Sentences of the project's own grammar and pairs of sentences out of passages, read by the training speakers of
`experiments/training/tiny/corpus` (engines hibari and flite). Neither a sentence nor a speaker of the bundled test sets
occurs: `texts.split_of` and `speakers.HELD_OUT` keep them apart. The development clips have held-out speakers of their
own. The interpreter is that of the speech engines (`experiments/training/tiny/Makefile`, target `data`).
"""

import argparse
from pathlib import Path

import numpy as np

from experiments.training.tiny.corpus import texts
from experiments.training.tiny.corpus.passages import two_sentences
from experiments.training.tiny.corpus.shards import is_complete, write_shard
from experiments.training.tiny.corpus.speakers import voices_for
from experiments.training.tiny.corpus.synthesize import Making, read_sentences

ENGINES = ("hibari", "flite")
FIRST_SHARD = {"train": 900, "dev": 0}
"""Number of the first shard: the pools are walked through in a fixed order, and the bundled model has read their
beginning."""


def main() -> None:
    """Write shards of a split, each from its own seed; complete ones are skipped."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("outputs/under_merging"))
    parser.add_argument("--split", choices=tuple(FIRST_SHARD), default="train")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--sentences", type=int, default=200, help="of each of the two sources, in a shard")
    args = parser.parse_args()
    pools = {
        name: [sentence for sentence in pool if sentence.split == args.split]
        for name, pool in (("grammar", texts.own_grammar()), ("passage", two_sentences()))
    }
    for number in range(FIRST_SHARD[args.split], FIRST_SHARD[args.split] + args.shards):
        folder = args.out / args.split / f"asr-{number:04d}"
        if is_complete(folder):
            continue
        rng = np.random.default_rng([number, *b"under merging", *args.split.encode()])
        made = Making(pools, voices_for(args.split, ENGINES), args.split, rng)
        hours = write_shard(folder, read_sentences(number, made, dict.fromkeys(pools, args.sentences)))
        print(f"{folder}: {hours:.2f} h", flush=True)


if __name__ == "__main__":
    main()
