"""Lessons without audio: `python -m experiments.training.tiny.corpus.written --texts FOLDER --out outputs/tiny/texts`.

Passages with questions (`sqa.jsonl`), pairs of words (`pairs.jsonl`), sentences with their translation (`st.jsonl`), in
the shards' fields. A passage has ten times fewer text than audio tokens, so the skill is learnt from text first; and to
find one word by another is learnt from bare pairs first, where every second word asks for it.
"""

import argparse
import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import texts
from .pairs import pairs, told_alike
from .passages import scene
from .synthesize import passage_fields


def write(path: Path, items: Iterable[Mapping[str, Any]]) -> int:
    """One JSON line an item; returns how many."""
    lines = [json.dumps(item, ensure_ascii=False) for item in items]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def translations(folder: Path) -> list[dict[str, Any]]:
    """Training sentences of Tatoeba and of the grammar with their German."""
    pool = [*texts.tatoeba(folder / "tatoeba_en_de.tsv"), *texts.own_grammar()]
    return [{"text": s.text, "translation": s.translation} for s in pool if s.split == "train"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="folder with tatoeba_en_de.tsv")
    parser.add_argument("--out", type=Path, default=Path("outputs/tiny/texts"))
    parser.add_argument("--passages", type=int, default=40_000)
    parser.add_argument("--pairs", type=int, default=60_000)
    parser.add_argument("--seed", default="sqa", help="another one for lessons that training does not see")
    args = parser.parse_args()
    rng = random.Random(f"{args.seed} text")
    told = (passage_fields(scene(min(rng.randint(2, 11) for _ in range(3)), rng)) for _ in range(args.passages))
    print(f"sqa: {write(args.out / 'sqa.jsonl', told)} passages")
    lists = (rng.choice((pairs, told_alike))(rng) for _ in range(args.pairs))
    print(f"pairs: {write(args.out / 'pairs.jsonl', lists)} lists")
    print(f"st: {write(args.out / 'st.jsonl', translations(args.texts))} sentences")


if __name__ == "__main__":
    main()
