"""What runs must agree in to stand in one table: everything but how tokens are reduced."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fastadasp.config.fingerprint import IRRELEVANT
from fastadasp.errors import InputError
from fastadasp.files.text import short, shown
from fastadasp.report.runs import Run

APART = frozenset({*IRRELEVANT, "merge", "selection", "benchmark"})
"""Keys of the config in which runs of one table may differ."""
RESOLVED = ("dtype", "attention")
"""Entries of `provenance` that the config may leave to the machine."""

SAME = ("reference", "seconds", "audio_tokens")
"""What tells of a prediction whether another run's, under the same id, is of the same clip."""


def conditions(run: Run) -> dict[str, Any]:
    """By dotted name, the settings of a run that its answers and scores depend on besides the reduction."""
    settings = dict(_flat(run.metrics["config"], ""))
    resolved = {name: run.metrics["provenance"].get(name) for name in RESOLVED}
    return {**settings, **resolved, **dict(_flat(run.metrics.get("scorer", {}), "scorer."))}


def alike(runs: Sequence[Run], differ: Collection[str] = ()) -> list[tuple[str, list[Run]]]:
    """Groups of runs that agree in their task, model and conditions, in the order of the runs.

    differ: further settings, or nodes of settings, in which they may differ; with `model`, models too.

    Beside each group stands what sets it apart from the others of its task and model, such as
    `generation.num_beams=4`; nothing where there is no other.
    """
    found: list[tuple[str, list[Run]]] = []
    for names in dict.fromkeys(_group(run, differ) for run in runs):
        members = [(run, conditions(run)) for run in runs if _group(run, differ) == names]
        keys = [key for key in dict.fromkeys(key for _, own in members for key in own) if not within(key, differ)]
        differing = [key for key in keys if _differs(key, members)]
        groups: dict[str, list[Run]] = {}
        for run, own in members:
            groups.setdefault(", ".join(f"{key}={_told(own.get(key))}" for key in differing), []).append(run)
        found += groups.items()
    return found


def _group(run: Run, differ: Collection[str]) -> tuple[str, ...]:
    return run.group[:1] if "model" in differ else run.group


def within(key: str, names: Collection[str]) -> bool:
    """Whether a dotted key is one of `names` or inside one of these nodes."""
    return any(key == name or key.startswith(f"{name}.") for name in names)


def check_clips(runs: Sequence[Run], tokens: bool = True) -> None:
    """InputError where runs of one table have answered other clips than the first one, or others of the same ids.

    tokens: whether equal clips must have equal numbers of audio tokens, as those of one model do.
    """
    first, told = runs[0], SAME if tokens else SAME[:2]
    for run in runs[1:]:
        if len(run.predictions) != len(first.predictions):
            raise _other_examples(run, first)
        for one, other in zip(run.predictions, first.predictions, strict=True):
            if one.id != other.id:
                raise _other_examples(run, first)
            what = next((name for name in told if getattr(one, name) != getattr(other, name)), None)
            if what is not None and not (one.error or other.error):
                raise InputError(
                    f"{run.folder} and {first.folder} ran other clips under the same ids: {what} of {shown(one.id)} is "
                    f"{shown(getattr(one, what))} and {shown(getattr(other, what))}; only like runs can be compared"
                )


def _other_examples(run: Run, first: Run) -> InputError:
    return InputError(f"{run.folder} and {first.folder} ran other examples; only like runs can be compared")


def _flat(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        name = f"{prefix}{key}"
        if name in APART:
            continue
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _differs(key: str, members: Sequence[tuple[Run, Mapping[str, Any]]]) -> bool:
    return len({repr(own.get(key)) for _, own in members}) > 1


def _told(value: object) -> str:
    return short(value, 60)
