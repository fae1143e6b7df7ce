"""What a command prints arrives in any encoding, and a reader that has gone is no error of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastadasp.config.paths import REPOSITORY


def run(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_signs_that_an_encoding_lacks_are_escaped(encoding: str) -> None:
    script = (
        "from fastadasp.config.messages import readable_errors\n"
        "with readable_errors(): print('\\u65e5 \\xb7'); raise FileNotFoundError(2, 'No such file', '\\u65e5')\n"
    )
    done = run(script, PYTHONIOENCODING=encoding)
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    assert (
        done.stdout.decode(encoding).strip()
        == {"ascii": "\\u65e5 \\xb7", "latin-1": "\\u65e5 ·", "utf-8": "日 ·"}[encoding]
    )


def test_a_reader_that_has_gone_ends_a_command_quietly() -> None:
    script = (
        "from fastadasp.config.messages import readable_errors\n"
        "with readable_errors():\n"
        "    for number in range(10**6): print(number)\n"
    )
    command = f"{sys.executable} -c '{script}'; echo $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"({command}) | head -1"], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert done.stdout == "0\n" and done.stderr == "141\n"


def test_a_log_that_cannot_be_written_is_said_once_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import logging

    from fastadasp.process.run_log import RunLog

    (tmp_path / "file").touch()
    for name in ("file/run.log", "dev"):  # a folder that is none; a disk that is full
        path = tmp_path / name
        if name == "dev":
            path.symlink_to("/dev/full")
        log = logging.Logger("x")
        log.addHandler(RunLog(str(path)))
        for number in range(3):
            log.warning("message %d", number)
        said = capsys.readouterr().err
        assert said.count("cannot be written") == 1 and "Traceback" not in said
    log = logging.Logger("y")
    log.addHandler(RunLog(str(tmp_path / "run.log")))
    assert not (tmp_path / "run.log").exists(), "a run that says nothing leaves no empty file"
    log.warning("日本")
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == "日本\n"
