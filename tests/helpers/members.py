"""Processes that act as members of a team, and what each of them tells."""

import multiprocessing
import socket
from collections.abc import Callable
from typing import Any

from fastadasp.process.cluster import Launcher, Team

PATIENCE_S = 600
"""A busy machine may take minutes to start several processes that import torch."""


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def told_by(size: int, member: Callable[..., None], *arguments: Any) -> list[Any]:
    """What each process of a team sends; "died" or "hangs" where nothing comes.

    member: called with its team, `arguments` and the pipe to send through.
    """
    context, port = multiprocessing.get_context("spawn"), free_port()
    pipes, members = [], []
    for rank in range(size):
        team = Team(Launcher.slurm, size=size, rank=rank, local_rank=rank, local_size=size, port=port)
        ours, theirs = context.Pipe()
        members.append(context.Process(target=member, args=(team, *arguments, theirs)))
        members[-1].start()
        theirs.close()
        pipes.append(ours)
    told: list[Any] = []
    for pipe in pipes:
        try:
            told.append(pipe.recv() if pipe.poll(PATIENCE_S) else "hangs")
        except EOFError:
            told.append("died")
    for process in members:
        process.join(60)
        process.kill()
    return told
