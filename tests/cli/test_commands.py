"""`fastadasp COMMAND`: what every command has in common, and the small ones."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fastadasp.cli import ls, new
from fastadasp.cli.main import commands, main
from fastadasp.config.build import build
from fastadasp.config.paths import CONF
from tests.helpers.configs import METHODS


def test_without_a_command_the_usage_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert {"run", "grid", "sweep", "report", "select", "bench", "ls", "new"} <= commands().keys()
    assert all(f"  {name} " in printed and line in printed for name, line in commands().items())


def test_an_unknown_command_names_the_likely_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rnu"])
    assert ended.value.code == 2
    assert "did you mean run?" in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(set(commands()) - {"run", "select"}))  # these print Hydra's help
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: fastadasp {command}")


def test_ls_names_every_method_with_its_site(capsys: pytest.CaptureFixture[str]) -> None:
    ls.main(["methods"])
    lines = {line.split("  ")[0]: line.split()[1] for line in capsys.readouterr().out.splitlines()}
    assert lines.keys() == set(METHODS)
    for name in set(METHODS) - {"none", "chain", "fastadasp_kv_evict"}:
        node = OmegaConf.load(CONF / "merge" / f"{name}.yaml")
        assert build(OmegaConf.create({"_target_": node._target_}), "merge").site.name == lines[name]


def test_ls_describes_models_and_tasks_by_their_comment(capsys: pytest.CaptureFixture[str]) -> None:
    for group, folder in (("models", "model"), ("tasks", "task")):
        ls.main([group])
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(list((CONF / folder).glob("*.yaml")))
        assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize(
    ("name", "problem"), [("frame", "exists already"), ("Loud", "cannot name an option"), ("a-b", "cannot name")]
)
def test_new_refuses_names_that_are_taken_or_none(
    name: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        new.main(["method", name, "--into", str(tmp_path)])
    assert ended.value.code == 1
    assert problem in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
