"""`python -m tests.helpers.warm_server SOCKET`: imports what runs import, and is forked for each command asked for.

A request is a length, three streams and a JSON object with `arguments`, `cwd` and `environment`. It is answered with
the id of the new process and, once that has ended, with its status, negative for a signal.
"""

import contextlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Any


def main(address: str) -> dict[str, Any] | None:
    """Serves until the process that has started this one is gone; returns in each forked process, with its request."""
    import fastadasp.benchmark
    import fastadasp.cli.main
    import fastadasp.cli.run
    import fastadasp.evaluation.run
    import fastadasp.grid
    import fastadasp.models.qwen2_audio_random
    import fastadasp.sweep  # noqa: F401

    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{address}.new")
    listening.listen()
    Path(f"{address}.new").rename(address)
    told, wakened = socket.socketpair()
    for end in (told, wakened):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(told.fileno())
    lines: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as waiting:
        for source in (listening, wakened, sys.stdin):
            waiting.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is sys.stdin:
                    return None
                if key.fileobj is wakened:
                    wakened.recv(4096)
                    _tell_of_ends(lines)
                    continue
                line, _ = listening.accept()
                request, streams = _request(line)
                process = os.fork()
                if process == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for held in (listening, told, wakened, line, *lines.values()):
                        held.close()
                    waiting.close()
                    for number, stream in enumerate(streams):
                        os.dup2(stream, number)
                        os.close(stream)
                    return request
                for stream in streams:
                    os.close(stream)
                line.sendall(process.to_bytes(8, "big"))
                lines[process] = line


def _request(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    start, streams, _, _ = socket.recv_fds(line, 8, 3)
    left, text = int.from_bytes(start, "big"), b""
    while len(text) < left:
        text += line.recv(left - len(text))
    return json.loads(text), streams


def _tell_of_ends(lines: dict[int, socket.socket]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with lines.pop(ended[0]) as line, contextlib.suppress(OSError):
                line.sendall(os.waitstatus_to_exitcode(ended[1]).to_bytes(8, "big", signed=True))


def become(arguments: list[str], cwd: str, environment: dict[str, str]) -> None:
    """Be the process of `python ARGUMENTS`."""
    ours = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    theirs = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:] = [folder for folder in theirs if folder] + [folder for folder in sys.path[1:] if folder not in ours]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    encoding = environment.get("PYTHONIOENCODING") or "utf-8"
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding=encoding, line_buffering=False)  # type: ignore[union-attr]
    if arguments[0] == "-m":
        sys.argv = [arguments[1], *arguments[2:]]
        sys.path[0] = cwd
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = str(Path(arguments[0]).absolute().parent)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__" and (wanted := main(sys.argv[1])) is not None:
    become(**wanted)
