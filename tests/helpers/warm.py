"""Processes of the command line that have their imports behind them when they start, so that tests wait for work only.

A process that has imported torch, lightning and what else a run needs is forked for each command. What comes out is a
process like any other, with its own id, signals, streams, working folder and environment, which runs `__main__` and
ends as Python ends. Only its imports are not its own: what is to be shown of them, or of the very start of a process,
is tested with `fresh`.
"""

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastadasp.config.paths import REPOSITORY

RUN = REPOSITORY / "run.py"
_SECONDS = 1800
"""Longest time to wait for the imports, on a machine however busy."""


class Warm:
    """A forked process, with the members of `subprocess.Popen` that tests use."""

    def __init__(self, arguments: tuple[object, ...], cwd: Path, environment: Mapping[str, str]) -> None:
        self.args = [str(argument) for argument in arguments]
        self.returncode: int | None = None
        outputs = [os.pipe(), os.pipe()]
        with open(os.devnull) as nothing:  # noqa: PTH123
            request = json.dumps({"arguments": self.args, "cwd": str(cwd), "environment": dict(environment)}).encode()
            self._line = socket.socket(socket.AF_UNIX)
            self._line.connect(_server())
            ends = [nothing.fileno(), *(written for _, written in outputs)]
            socket.send_fds(self._line, [len(request).to_bytes(8, "big")], ends)
            self._line.sendall(request)
        for _, written in outputs:
            os.close(written)
        self.stdout, self.stderr = (open(read, encoding="utf-8", errors="replace") for read, _ in outputs)  # noqa: SIM115, PTH123
        self.pid = int.from_bytes(self._line.recv(8), "big")

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        if (status := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                told = self._line.recv(8)
            except (BlockingIOError, TimeoutError):
                return None
            assert told, "the process that forks others has ended"
            self.returncode = int.from_bytes(told, "big", signed=True)
            self._line.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that the process says on its two streams until both are closed, and its end."""
        until = None if timeout is None else time.monotonic() + timeout
        said: dict[Any, bytes] = {self.stdout: b"", self.stderr: b""}
        with selectors.DefaultSelector() as waiting:
            for stream in said:
                waiting.register(stream, selectors.EVENT_READ)
            while waiting.get_map():
                found = waiting.select(None if until is None else max(0.0, until - time.monotonic()))
                if not found:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                for key, _ in found:
                    part = os.read(key.fd, 1 << 16)
                    said[key.fileobj] += part
                    if not part:
                        waiting.unregister(key.fileobj)
        self.wait(None if until is None else max(0.0, until - time.monotonic()))
        for stream in said:
            stream.close()
        output, errors = (text.decode("utf-8", "replace") for text in said.values())
        return output, errors

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> "Warm":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()


def warm(*arguments: object, cwd: Path = REPOSITORY, **environment: str) -> Warm:
    """`python ARGUMENTS` in a process that need not import; ARGUMENTS begin with a script or with `-m` and a module."""
    return Warm(arguments, cwd, _environment(environment))


def fresh(*arguments: object, cwd: Path = REPOSITORY, **environment: str) -> "subprocess.Popen[str]":
    """`python ARGUMENTS` in a process that imports by itself, as a user starts it."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=_environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background ignores it
    )


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    return {**kept, "PYTHONPATH": str(REPOSITORY), **more}


@cache
def _server() -> str:
    """The socket of the process that is forked, which is started at the first call and ends with this process."""
    folder = tempfile.TemporaryDirectory(prefix="warm")
    address = f"{folder.name}/line"
    command = [sys.executable, "-m", "tests.helpers.warm_server", address]
    pipe = subprocess.PIPE  # the streams of a forked process take the place of these, and are pipes too
    server = subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, stderr=pipe, env=_environment({}))

    def end() -> None:
        server.kill()
        server.wait()
        folder.cleanup()

    atexit.register(end)
    until = time.monotonic() + _SECONDS
    while not Path(address).exists():
        assert server.poll() is None, server.communicate()
        assert time.monotonic() < until, "the process that is to be forked did not start"
        time.sleep(0.02)
    return address
