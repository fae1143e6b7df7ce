"""No command line ends in a traceback or hangs, of those that once did and of many that are drawn."""

import json
from pathlib import Path

import pytest

from experiments.tools.command_lines import BAD, apart, command_lines, end_of, small_run
from tests.helpers.warm import RUN, warm

KNOWN = [
    ["merge=null"],
    ["task=null"],
    ["benchmark=1"],
    ["merge._target_=null"],
    ["--resolve"],
    ["=3"],
    ["merge=[fastadasp,snapkv]"],
    ["task.instruction=say (it)"],
    ["hardware.trainer.devices=99"],
    ["hardware.trainer.precision=16-mixed"],
    ["hardware.trainer.fast_dev_run=true"],
    ["generation=sample", "generation.temperature=0"],
    ["generation.max_new_tokens=0"],
    ["generation.num_beams=0"],
    ["generation.top_p=1.5"],
    ["task.instruction=/"],
    ["model.instructions.asr=${oc.env:NO_SUCH_VARIABLE}"],
]
"""Command lines that once ended in a traceback or hung, or were taken."""


@pytest.mark.parametrize("arguments", KNOWN, ids=" ".join)
def test_what_once_failed_is_refused_with_a_sentence(arguments: list[str], tones: Path) -> None:
    with apart() as folder:
        outcome = end_of(arguments, small_run(folder, tones))
    assert outcome.kind == "message", outcome.said
    assert len(outcome.said.strip().splitlines()) < 8


@pytest.mark.slow
def test_drawn_command_lines_end_in_a_message_or_in_work(tones: Path) -> None:
    kinds = set()
    with apart() as folder:
        for arguments in command_lines(100):
            outcome = end_of(arguments, small_run(folder, tones))
            assert outcome.kind not in BAD, (arguments, outcome.said)
            kinds.add(outcome.kind)
    assert {"message", "work"} <= kinds, "some are refused and some are right"


@pytest.mark.slow
def test_the_same_holds_for_processes(tones: Path, tmp_path: Path) -> None:
    before = [*small_run(tmp_path, tones), "task.limit=1", "generation.max_new_tokens=1"]
    for arguments in command_lines(12, seed=7):
        process = warm(RUN, *before, *arguments, cwd=tmp_path, HOME=str(tmp_path))
        output, errors = process.communicate(timeout=300)
        assert "Traceback" not in output + errors, json.dumps(arguments)
        assert process.returncode in (0, 1, 2), json.dumps(arguments)
