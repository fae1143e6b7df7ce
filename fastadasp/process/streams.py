"""What a command prints to: any terminal, file or pipe, in whatever encoding."""

import io
import os
import sys


def accept_all_signs() -> None:
    """Let stdout and stderr write signs that their encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def give_up_stdout() -> None:
    """After a reader such as `head` has closed the pipe: nothing more is written, so that Python's exit is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
