"""A YAML file that Hydra cannot read is named, with the place and what is wrong, and no traceback."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from fastadasp.config.messages import readable_errors
from fastadasp.config.paths import REPOSITORY


def refused(folder: Path) -> None:
    with readable_errors(), initialize_config_dir(str(folder), version_base="1.3"):
        compose("config")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", r"broken\.yaml, line 1, column 5 is not YAML"),
        (b"a: 1\nb:\n\t- c", r"broken\.yaml, line 3, column 1 is not YAML"),
        (b"a: 1\na: 2", r"broken\.yaml, line 2, column 1 is not YAML: key 'a' stands twice"),
        (b"a: \xff", r"broken\.yaml, line 1: not UTF-8 text"),
        (b"a: \0", r"broken\.yaml is not YAML: unacceptable character #x0000"),
        (b"[" * 3000, r"broken\.yaml: lists or mappings inside each other, more than 50 deep"),
        (b"a: !!python/name:os.system x", r"broken\.yaml.*could not determine a constructor"),
        (b"a: ${b", r"broken\.yaml: cannot be used .*no viable alternative at input"),
        (b"a: ${b c", r"broken\.yaml: cannot be used .*token recognition error"),
        (b"5", r"broken\.yaml: cannot be used .*Invalid loaded object type: int"),
    ],
)
def test_what_is_wrong_with_a_file_of_the_configuration_is_told(
    tmp_path: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text("defaults: [merge: broken]\n")
    (tmp_path / "merge").mkdir()
    (tmp_path / "merge" / "broken.yaml").write_bytes(content)
    with pytest.raises(SystemExit, match="1"):
        refused(tmp_path)
    printed = capsys.readouterr().err
    assert re.search(message, printed), printed
    assert "Traceback" not in printed
    assert len(printed) < 700


def test_an_option_that_is_a_list_is_refused_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "merge").mkdir()
    (tmp_path / "merge" / "listed.yaml").write_text("- a\n- b\n")
    command = ["merge=listed", f"hydra.searchpath=[file://{tmp_path}]", "task=sqa"]
    done = subprocess.run([sys.executable, "run.py", *command], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 1
    assert "merge/listed.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_from_elsewhere_keeps_its_traceback() -> None:
    with pytest.raises(UnicodeDecodeError), readable_errors():
        b"\xff".decode()
