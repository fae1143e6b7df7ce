"""One of several processes of a run that `evaluation.children` starts: answers batches until none is left."""

import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fastadasp.config.messages import explain, is_expected
from fastadasp.evaluation.children import LOST
from fastadasp.process.cluster import Launcher, Team
from fastadasp.process.signals import ignore_requeue, stoppable
from fastadasp.process.streams import accept_all_signs


def main(job: Mapping[str, Any]) -> None:
    """Do a job as `children.run_in_children` describes it; a problem that the user can mend is reported to there."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed goes to the terminal by way of stderr
    accept_all_signs()
    logging.getLogger("fastadasp").setLevel(logging.ERROR)  # the parent has said what there is to remark
    ignore_requeue()  # the parent hears it too, and ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with stoppable():
        try:
            answer(job)
        except Exception as error:
            if not is_expected(error):
                raise
            from fastadasp.evaluation.turns import TeamError

            json.dump({"problem": explain(error)}, report)
            report.flush()
            sys.exit(LOST if isinstance(error, TeamError) else 1)


def answer(job: Mapping[str, Any]) -> None:
    """Answer this process's part of the run that `job` describes."""
    from fastadasp.evaluation.hardware import resolve
    from fastadasp.evaluation.session import Session, at_depth
    from fastadasp.evaluation.setup import validate
    from fastadasp.evaluation.store import RunStore
    from fastadasp.evaluation.trainer import answer_left
    from fastadasp.evaluation.turns import Meeting
    from fastadasp.measuring.provenance import provenance

    cfg = OmegaConf.create(job["config"])
    team = Team(**{**job["team"], "launcher": Launcher[job["team"]["launcher"]]})
    setup = at_depth(validate(cfg))
    placement = resolve(setup.hardware)
    store = RunStore(Path(job["folder"]), team.rank)
    meeting = Meeting(team, "run")
    meeting.begin()
    session = Session(
        setup, placement, store, meeting, cfg.seed, gpu=job["gpu"], origin=store.note_origin(provenance(placement))
    )
    answer_left(session.with_ratio(keep=False))


def _end_with_parent() -> None:
    """End this process when its parent does, even if that is killed: stdin, which it holds open, then ends."""
    while os.read(0, 4096):  # not by sys.stdin, whose lock would disturb the end of the interpreter
        pass
    os._exit(1)
