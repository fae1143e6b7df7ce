"""Each of several runs against the first one, on the same clips: difference, p values, margins.

N clips, K counts of a task's tally.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fastadasp.comparing.clips import Clip, changed
from fastadasp.errors import ConfigError, InputError
from fastadasp.files.text import short
from fastadasp.judging.scores import PREFIX, judged, judged_score
from fastadasp.report.conditions import alike, check_clips, conditions, within
from fastadasp.report.runs import Run, find_runs, names
from fastadasp.statistics.correction import Correction, corrected
from fastadasp.statistics.intervals import Interval
from fastadasp.statistics.paired import Permutation, detectable, difference, p_equivalent, p_no_worse, permutation
from fastadasp.statistics.score import Score
from fastadasp.tasks.counted import Counted

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Settings:
    """How runs are compared."""

    metric: str | None = None
    """The score; None: the task's objective; `judge:NAME`: the scores of a judge that have been imported."""
    margin: float = 0.5
    """Points by which a run may be worse and still count as no worse. Points are percent, or BLEU's own."""
    correction: Correction = Correction.holm
    resamples: int = 10_000
    """Of intervals, and exchanges of permutation tests."""
    seed: int = 0
    cluster: str | None = None
    """Field of the manifest that names clips which belong together, in the place of `task.cluster`; None: that one."""
    all_pairs: bool = False
    """Compare each run with each other one, not only with the first one."""
    differ: Sequence[str] = ()
    """Settings besides the reduction in which the runs may differ, such as `generation.num_beams` or `model`."""

    def __post_init__(self) -> None:
        if not self.margin > 0:
            raise ConfigError(f"--margin {self.margin}: it must be a number of points above 0, such as 0.5")


@dataclass(frozen=True)
class Comparison:
    """The second run against the first one. Scores and differences are in the score's own unit."""

    first: str
    second: str
    """Names of the runs."""
    gain: Interval
    """The second score minus the first one, better or not."""
    better: bool
    """Whether the second score is better."""
    test: Permutation
    p_corrected: float
    p_no_worse: float
    """Of the hypothesis that the second run is worse by the margin or more."""
    p_no_worse_corrected: float
    p_equivalent: float
    """Of the hypothesis that the runs differ by the margin or more."""
    detectable: float
    """The smallest true difference that is found with 80 % probability."""
    broken: Sequence[Clip] = field(repr=False, default=())
    mended: Sequence[Clip] = field(repr=False, default=())

    @property
    def verdict(self) -> str:
        """What the corrected p values allow to say."""
        differs = self.p_corrected < SIGNIFICANT
        bounded = self.p_no_worse_corrected < SIGNIFICANT
        if differs:
            return "better" if self.better else "worse, but by less than the margin" if bounded else "worse"
        return "no worse" if bounded else "undecided"


@dataclass(frozen=True)
class Compared:
    """All comparisons of one command."""

    task: str
    model: str
    metric: str
    higher_is_better: bool
    scale: float
    """Factor that makes points of a score."""
    clips: int
    clusters: int
    unit: str
    """What is drawn and exchanged, in the plural: clips, speakers, ..."""
    settings: Settings
    scores: Mapping[str, Interval]
    """By name of the run."""
    comparisons: Sequence[Comparison]

    @property
    def margin(self) -> float:
        """In the score's unit."""
        return self.settings.margin / self.scale


def read_runs(folders: Sequence[Path], trusted: Sequence[str] = ()) -> list[Run]:
    """The run in each of the folders; InputError for a folder that holds none, or several."""
    found = []
    for folder in folders:
        runs = find_runs([folder], trusted)
        if len(runs) > 1:
            inside = ", ".join(short(run.folder) for run in runs[:5])
            raise InputError(f"{short(folder)} holds {len(runs)} runs; name one of them: {inside}")
        found += runs
    return found


def compare(runs: Sequence[Run], settings: Settings) -> Compared:
    """Compare each run with the first one. Raises InputError for runs that cannot be compared."""
    if len(runs) < 2:
        raise InputError("a comparison needs two runs or more: fastadasp compare FIRST SECOND")
    check(runs, settings.differ)
    task = runs[0].task
    score, counted = _counted(runs, settings)
    called = labels(runs, settings.differ)
    count = len(runs)
    pairs = [(0, second) for second in range(1, count)]
    if settings.all_pairs:
        pairs = [(first, second) for first in range(count) for second in range(first + 1, count)]
    scale = 1.0 if score.high - score.low > 1 else 100.0
    found = [_compared(runs, counted, called, pair, score, settings, scale) for pair in pairs]
    clusters = counted[0].clusters
    return Compared(
        *runs[0].group,
        settings.metric or task.objective,
        score.higher_is_better,
        scale,
        len(counted[0].counts_NK),
        clusters.count,
        clusters.unit,
        settings,
        {name: one.estimate(score, settings.resamples).interval() for name, one in zip(called, counted, strict=True)},
        _corrected(found, settings.correction),
    )


