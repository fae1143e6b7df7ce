"""Draws docs/figures/merging.svg, what merging does to a prompt: `python -m experiments.tools.figure`."""

from collections.abc import Iterator, Sequence

from fastadasp.config.paths import REPOSITORY

FILE = REPOSITORY / "docs" / "figures" / "merging.svg"
TEXT, AUDIO, FUSED, LINE, INK = "#999999", "#56B4E9", "#0072B2", "#444444", "#222222"
WIDTH, HEIGHT, SIDE, GAP = 860, 400, 22, 6
PROMPT = "tt" + "a" * 14 + "ttt"
"""Tokens of the prompt before the decoder: text, audio, text."""
GROUPS = (1, 1, 3, 1, 2, 1, 1, 1, 3, 2, 1, 1, 1)
"""How many tokens of the prompt each token stands for after the reduction."""


def token(x: float, y: float, color: str, size: int = 1) -> str:
    """A token as a square; one that stands for several carries their number."""
    square = f'<rect x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" rx="4" fill="{color}"/>'
    number = (
        f'<text x="{x + SIDE / 2}" y="{y + 16}" fill="white" text-anchor="middle">{size}</text>' if size > 1 else ""
    )
    return square + number


def row(y: float, sizes: Sequence[int], left: float = 30) -> Iterator[str]:
    """One line of tokens: `sizes` says what each stands for; the prompt says which are audio."""
    first = 0
    for place, size in enumerate(sizes):
        audio = PROMPT[first] == "a"
        yield token(left + place * (SIDE + GAP), y, FUSED if size > 1 else AUDIO if audio else TEXT, size)
        first += size


def words(x: float, y: float, text: str, weight: str = "normal", anchor: str = "start") -> str:
    """A line of text."""
    return f'<text x="{x}" y="{y}" fill="{INK}" font-weight="{weight}" text-anchor="{anchor}">{text}</text>'


def layer(y: float, text: str, x: float = 620) -> Iterator[str]:
    """A part of the decoder, and what a method may do there."""
    yield f'<rect x="{x}" y="{y}" width="210" height="34" rx="6" fill="none" stroke="{LINE}"/>'
    yield words(x + 105, y + 22, text, anchor="middle")


def figure() -> str:
    """The whole picture as SVG."""
    one = [1] * len(PROMPT)
    parts = [
        words(30, 34, "The prompt: 14 audio tokens (blue) between text tokens (grey)", "bold"),
        *row(46, one),
        words(30, 118, "Layers before merge.layer read all tokens; attention of this layer too.", "bold"),
        *row(130, one),
        words(30, 202, "Similar neighbours are fused, weighted by attention; text is left alone.", "bold"),
        *row(214, GROUPS),
        words(30, 286, "The MLP, later layers, their caches and decoding see 13 tokens, not 19.", "bold"),
        *row(298, GROUPS),
        words(30, 362, "A number: the neighbours that a fused token (dark) stands for."),
        *layer(40, "site input: before layer 0"),
        *layer(124, "self-attention of merge.layer"),
        *layer(208, "site decoder: fuse or drop here"),
        *layer(292, "MLP, then the next layers"),
        words(725, 362, "site cache: what a layer has stored", anchor="middle"),
        *(
            f'<path d="M725 {y} v{length - 6} m-5 -6 l5 6 l5 -6" fill="none" stroke="{LINE}"/>'
            for y, length in ((74, 48), (158, 48), (242, 48))
        ),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            'font-size="13" role="img" aria-label="How audio tokens are merged inside the decoder">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(figure(), encoding="utf-8")
