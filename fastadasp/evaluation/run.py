"""One evaluation, from a checked setup to `metrics.json`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fastadasp.config.chosen_layer import with_chosen_layer
from fastadasp.config.compose import keep_config
from fastadasp.config.fingerprint import fingerprint
from fastadasp.errors import InputError
from fastadasp.evaluation.batches import finished
from fastadasp.evaluation.children import run_in_children
from fastadasp.evaluation.elsewhere import check_alone, elsewhere
from fastadasp.evaluation.hardware import resolve, use_threads
from fastadasp.evaluation.logged import numbers
from fastadasp.evaluation.loggers import begin, check_loggers, send
from fastadasp.evaluation.metrics import remark_on, results
from fastadasp.evaluation.session import Session, at_depth
from fastadasp.evaluation.setup import Setup
from fastadasp.evaluation.store import METRICS, RunStore, StoreError
from fastadasp.evaluation.summary import show
from fastadasp.evaluation.team import team_of
from fastadasp.evaluation.trainer import answer_left, quiet_lightning
from fastadasp.evaluation.turns import Meeting
from fastadasp.measuring.provenance import provenance
from fastadasp.models.base import ModelAdapter
from fastadasp.process.cluster import Team
from fastadasp.process.signals import lead, stoppable
from fastadasp.tasks.base import Prediction

Media = Callable[[Session, Mapping[str, Any], Mapping[str, float], Sequence[Prediction]], Mapping[str, Any]]
"""What makes W&B's tables and images of a run, its `metrics.json`, its `cost.json` and its predictions."""


def evaluate(cfg: DictConfig, setup: Setup, media: Media | None = None) -> float:
    """Answer what the run's folder does not yet hold, score all of it, and return the task's objective.

    The folder then holds `metrics.json` (the same in every repetition: quality, reduction, exact cost, config,
    provenance), `cost.json` (what was measured: time, memory) and `predictions.jsonl`. Of several processes that Slurm
    or torchrun has started, the first one scores; the others return 0.0. SIGTERM raises `Stopped`, a SystemExit.

    media: tables and images for W&B; None: W&B gets the numbers alone.
    """
    with stoppable(by_interrupt=False):
        return _evaluate(cfg, setup, media)


def _evaluate(cfg: DictConfig, setup: Setup, media: Media | None) -> float:
    quiet_lightning()
    is_local = isinstance(setup.adapter, ModelAdapter)
    placement = resolve(setup.hardware) if is_local else elsewhere(setup)
    use_threads(placement)
    team, gpus = team_of(setup.hardware, placement)
    if not is_local:
        check_alone(team)
    setup = at_depth(setup)
    setup.adapter.check(setup.examples)
    lead(team.leads)
    if team.leads:
        check_loggers(cfg)
    name = fingerprint(cfg)
    store = RunStore(Path(HydraConfig.get().runtime.output_dir), team.rank)
    meeting = Meeting(Team() if team.starts_others else team, name)
    meeting.begin()
    session = Session(setup, placement, store, meeting, cfg.seed, gpu=gpus[team.local_rank])
    if not team.leads:
        _help(session)
        return 0.0
    with _telling_problems(meeting), store.locked():
        session, done = _prepared(cfg, session, name)
        if store.writable:
            begin(cfg)
        meeting.tell(work=not done)
        if not done:
            _answer(cfg, session, team, gpus)
        predictions = store.consolidate([example.id for example in setup.examples])
        found, cost = results(cfg, name, session, predictions)
        if store.writable:
            store.write(METRICS, found)
            store.write("cost.json", cost)
    remark_on(found, setup.generation.max_new_tokens)
    show(found, cost, str(store.folder))
    if store.writable:
        flat = numbers(found, cost, setup.task.higher_is_better, setup.logged.flops_budget)
        told = {"method": found["merge"], "schedule": str(cfg.merge.schedule), "model_name": found["model"]}
        flat |= {name: found["reduction"][name] for name in ("ratio", "layer") if found["reduction"][name] is not None}
        send(cfg, flat, told, lambda: {} if media is None else media(session, found, cost, predictions))
    return float(found["quality"][setup.task.objective])


@contextmanager
def _telling_problems(meeting: Meeting) -> Iterator[None]:
    """Let the other processes end with the problem that ends this one, instead of waiting for it."""
    try:
        yield
    except InputError as error:
        meeting.tell(work=False, problem=str(error))
        raise


def _prepared(cfg: DictConfig, session: Session, name: str) -> tuple[Session, bool]:
    """`session` with its ratio, in a folder that is known to be this run's, and whether every example has an answer."""
    store = session.store
    store.claim(name)
    session = session.with_ratio(keep=store.writable)
    if store.writable:
        keep_config(cfg, store.folder)
    answered = finished(store.each())
    done = all(example.id in answered for example in session.setup.examples)
    if not done and not store.writable:
        raise StoreError(f"{store.folder} can only be read, and not all of its examples have an answer yet")
    return session, done


def _answer(cfg: DictConfig, session: Session, team: Team, gpus: list[int]) -> None:
    """Answer what is left, in this process or in those that it starts."""
    if not isinstance(session.setup.adapter, ModelAdapter):
        from fastadasp.evaluation.served import ask_left

        ask_left(session)
    elif team.starts_others:
        run_in_children(with_chosen_layer(cfg), team, session.store.folder, gpus)
    else:
        answer_left(_with_origin(session))


def _help(session: Session) -> None:
    """Answer batches of a run that another process leads."""
    if session.meeting.hear():
        answer_left(_with_origin(session.with_ratio(keep=False)))


def _with_origin(session: Session) -> Session:
    return replace(session, origin=session.store.note_origin(provenance(session.placement)))
