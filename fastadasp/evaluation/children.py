"""The processes of a run that this one starts, one for each device, and what is done when one of them dies."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from fastadasp.errors import InputError
from fastadasp.process.cluster import Team
from fastadasp.process.signals import name_of, stop_if_told

LOST = 75
"""Status of a process that ends because another one of the run has gone."""
GRACE_S = 10.0
"""Seconds that a process gets to end by itself, before it is killed."""

_START = (
    "import json, sys; job = json.loads(sys.stdin.buffer.readline()); sys.path[:] = job.pop('path'); "
    "from fastadasp.evaluation.worker import main; main(job)"
)
"""What each process runs. Its job comes through its stdin, which stays open: where that ends, its parent is gone."""


class ProcessError(InputError):
    """A process of the run ended before its work was done."""


def run_in_children(cfg: DictConfig, team: Team, folder: Path, gpus: Sequence[int]) -> None:
    """Answer what the run's folder lacks in `team.size` processes; returns when all of them are done.

    gpus: the number of the GPU of each. Raises ProcessError where one of them fails, after ending the others.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    counter = TCPStore("127.0.0.1", 0, is_master=True, timeout=timedelta(minutes=5), wait_for_workers=False)
    team = replace(team, port=counter.port)
    settings = OmegaConf.to_container(cfg, resolve=True)
    with _ended_at_exit() as children:
        for rank in range(team.size):
            member = asdict(replace(team, rank=rank, local_rank=rank)) | {"launcher": team.launcher.name}
            job = {"path": sys.path, "config": settings, "team": member, "folder": str(folder), "gpu": gpus[rank]}
            children.append(_start(job))
        _wait(children)


def _start(job: Mapping[str, Any]) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen(
        [sys.executable, "-c", _START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
    )
    with suppress(BrokenPipeError):  # it has died already, which is noticed below
        child.stdin.write(json.dumps(job).encode() + b"\n")  # type: ignore[union-attr]
        child.stdin.flush()  # type: ignore[union-attr]
    return child


def _wait(children: Sequence["subprocess.Popen[bytes]"]) -> None:
    running = dict(enumerate(children))
    while running:
        stop_if_told()
        ended = {rank: status for rank, child in running.items() if (status := child.poll()) is not None}
        # One that was killed comes first: others may have ended because they lost it.
        for rank in sorted(ended, key=lambda one: ended[one] == LOST):
            if ended[rank]:
                raise ProcessError(f"process {rank} of {len(children)} {_ending(children[rank], ended[rank])}")
            del running[rank]
        time.sleep(0.05)


def _ending(child: "subprocess.Popen[bytes]", status: int) -> str:
    """How a process ended, in words, with its own message if it had one."""
    report = child.stdout.read().decode(errors="replace").strip()  # type: ignore[union-attr]
    if report:
        return f"could not go on: {cast(str, json.loads(report)['problem'])}"
    kept = "What was answered is kept, and the same command goes on"
    if status in (-9, 137):
        return (
            f"was killed ({name_of(9)}), as the system does when memory runs out. {kept}; with fewer processes "
            "(hardware.trainer.devices) or smaller batches (hardware.batch_size) it needs less"
        )
    if status < 0 or status > 128:
        return f"was ended by a signal ({name_of(-status if status < 0 else status - 128)}). {kept}"
    return f"ended with status {status}; its error stands above. {kept}"


@contextmanager
def _ended_at_exit() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """A list of processes, none of which is left when the block ends, however it does."""
    children: list[subprocess.Popen[bytes]] = []
    try:
        yield children
    finally:
        left = [child for child in children if child.poll() is None]
        for child in left:
            child.terminate()
        until = time.monotonic() + GRACE_S
        for child in left:
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, until - time.monotonic()))
            child.kill()
            child.wait()
        for child in children:
            with suppress(BrokenPipeError):
                child.stdin.close()  # type: ignore[union-attr]
            child.stdout.close()  # type: ignore[union-attr]
