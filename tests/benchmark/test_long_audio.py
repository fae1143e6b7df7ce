"""The long-audio benchmark on a decoder that takes no time: its figures, its resumption, its refusals."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import open_dict
from rich.console import Console
from transformers import PreTrainedModel

from fastadasp.benchmark import bench as benches
from fastadasp.benchmark import report
from fastadasp.benchmark.cases import Case, Sweep, Way
from fastadasp.benchmark.ceiling import Limits
from fastadasp.benchmark.column_sums import profile
from fastadasp.benchmark.contenders import Contender, Sample, answer
from fastadasp.benchmark.figures import figures, layer_figures, medians, prompt_tokens, with_ratios
from fastadasp.benchmark.setup import validate_benchmark
from fastadasp.benchmark.shapes import Prompt, SpeechShape, build, prompt
from fastadasp.errors import ConfigError, InputError
from fastadasp.evaluation.roofline import weight_bytes
from fastadasp.evaluation.store import RunStore
from fastadasp.measuring.clock import LayerClock
from fastadasp.measuring.meters import Meter, trim_heap
from fastadasp.reduction.flops import paper_flops, prefill_flops
from fastadasp.reduction.method import Schedule
from tests.helpers.configs import composed

SHAPE = SpeechShape(layers=6, hidden=32, intermediate=48, heads=4, kv_heads=2, head_dim=8, vocab=64)
SAMPLE = Sample(
    prefill_s=2.0,
    ttft_s=2.5,
    merge_s=0.5,
    decode_s=4.0,
    decode_steps=10,
    capture_s=1.0,
    cache_bytes=9,
    peak_bytes=7,
    energy_j=3.0,
)
TINY = [
    f"benchmark.shapes.half_billion.{key}={getattr(SHAPE, key)}"
    for key in ("layers", "hidden", "intermediate", "heads", "kv_heads", "head_dim", "vocab")
]


@pytest.fixture
def benchmark(tmp_path: Path) -> Callable[..., Path]:
    """`run.py` without its process; gives the run's folder."""

    def run(*overrides: str, experiment: str = "long_audio_cpu") -> Path:

        common = ("hardware.peak_flops=1e12", "hardware.bandwidth=1e10", f"output_dir={tmp_path}")
        cfg = composed(f"experiments={experiment}", *common, *overrides)
        with open_dict(cfg):
            folder = Path(cfg.hydra.run.dir)
            folder.mkdir(parents=True, exist_ok=True)
            cfg.hydra.runtime.output_dir = str(folder)
            HydraConfig.instance().set_config(cfg)
        wanted, hardware = validate_benchmark(cfg)
        wanted.run(cfg, hardware)
        return folder

    return run


def test_whole_benchmark_and_going_on_after_a_break(benchmark: Callable[..., Path]) -> None:
    small = [
        f"benchmark.sweeps.{sweep}.{key}" for sweep in ("prefill", "answers") for key in ("seconds=[4]", "repeats=1")
    ]
    small += ["benchmark.sweeps.answers.beams=[2]", "benchmark.sweeps.answers.new_tokens=3"]
    folder = benchmark(*TINY, *small)
    results = json.loads((folder / "results.json").read_text())
    sweeps = results["shapes"]["half_billion"]["sweeps"]
    rows = {(row["path"], row["tokens"]): row for row in sweeps["answers"][0]["rows"]}
    assert len(sweeps["prefill"][0]["rows"]) == 2 * 4
    assert set(rows) == {
        (path, tokens)
        for path in ("released", "merging", "static")
        for tokens in ("full", "50% once", "50% constant", "50% decay")
    }
    once = rows["static", "50% once"]
    assert once["decode_step_s"] > 0 and once["prefill_predicted"] > 1
    assert once["prefill_over_released"] == rows["released", "50% once"]["prefill_s"] / once["prefill_s"]
    assert rows["merging", "50% once"]["cache_bytes"] == 2 * once["cache_bytes"]  # a copy for each beam
    assert rows["merging", "50% once"]["cache_bytes_measured"] == rows["merging", "50% once"]["cache_bytes"]
    assert once["cache_bytes_measured"] > once["cache_bytes"], "the answers come to that"
    assert rows["released", "50% once"]["merge_s"] is rows["released", "50% once"]["cache_bytes_measured"] is None
    assert 0 < once["merge_share"] < 1 and rows["static", "full"]["merge_s"] == 0
    assert once["ttft_s"] >= once["prefill_s"]
    layers = results["shapes"]["half_billion"]["layers"]
    assert set(layers["50% once"]) == {
        *("tokens", "flops_paper", "flops", "cache_bytes", "seconds", "merge_seconds", "prefill_s", "merge_s")
    }
    assert (
        len(layers["50% once"]["seconds"]) == 6 and 0 < layers["50% once"]["merge_s"] < layers["50% once"]["prefill_s"]
    )
    sums = results["shapes"]["half_billion"]["column_sums"]
    assert sums["seconds"] == 4 and min(sums["told_s"], sums["untold_s"], sums["attention_s"]) > 0
    assert results["provenance"]["threads"] >= 1 and results["limits"]["source"] == "data sheet"
    cases = (folder / "cases.jsonl").read_text()
    (folder / "cases.jsonl").write_text(cases + '{"key": ["to')  # a kill while it was written
    assert benchmark(*TINY, *small) == folder
    assert (folder / "cases.jsonl").read_text() == cases  # nothing was measured again
    assert json.loads((folder / "results.json").read_text())["shapes"] == results["shapes"]
    with RunStore(folder).locked(), pytest.raises(InputError, match="another process is running this very"):
        benchmark(*TINY, *small)


