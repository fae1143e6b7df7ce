"""Answering what the folder of a run lacks, in one process: the plan of batches, the seeds and lightning's Trainer."""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

from lightning import Trainer, seed_everything
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.rank_zero import rank_zero_only

from fastadasp.evaluation.batches import finished, planned
from fastadasp.evaluation.module import EvalModule
from fastadasp.evaluation.reading import explained_reader_loss
from fastadasp.evaluation.session import Session
from fastadasp.evaluation.strategy import distributed
from fastadasp.process.signals import handlers, stop_if_told


def answer_left(session: Session) -> None:
    """Answer batches until none is left that no other process of the run has taken."""
    quiet_lightning()
    batches = planned(session.setup, done=finished(session.store.each()))
    seed_everything(session.seed, verbose=False)
    # Lightning takes the rank from variables that may be left over.
    rank_zero_only.rank = session.meeting.team.rank  # type: ignore[attr-defined]
    alone = session.meeting.team.size == 1
    trainer = Trainer(
        **(_single(session) if alone else distributed(session.meeting, session.device)),
        **_of_terminal(session),
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=session.store.folder,
    )
    module = EvalModule(session, batches, handlers())
    with explained_reader_loss():
        trainer.test(module, verbose=False)
    stop_if_told()


def _single(session: Session) -> Mapping[str, Any]:
    """What lightning is told of the device of a run of one process; it is not to look for others."""
    on_gpu = session.placement.accelerator == "cuda"
    return {
        "accelerator": "gpu" if on_gpu else session.placement.accelerator,
        "devices": [session.gpu] if on_gpu else 1,
        "plugins": [LightningEnvironment()],
    }


def _of_terminal(session: Session) -> Mapping[str, Any]:
    given = session.setup.hardware.trainer
    return {
        "enable_progress_bar": session.meeting.team.rank == 0 and given.get("enable_progress_bar", True),
        "profiler": given.get("profiler"),
    }


def quiet_lightning() -> None:
    """Keep lightning's remarks on hardware and data loaders off the terminal; its warnings about real trouble stay."""
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in ("does not have many workers", "Experiment logs directory", "LeafSpec"):
        warnings.filterwarnings("ignore", f".*{message}.*")
