"""`fastadasp serve`, whose server is a program that notes what it was called with."""

import json
import os
import stat
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from fastadasp.cli.serve import serve
from fastadasp.config.paths import REPOSITORY
from fastadasp.serving import command as command_module
from fastadasp.serving.command import ServeError, command, environment, launched, reduction

NOTES = """#!{python}
import json, os, sys
print(json.dumps([sys.argv[1:], os.environ.get("VLLM_PLUGINS")]))
"""


@pytest.fixture
def vllm(tmp_path: Path) -> Path:
    """A folder with a program `vllm`."""
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(NOTES.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program.parent


def test_the_server_gets_its_settings_and_all_other_arguments(vllm: Path) -> None:
    arguments = ["owner/name", "--merge", "blend_input", "--ratio", "0.5", "--port", "8001", "--enforce-eager"]
    found = {"PATH": f"{vllm}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY), "VLLM_PLUGINS": "other"}
    done = subprocess.run(
        [sys.executable, "-m", "fastadasp", "serve", *arguments],
        env={**os.environ, **found},
        capture_output=True,
        text=True,
        check=True,
    )
    (verb, model, option, given, *others), plugins = json.loads(done.stdout)
    assert (verb, model, option) == ("serve", "owner/name", "--mm-processor-kwargs")
    assert json.loads(given) == {"merge": "blend_input", "ratio": 0.5}
    assert others == ["--port", "8001", "--enforce-eager"]
    assert plugins == "other,fastadasp"
    assert "belongs to another environment than this Python" in done.stderr


def test_the_command_is_printed_as_a_shell_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    serve(["tiny", "--merge", "stride", "--merge-options", '{"keep": "it\'s"}', "--print", "--host", "::1"])
    printed = capsys.readouterr().out
    words = json.loads(
        subprocess.run(
            [
                "bash",
                "-c",
                f"set -- {printed}\n{sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1:]))' \"$@\"",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    tiny = str(REPOSITORY / "fastadasp" / "assets" / "tiny")
    assert words[:5] == ["vllm", "serve", tiny, "--served-model-name", "tiny"]
    assert json.loads(words[6]) == {"merge": "stride", "merge_options": {"keep": "it's"}}
    assert words[7:] == ["--host", "::1"]


@pytest.mark.parametrize(
    "others",
    [
        ["--mm-processor-kwargs", '{"sampling_rate": 8000}', "--port", "1"],
        ["--port", "1", '--mm_processor_kwargs={"sampling_rate": 8000}'],
    ],
)
def test_settings_join_those_of_the_models_own_processor(others: list[str]) -> None:
    words = command("owner/name", {"merge": "frame"}, others)
    assert words[:4] == ["vllm", "serve", "owner/name", "--mm-processor-kwargs"]
    assert json.loads(words[4]) == {"sampling_rate": 8000, "merge": "frame"}
    assert words[5:] == ["--port", "1"]


def test_a_name_of_the_users_own_and_a_folder_here_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("tiny", {}, ["--served-model-name=mine"])[3:] == ["--served-model-name=mine"]
    monkeypatch.chdir(tmp_path)
    Path("tiny").mkdir()
    assert command("tiny", {}, []) == ["vllm", "serve", "tiny"]


def test_plugins_are_named_only_where_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_PLUGINS", raising=False)
    assert environment({"merge": "frame"}) == {}
    monkeypatch.setenv("VLLM_PLUGINS", "")
    assert environment({"merge": "frame"}) == {"VLLM_PLUGINS": "fastadasp"}
    monkeypatch.setenv("VLLM_PLUGINS", "fastadasp, other")
    assert environment({"merge": "frame"}) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "--ratio", "0.3"], "--ratio can only be given with --merge"),
        (["x", "--merge", "blendinput"], "did you mean blend_input?"),
        (["x", "--merge", "frame", "--ratio", "1"], r"--ratio must lie in \[0, 1\), got 1"),
        (["x", "--merge", "frame", "--ratio", "nan"], r"--ratio must lie in \[0, 1\), got nan"),
        (["x", "--merge", "frame", "--merge-options", "[1]"], "--merge-options must be a JSON object"),
        (["x", "--merge", "frame", "--merge-options", "{a"], "--merge-options must be a JSON object.*not JSON"),
        (["x", "--merge", "frame", "--mm-processor-kwargs", '{"merge": "x"}'], "holds merge, which the command line"),
        (["x", "--merge", "frame", "--mm-processor-kwargs.ratio", "0.5"], "--mm-processor-kwargs.ratio would take"),
        (["qwen2_audio_random"], "model=qwen2_audio_random names no checkpoint"),
    ],
)
def test_wrong_arguments_are_refused_before_a_server_starts(arguments: list[str], message: str) -> None:
    with pytest.raises(ServeError, match=message):
        serve([*arguments, "--print"])


def test_without_vllm_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(command_module.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ServeError, match=r"vLLM is not installed.*`make vllm` makes an environment"):
        serve(["tiny", "--merge", "blend_input", "--ratio", "0.5"])


def test_the_settings_are_those_given() -> None:
    assert reduction(None, None, None) == {}
    assert reduction("frame", None, None) == {"merge": "frame"}
    assert reduction("blend_input", 0.0, '{"search": 4}') == {
        **{"merge": "blend_input", "ratio": 0.0, "merge_options": {"search": 4}}
    }


def test_of_a_build_under_another_name_the_module_of_the_server_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vllm").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    words = ["vllm", "serve", "MODEL", "--port", "8001"]
    monkeypatch.setattr("fastadasp.serving.command.version", lambda _: "0.32.0")
    assert launched(words) == (tmp_path / "vllm", words)

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("fastadasp.serving.command.version", absent)
    file, found = launched(words)
    assert file == tmp_path / "python"
    assert found[1:] == ["-m", "vllm.entrypoints.openai.api_server", "--model", "MODEL", "--port", "8001"]
