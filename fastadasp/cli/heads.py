"""Calibrate HeadRouter for a model: `fastadasp heads --semantic ... --acoustic ... --output FILE`.

    fastadasp heads --semantic "task=asr task.manifest=dev.jsonl" --acoustic "task=er task.manifest=emotions.jsonl" \\
        --output routing.json model=qwen2_audio_7b merge.ratio=0.7

Then `merge=head_router merge.routing=routing.json`. Calibrate on clips that no result is reported on.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fastadasp.config.compose import compose
from fastadasp.config.messages import readable_errors
from fastadasp.errors import ConfigError
from fastadasp.evaluation.setup import Setup, validate

if TYPE_CHECKING:
    from fastadasp.merge.head_router import HeadRouter
    from fastadasp.models.speechlm import SpeechLM

log = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> None:
    """Calibrate, and write the routing as JSON."""
    with readable_errors():
        heads(arguments)


def heads(arguments: Sequence[str]) -> None:
    """The command without the wording of its errors."""
    parser = argparse.ArgumentParser(prog="fastadasp heads", description=(__doc__ or "").split("\n")[0])
    for kind, example in (("semantic", "task=asr"), ("acoustic", "task=er")):
        parser.add_argument(f"--{kind}", required=True, help=f"settings of a task that needs it, such as '{example}'")
    parser.add_argument("--clips", type=int, default=10, help="how many of each task's examples to use")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("settings", nargs="*", help="settings of run.py: model, hardware, merge.layer, merge.ratio")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    setups = {kind: _setup([*options.settings, *getattr(options, kind).split()]) for kind in ("semantic", "acoustic")}
    from fastadasp.evaluation.hardware import load, resolve
    from fastadasp.selection.heads import calibrate

    setup = setups["semantic"]
    placement = resolve(setup.hardware)
    adapter = cast("SpeechLM", setup.local)
    load(adapter, placement)
    clips = {kind: setups[kind].examples[: options.clips] for kind in setups}
    routing = calibrate(adapter, cast("HeadRouter", setup.method), clips)
    options.output.write_text(json.dumps(asdict(routing), indent=1) + "\n", encoding="utf-8")
    log.info("wrote %s", options.output)


def _setup(settings: Sequence[str]) -> Setup:
    setup = validate(compose("merge=head_router", *settings))
    if not setup.method.given_ratio:
        raise ConfigError("merge.ratio must be above 0: calibration asks which heads a reduced prompt hangs on")
    return setup