def _counted(runs: Sequence[Run], settings: Settings) -> tuple[Score, list[Counted]]:
    """The score, and what it is computed from in each run."""
    if (settings.metric or "").startswith(PREFIX):
        judge = str(settings.metric).removeprefix(PREFIX)
        by_judge = [judged(run, judge, settings.cluster) for run in runs]
        return judged_score(*by_judge), by_judge
    score = runs[0].task.measured(settings.metric)
    return score, Counted.of_each(runs[0].task, [run.predictions for run in runs], settings.cluster)


def check(runs: Sequence[Run], differ: Sequence[str]) -> None:
    """Raise InputError where the runs differ in more than the reduction and `differ`, with the setting's name."""
    groups = {run.group for run in runs}
    if len({task for task, _ in groups}) > 1 or (len(groups) > 1 and "model" not in differ):
        told = " and ".join(f"{task} by {model}" for task, model in sorted(groups))
        raise InputError(
            f"the runs are {told}; only runs of one task and model can be compared"
            + ("" if len({task for task, _ in groups}) > 1 else " (--differ model allows it)")
        )
    apart = [told for told, _ in alike(runs, differ)]
    if len(apart) > 1:
        raise InputError(
            f"the runs differ in more than the reduction: {' against '.join(short(one, 200) for one in apart)}. "
            "If that is what you want to compare, name the setting: --differ " + apart[0].partition("=")[0]
        )
    check_clips(runs, tokens="model" not in differ)


def labels(runs: Sequence[Run], differ: Sequence[str] = ()) -> list[str]:
    """A name for each run: its method, its amount, its own among the settings `differ`, and else its folder."""
    called, found = names(runs), []
    settings = [conditions(run) for run in runs]
    apart = [key for key in dict.fromkeys(key for own in settings for key in own) if within(key, differ)]
    apart = [key for key in apart if len({repr(own.get(key)) for own in settings}) > 1]
    for run, own in zip(runs, settings, strict=True):
        amount = "" if run.amount is None else f" {run.amount[0]}={run.amount[1]:g}"
        model = f" {run.metrics['model']}" if "model" in differ else ""
        told = "".join(f" {key}={short(own.get(key), 40)}" for key in apart if not key.startswith("model."))
        found.append(f"{called[run.folder]}{amount}{model}{told}")
    return [
        name if found.count(name) == 1 else f"{name} ({short(run.folder)})"
        for name, run in zip(found, runs, strict=True)
    ]


def _compared(
    runs: Sequence[Run],
    counted: Sequence[Counted],
    called: Sequence[str],
    pair: tuple[int, int],
    score: Score,
    settings: Settings,
    scale: float,
) -> Comparison:
    (first_NK, second_NK), clusters = (counted[at].counts(score) for at in pair), counted[pair[0]].clusters
    gain = difference(first_NK, second_NK, score, clusters, settings.resamples, settings.seed)
    test = permutation(first_NK, second_NK, score, clusters, settings.resamples, settings.seed)
    margin = settings.margin / scale
    broken, mended = changed(runs[pair[0]], runs[pair[1]], first_NK, second_NK, score)
    no_worse = p_no_worse(gain, margin)
    return Comparison(
        called[pair[0]],
        called[pair[1]],
        gain.interval(),
        gain.value > 0 if score.higher_is_better else gain.value < 0,
        test,
        test.p,
        no_worse,
        no_worse,
        p_equivalent(gain, margin),
        detectable(gain),
        broken,
        mended,
    )


def _corrected(found: Sequence[Comparison], kind: Correction) -> list[Comparison]:
    """With p values that allow for the number of comparisons."""
    differing = corrected([one.test.p for one in found], kind)
    bounded = corrected([one.p_no_worse for one in found], kind)
    return [
        replace(one, p_corrected=p, p_no_worse_corrected=margin)
        for one, p, margin in zip(found, differing, bounded, strict=True)
    ]
