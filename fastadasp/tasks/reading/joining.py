"""One transcript out of those of windows that follow each other."""

from collections.abc import Iterator, Sequence

WORDS_PER_SECOND = 6
"""More than anyone says: how many words can lie in an overlap."""


def joined(texts: Sequence[str], overlap_seconds: float = 0.0) -> str:
    """The texts one after the other; what the windows' overlaps hold twice is taken once.

    Where two windows overlap, a run of words on which they agree is looked for in the last words of the one and the
    first words of the other: what stands before that run comes from the first, what stands after it from the second.
    The best run has the most words, less those that it throws away (words at the edges of windows are often cut); where
    no run has more words than it throws away, both texts stay whole.

    >>> joined(["one two three four", "three four five"], overlap_seconds=1)
    'one two three four five'
    """
    words: list[str] = []
    reach = round(overlap_seconds * WORDS_PER_SECOND)
    for text in texts:
        words = _appended(words, text.split(), reach)
    return " ".join(words)


def _appended(words: list[str], following: list[str], reach: int) -> list[str]:
    tail, head = words[max(0, len(words) - reach) :] if reach else [], following[:reach]
    gain, at = max(_runs(_bare(tail), _bare(head)), default=(0, (0, 0)))
    if gain <= 0:
        return words + following
    return words[: len(words) - len(tail) + at[0]] + following[at[1] :]


def _runs(tail: Sequence[str], head: Sequence[str]) -> Iterator[tuple[int, tuple[int, int]]]:
    """All longest runs that both have: words in it less words thrown away, and where it begins in each."""
    lengths = [[0] * (len(head) + 1) for _ in range(len(tail) + 1)]
    for first in range(len(tail) - 1, -1, -1):
        for second in range(len(head) - 1, -1, -1):
            if tail[first] == head[second]:
                size = lengths[first][second] = lengths[first + 1][second + 1] + 1
                yield size - (len(tail) - first - size) - second, (first, second)


def _bare(words: Sequence[str]) -> list[str]:
    """Words without capitals and punctuation, in which windows differ at their ends."""
    return ["".join(sign for sign in word.casefold() if sign.isalnum()) or word for word in words]
