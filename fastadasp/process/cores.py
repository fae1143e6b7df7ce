"""Sharing this machine's processor cores out among the jobs that run on it."""

import os


def wait_passively() -> None:
    """Let the threads of OpenMP sleep while they wait for each other, unless the user has said otherwise.

    They would spin: alone on a machine that saves microseconds, but beside another job each barrier waits until the
    operating system has taken a core from a spinning thread, and a decoding step takes forty times as long. OpenMP
    reads the variable when torch is imported, hence call this before.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def usable_cores() -> int:
    """Cores that this process may use: those of its affinity mask, at most the share that its container has."""
    from joblib.externals.loky import cpu_count

    return int(cpu_count())
