"""Engines and a server of vLLM with the plugin, against this package's own runner. They run in an environment of their
own: `make test-vllm`."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastadasp.config.paths import REPOSITORY

pytest.importorskip("vllm", reason="needs vLLM, which `make test-vllm` installs")

TINY = REPOSITORY / "fastadasp" / "assets" / "tiny"
ENVIRONMENT = {
    **os.environ,
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(REPOSITORY),
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "ERROR",
}
NEAR_TIE = 1e-3
"""Log-probabilities that float32 sums in another order may rank otherwise."""


def tool(name: str, out: Path, *arguments: str) -> Any:
    """What a measuring tool of the repository writes."""
    command = [sys.executable, "-m", f"experiments.serving.{name}", "--out", str(out), *arguments]
    ended = subprocess.run(command, cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(out.read_text())


def test_a_server_answers_as_the_runner_does_however_prompts_are_read(tmp_path: Path) -> None:
    found = tool("equality", tmp_path / "equality.json", "--clips", "8")
    assert [way["way"] for way in found["ways"]] == ["alone", "batched", "chunked", "cached"]
    for way in found["ways"]:
        assert [cell["clips"] for cell in way["cells"]] == [8] * 6  # asr and sqa at three ratios
        assert all(one["log_probability_gap"] < NEAR_TIE for one in way["differing"]), way["differing"]
        full, _, half = (cell["prompt_tokens"] for cell in way["cells"][3:])
        assert half < 0.6 * full
    assert all(cell["cached_tokens"] > 0 for cell in found["ways"][-1]["cells"][3:])  # caches were really used


@pytest.mark.parametrize("merge", ["stride", "affinity_pooling", "divprune", "visionzip", "samp"])
def test_other_methods_answer_as_in_the_runner(merge: str, tmp_path: Path) -> None:
    arguments = ("--merge", merge, "--clips", "6", "--tasks", "sqa", "--ratios", "0.4", "--ways", "batched")
    (way,) = tool("equality", tmp_path / "equality.json", *arguments)["ways"]
    assert way["cells"][0]["clips"] == 6
    assert all(one["log_probability_gap"] < NEAR_TIE for one in way["differing"]), way["differing"]


@pytest.mark.parametrize("family", ["glmasr", "granite_speech", "qwen3_asr", "audioflamingo3"])
def test_other_families_answer_as_in_the_runner(family: str, tmp_path: Path) -> None:
    (row,) = tool("families", tmp_path / "families.json", "--names", family)["families"]
    assert "failed" not in row, row
    assert row["equal_to_plain_vllm"] == row["of_plain"] == 2
    if family != "audioflamingo3":  # of which vLLM's own model answers otherwise than transformers' on this checkpoint
        assert row["equal"] == row["of"] == 4
    assert row["prompt_tokens"][2] < row["prompt_tokens"][0]


def started(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """A process that makes an engine with these settings and stops."""
    code = "import sys, json; from experiments.serving.engine import start; start(**json.loads(sys.argv[1]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=REPOSITORY,
        env={**ENVIRONMENT, "VLLM_ENABLE_V1_MULTIPROCESSING": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_method_inside_the_decoder_is_refused_before_weights_are_read() -> None:
    ended = started([json.dumps({"mm_processor_kwargs": {"merge": "fastadasp", "ratio": 0.5}})])
    assert ended.returncode != 0
    assert "merge=fastadasp cannot be served: it acts at the site `decoder`" in ended.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that `fastadasp serve` has started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    arguments = ["--merge", "blend_input", "--ratio", "0.5", "--port", str(port), "--host", "127.0.0.1"]
    arguments += ["--enforce-eager", "--dtype", "float32", "--max-model-len", "2048", "--trust-request-mm-kwargs"]
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "fastadasp", "serve", str(TINY), *arguments, "--served-model-name", "tiny"],
            cwd=REPOSITORY,
            env=ENVIRONMENT,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(600):
                assert process.poll() is None, log.read_text()[-3000:]
                try:
                    with urllib.request.urlopen(f"{address}/health", timeout=5):
                        break
                except OSError:
                    time.sleep(1)
            yield f"{address}/v1"
        finally:
            process.terminate()
            process.wait(60)


def run(out: Path, *settings: str) -> dict[str, Any]:
    """The metrics of a run, and its answers."""
    command = [sys.executable, "run.py", "task=asr", "task.limit=8", f"output_dir={out}", "logger=none", *settings]
    ended = subprocess.run(command, cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    (file,) = out.rglob("predictions.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    metrics: dict[str, Any] = json.loads(file.with_name("metrics.json").read_text())
    return metrics | {"answers": {line["id"]: line["text"].strip() for line in lines}}


@pytest.mark.parametrize("ratio", [None, 0.0, 0.7])
def test_an_evaluation_of_the_server_equals_a_run_with_the_method(
    server: str, ratio: float | None, tmp_path: Path
) -> None:
    own = [] if ratio is None else [f"model.extra_body.mm_processor_kwargs.ratio={ratio}"]
    over_http = run(tmp_path / "served", "model=openai", f"model.base_url={server}", "model.samples=float32", *own)
    here = run(
        tmp_path / "here",
        "merge=blend_input",
        "merge.proportional=false",
        f"merge.ratio={0.5 if ratio is None else ratio}",
    )
    assert over_http["answers"] == here["answers"]
    assert over_http["quality"] == here["quality"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": 1.5}, "ratio must lie in [0, 1), got 1.5"),
        ({"merge": "stride"}, "the method of a server is fixed when the server starts"),
    ],
)
def test_a_wrong_request_is_answered_with_what_is_wrong(server: str, settings: dict[str, Any], message: str) -> None:
    import base64

    audio = (REPOSITORY / "fastadasp/assets/benchmark/asr/audio/asr-000.ogg").read_bytes()
    part = {"type": "input_audio", "input_audio": {"data": base64.b64encode(audio).decode(), "format": "ogg"}}
    content = [part, {"type": "text", "text": "Transcribe the speech."}]
    body = {"model": "tiny", "messages": [{"role": "user", "content": content}], "mm_processor_kwargs": settings}
    request = urllib.request.Request(
        f"{server}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=120)
    assert caught.value.code == 400
    assert message in caught.value.read().decode()
