"""Serve a model by vLLM with fewer audio tokens: `fastadasp serve MODEL --merge blend_input --ratio 0.5`."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from fastadasp.config.messages import readable_errors


def main(arguments: Sequence[str]) -> None:
    """Become `vllm serve`, or print its command."""
    with readable_errors():
        serve(arguments)


def serve(arguments: Sequence[str]) -> None:
    """The command without the wording of its errors."""
    parser = argparse.ArgumentParser(
        prog="fastadasp serve",
        usage="fastadasp serve MODEL [--merge METHOD] [--ratio SHARE] [--merge-options JSON] [--print] [ARGUMENT ...]",
        description="Serve a model by vLLM, over an OpenAI-compatible interface, with fewer audio tokens.",
        epilog="All other arguments are those of `vllm serve`, such as --port 8001 or --max-model-len 8192.",
        allow_abbrev=False,
    )
    parser.add_argument("model", metavar="MODEL", help="a checkpoint's folder, a hub id, or a model= of this package")
    parser.add_argument("--merge", metavar="METHOD", help="a method that acts before the decoder, such as blend_input")
    parser.add_argument("--ratio", type=float, metavar="SHARE", help="share of each clip's audio tokens that goes")
    parser.add_argument("--merge-options", metavar="JSON", help="settings of the method's own, as a JSON object")
    parser.add_argument("--print", action="store_true", help="print the command instead of running it")
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"):
        parser.error(f"MODEL comes first, before {arguments[0]}")
    given, others = parser.parse_known_args(arguments)
    from fastadasp.serving.command import command, environment, launched, reduction

    settings = reduction(given.merge, given.ratio, given.merge_options)
    words = command(given.model, settings, others)
    variables = environment(settings)
    if given.print:
        print(" ".join([*(f"{name}={shlex.quote(value)}" for name, value in variables.items()), shlex.join(words)]))
        return
    file, words = launched(words)
    if settings and file.parent != _environment():
        print(
            f"fastadasp serve: {file} belongs to another environment than this Python. fastadasp must be installed "
            "there too, or the server will not know --merge",
            file=sys.stderr,
        )
    sys.stdout.flush()
    os.execve(file, words, {**os.environ, **variables})


def _environment() -> object:
    from pathlib import Path

    return Path(sys.executable).parent
