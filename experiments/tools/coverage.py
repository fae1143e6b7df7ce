"""How often the 95 % intervals of `fastadasp.statistics` hold the true score: `python -m experiments.tools.coverage`.

Draws many sets of clips from populations whose true score is known, and counts the intervals that hold it. The result
goes to experiments/results/statistics/coverage.json and, as a table, to the terminal. About five minutes on one core.

N clips, G clusters, K counts.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastadasp.config.paths import REPOSITORY
from fastadasp.statistics.clusters import Clusters
from fastadasp.statistics.intervals import estimate
from fastadasp.statistics.score import Floats, Score, share
from fastadasp.tasks.st import ST

OUT = REPOSITORY / "experiments" / "results" / "statistics" / "coverage.json"
RESAMPLES = 1000

WER = Score(share, higher_is_better=False)
ACCURACY = Score(share, higher_is_better=True, share=True)
BLEU = ST(Path()).measured()

Draw = Callable[[np.random.Generator], tuple[Floats, Clusters]]


@dataclass(frozen=True)
class Population:
    """Something that sets of clips are drawn from."""

    draw: Draw
    """(N, K) counts of one set of clips, and their clusters."""
    score: Score


def _grouped(draw: np.random.Generator, speakers: int, each: int) -> Clusters:
    """Unlike numbers of clips by speaker, `each` on average; one where each is 1."""
    if each == 1:
        return Clusters.each(speakers)
    sizes_G = np.maximum(2, draw.poisson(each, speakers))
    return Clusters(np.repeat(np.arange(speakers), sizes_G), speakers, "speaker")


def _rates(draw: np.random.Generator, clusters: Clusters, rate: float, spread: float) -> Floats:
    """Error rates of clips: speakers differ log-normally (standard deviation `spread`), their clips by a gamma law."""
    of_speaker_G = rate * np.exp(spread * draw.normal(size=clusters.count) - spread**2 / 2)
    return np.minimum(of_speaker_G[clusters.of_N] * draw.gamma(0.5, 2, len(clusters.of_N)), 1)


def recognised(
    draw: np.random.Generator, speakers: int, each: int, rate: float, spread: float, paired: bool
) -> tuple[Floats, Clusters]:
    """Wrong words and words, of one run or of two whose errors are mostly the same."""
    clusters = _grouped(draw, speakers, each)
    words_N = 3 + draw.negative_binomial(2, 2 / 17, len(clusters.of_N))
    wrong_N = draw.binomial(words_N, _rates(draw, clusters, rate, spread))
    columns = [wrong_N, words_N]
    if paired:
        mended_N, broken_N = draw.binomial(wrong_N, 0.1), draw.binomial(words_N, _rates(draw, clusters, 0.02, spread))
        columns += [wrong_N - mended_N + broken_N, words_N]
    return np.stack(columns, axis=1).astype(float), clusters


def answered(
    draw: np.random.Generator, speakers: int, each: int, right: float, paired: bool
) -> tuple[Floats, Clusters]:
    """Right answers and answers; speakers differ (intraclass correlation 0.1) where they have several clips."""
    clusters = _grouped(draw, speakers, each)
    of_speaker_G = draw.beta(9 * right, 9 * (1 - right), speakers) if each > 1 else np.full(speakers, right)
    first_N = draw.random(len(clusters.of_N)) < of_speaker_G[clusters.of_N]
    columns = [first_N, np.ones(len(first_N))]
    if paired:
        drawn_N = draw.random(len(first_N))
        columns += [np.where(first_N, drawn_N > 0.1, drawn_N < 0.15), np.ones(len(first_N))]
    return np.stack(columns, axis=1).astype(float), clusters


def translated(draw: np.random.Generator, speakers: int, each: int, paired: bool) -> tuple[Floats, Clusters]:
    """What BLEU counts: n-grams of sentences of unlike length whose words are right with unlike probability."""
    clusters = _grouped(draw, speakers, each)
    clips = len(clusters.of_N)
    base_G = draw.normal(0.8, 0.5, speakers)
    easy_N = base_G[clusters.of_N] + draw.normal(0, 0.8, clips)
    wanted_N = 3 + draw.negative_binomial(3, 3 / 13, clips)
    columns = []
    for shift in (0.0, -0.15)[: 2 if paired else 1]:
        right_N = 1 / (1 + np.exp(-easy_N - shift + draw.normal(0, 0.2, clips)))
        spoken_N = np.maximum(1, wanted_N + draw.integers(-1, 2, clips))
        all_NO = np.maximum(spoken_N[:, None] - np.arange(4), 0)
        hits_NO = draw.binomial(all_NO, right_N[:, None] ** (1 + 0.5 * np.arange(4)))
        columns += [*hits_NO.T, *all_NO.T, spoken_N, wanted_N, np.maximum(wanted_N - 3, 0)]
    return np.stack(columns, axis=1).astype(float), clusters


def populations() -> Mapping[str, Population]:
    """By name."""
    found: dict[str, Population] = {}

    def add(name: str, draw: Draw, score: Score, counts: int = 0) -> None:
        found[name] = Population(draw, score.difference(counts) if counts else score)

    for right in (0.6, 0.8, 0.9):
        for clips in (10, 20, 64):
            add(f"accuracy {right}, {clips} clips", _partial(answered, clips, 1, right, False), ACCURACY)
        for speakers in (4, 6, 10, 20):
            add(f"accuracy {right}, {speakers} speakers", _partial(answered, speakers, 25, right, False), ACCURACY)
    for rate, clips in ((0.1, 10), (0.1, 20), (0.1, 50), (0.1, 200), (0.03, 50), (0.03, 200)):
        add(f"WER {rate}, {clips} clips", _partial(recognised, clips, 1, rate, 0.0, False), WER)
    for speakers in (4, 6, 10, 20, 40):
        add(f"WER 0.1, {speakers} speakers", _partial(recognised, speakers, 30, 0.1, 0.5, False), WER)
        add(f"BLEU, {speakers} speakers", _partial(translated, speakers, 20, False), BLEU)
        add(f"difference of WER, {speakers} speakers", _partial(recognised, speakers, 30, 0.08, 0.5, True), WER, 2)
        add(f"difference of accuracy, {speakers} speakers", _partial(answered, speakers, 25, 0.8, True), ACCURACY, 2)
    for clips in (20, 50, 200):
        add(f"BLEU, {clips} clips", _partial(translated, clips, 1, False), BLEU)
        add(f"difference of BLEU, {clips} clips", _partial(translated, clips, 1, True), BLEU, 11)
        add(f"difference of WER, {clips} clips", _partial(recognised, clips, 1, 0.08, 0.0, True), WER, 2)
        add(f"difference of accuracy, {clips} clips", _partial(answered, clips, 1, 0.8, True), ACCURACY, 2)
    return found


def _partial(function: Callable[..., tuple[Floats, Clusters]], *arguments: object) -> Draw:
    return lambda draw: function(draw, *arguments)


def truth(population: Population, clips: int = 400_000) -> float:
    """The score of very many clips."""
    draw, sums_K, drawn = np.random.default_rng(10**6), 0.0, 0
    while drawn < clips:
        counts_NK, _ = population.draw(draw)
        sums_K, drawn = sums_K + counts_NK.sum(0), drawn + len(counts_NK)
    return population.score.one(np.asarray(sums_K))


def coverage(population: Population, sets: int, true: float, seed: int = 0) -> tuple[float, float]:
    """The share of intervals that hold the true score, and their median width."""
    held, widths = 0, []
    draw = np.random.default_rng(seed)
    for number in range(sets):
        counts_NK, clusters = population.draw(draw)
        interval = estimate(counts_NK, population.score, clusters, RESAMPLES, seed=number).interval()
        held += interval.low <= true <= interval.high
        widths.append(interval.high - interval.low)
    return held / sets, float(np.median(widths))


def main() -> None:
    """Simulate all populations and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000, help="sets of clips drawn from each population")
    given = parser.parse_args()
    found = {}
    for name, population in populations().items():
        true = truth(population)
        held, width = coverage(population, given.sets, true)
        found[name] = {"true": round(true, 5), "coverage": held, "median_width": round(width, 5)}
        print(f"{name:40} {100 * held:5.1f} %", flush=True)
    content = {"sets": given.sets, "resamples": RESAMPLES, "populations": found}
    OUT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