def test_what_does_not_fit_is_reported_and_the_rest_measured(
    benchmark: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def short_of_memory(model: PreTrainedModel, contender: Contender, read: Prompt, *_: int) -> Sample:
        model.get_decoder()(inputs_embeds=read.embeddings_BTD)  # for the clock of the layers
        if contender.path is Way.released:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return replace(SAMPLE, prefill_s=2.0 * (contender.schedule is None) + 1, energy_j=2.0)

    def short_prompt(shape: SpeechShape, seconds: float, *args: object) -> object:
        if seconds > 7:
            raise RuntimeError("CUDA error: out of memory")
        return prompt(shape, seconds, *args)

    monkeypatch.setattr(benches, "answer", short_of_memory)
    monkeypatch.setattr(benches, "prompt", short_prompt)
    monkeypatch.setattr(benches, "joules", lambda *_: 0.25)
    small = ["benchmark.sweeps.prefill.seconds=[4,8]", "benchmark.sweeps.answers.seconds=[4]"]
    results = json.loads((benchmark(*TINY, *small) / "results.json").read_text())["shapes"]["half_billion"]
    short, long = results["sweeps"]["prefill"]
    assert [row.get("error") for row in short["rows"]] == ["out of memory"] * 4 + [None] * 4
    assert all(row["error"] == "out of memory" for row in long["rows"])
    assert short["rows"][5]["prefill_over_full"] == 3.0 and "prefill_over_released" not in short["rows"][5]
    assert short["rows"][5]["energy_j"] == 2.0, "6 s are enough for the counter"
    assert results["layers"]["full"]["error"] == "out of memory"
    assert "out of memory" in capsys.readouterr().out
    monkeypatch.setattr(benches, "LEAST_S", 10)
    results = json.loads((benchmark(*TINY, *small, "benchmark.quick=true") / "results.json").read_text())
    assert results["shapes"]["half_billion"]["sweeps"]["prefill"][0]["rows"][5]["energy_j"] == 0.25
    assert results["shapes"]["half_billion"]["layers"]["seconds"] == 4, "the longest audio of the small size"


def test_quick_takes_the_smallest_of_everything_but_beams() -> None:
    sweep = Sweep([60, 30], beams=[1, 5], batch_sizes=[4, 1], new_tokens=75, repeats=5)
    assert sweep.quick() == Sweep([30], beams=[1, 5], batch_sizes=[1], new_tokens=8, repeats=1)
    for experiment in ("long_audio", "long_audio_cpu", "startup"):
        wanted, _ = validate_benchmark(composed(f"experiments={experiment}", "hardware=cpu", "benchmark.quick=true"))
        assert wanted.quick


def test_columns_of_the_tables() -> None:
    case = Case("half", seconds=8, beams=5, batch_size=2, new_tokens=11)
    contender = Contender(Way.released, Schedule.once, 0.5, 1)
    tokens = prompt_tokens(SHAPE, contender, 8)
    assert tokens == [185, 185, 135, 135, 135, 135, 135]
    row = figures(case, contender, SAMPLE, SHAPE, "bfloat16", Limits(1e9, 1e9, "data sheet"))
    assert row["rtf"] == 7 / 16
    assert row["tokens_per_s"] == 5
    per_token = 2 * 2 * 8 * 2
    prompt_bytes = (185 * 2 + 135 * 4) * per_token
    assert row["cache_bytes"] == 2 * 5 * prompt_bytes
    flops = prefill_flops(tokens, SHAPE)
    assert row["prefill_mfu"] == pytest.approx(2 * 5 * flops / 2e9), "transformers reads a row for each beam"
    layers = layer_figures(SHAPE, tokens, "bfloat16")
    assert sum(layers["flops"]) + 2 * 32 * 64 == pytest.approx(flops)
    assert sum(layers["flops_paper"]) == paper_flops(tokens[:-1], 32, 48)
    assert sum(layers["cache_bytes"]) == prompt_bytes
    written = 6 * 5 * per_token  # halfway through ten steps, in six layers
    read = weight_bytes(SHAPE, "bfloat16") + 2 * 5 * (prompt_bytes + written)
    assert row["decode_mbu"] == pytest.approx(10 * read / 4e9)
    assert (row["merge_share"], row["ttft_s"]) == (0.25, 2.5)
    assert (row["cache_bytes_measured"], row["peak_bytes"], row["energy_j"]) == (9, 7, 3.0)
    shared = replace(contender, path=Way.static)
    row = figures(case, shared, SAMPLE, SHAPE, "bfloat16", Limits(1e9, 1e9, "data sheet"))
    assert row["cache_bytes"] == 2 * prompt_bytes
    assert row["prefill_mfu"] == pytest.approx(2 * flops / 2e9)
    read = weight_bytes(SHAPE, "bfloat16") + 2 * (prompt_bytes + 5 * written)
    assert row["decode_mbu"] == pytest.approx(10 * read / 4e9)


def test_medians_leave_out_what_cannot_be_told() -> None:
    samples = [SAMPLE, replace(SAMPLE, prefill_s=4.0, peak_bytes=None), replace(SAMPLE, prefill_s=3.0, peak_bytes=9)]
    assert medians(samples) == replace(SAMPLE, prefill_s=3.0, peak_bytes=8)
    assert medians([replace(SAMPLE, energy_j=None)]).energy_j is None


def test_ratios_are_over_full_tokens_of_the_same_path_and_over_the_released_approach() -> None:
    common = {"decode_s": 1.0, "flops_saved": 0.5}
    rows = with_ratios(
        [
            {"path": "released", "tokens": "full", "prefill_s": 8.0, "decode_step_s": 3.0, **common},
            {"path": "static", "tokens": "full", "prefill_s": 4.0, "decode_step_s": 2.0, **common},
            {"path": "static", "tokens": "50% once", "prefill_s": 2.0, "decode_step_s": 1.0, **common},
            {"path": "merging", "tokens": "full", "error": "out of memory"},
        ]
    )
    assert rows[2]["prefill_over_full"] == rows[2]["decode_over_full"] == rows[2]["prefill_predicted"] == 2.0
    assert "prefill_over_released" not in rows[2]
    assert (rows[1]["prefill_over_released"], rows[1]["decode_over_released"]) == (2.0, 1.5)
    assert rows[3] == {"path": "merging", "tokens": "full", "error": "out of memory"}


def test_meters() -> None:
    model = build(SHAPE, device="cpu", dtype="float32", attention="sdpa")
    read = prompt(SHAPE, 8, 2, model)
    assert read.span == (57, 157) and read.embeddings_BTD.shape == (2, 185, 32)
    contender = Contender(Way.static, Schedule.constant, 0.5, 1)
    with LayerClock(model.get_decoder().layers, model.device) as clock:
        sample = answer(model, contender, read, beams=1, new_tokens=1)
    assert sample.decode_steps == 0 and sample.decode_s == 0
    assert len(clock.seconds) == 6 and 0 < sum(clock.seconds) < sample.prefill_s
    assert sample.merge_s is not None and 0 < sample.merge_s < sample.prefill_s
    assert sum(clock.merge_seconds[1:]) > sample.merge_s / 2, "layers 1 to 5 merge"
    assert all(0 < merge < whole for merge, whole in zip(clock.merge_seconds, clock.seconds, strict=True))
    trim_heap()
    with Meter(torch.device("cpu")) as meter:
        torch.ones(2**24)
    assert meter.peak_bytes is None or meter.peak_bytes > 2**25  # None outside Linux
    with Meter(torch.device("cpu")) as meter:
        pass
    assert meter.peak_bytes is None and meter.energy_j is None


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_column_sums_are_exact_and_half_of_a_pass(kv_heads: int, capsys: pytest.CaptureFixture[str]) -> None:
    shape = replace(SHAPE, kv_heads=kv_heads)
    found = profile(shape, 90, torch.device("cpu"), torch.float32)
    assert max(found["told_error"], found["untold_error"]) < 1e-4
    assert found["told_count"] == pytest.approx((1125 * 1126 / 2 + 1125 * 28) / (1210 * 1211))
    report._column_sums(Console(width=200), "tiny", found)
    out = capsys.readouterr().out
    assert "tiny, 90 s, column sums with the log-sum-exp" in out and "column sums without: " in out
    report._column_sums(Console(), "tiny", {"seconds": 600, "error": "out of memory"})
    assert "tiny, 600 s, column sums: out of memory" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["benchmark.ratio=1.5"], r"benchmark.ratio must lie in \(0, 1\), got 1.5"),
        (["benchmark.sweeps.prefill.seconds=[]"], "seconds must list at least one value"),
        (["benchmark.sweeps.prefill.beams=[0]"], "beams must list at least one value, all above 0"),
        (["benchmark.shapes.half_billion.text_after=0"], "one prompt token on each side"),
        (["benchmark.sweeps.prefill.paths=[fast]"], "released, merging, static"),
    ],
)
def test_bad_settings(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate_benchmark(composed("experiments=long_audio_cpu", *overrides))


def test_seven_billion_parameters_on_a_cpu_are_refused(benchmark: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"wavllm has 6\.5 billion parameters"):
        benchmark("hardware=cpu", experiment="long_audio")
