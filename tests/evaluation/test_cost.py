"""Cost is an aggregate of stored lines: checked against numbers worked out by hand."""

import pytest

from fastadasp.evaluation.hardware import Hardware
from fastadasp.evaluation.roofline import weight_bytes
from fastadasp.reduction.flops import DecoderShape
from fastadasp.tasks.base import Prediction
from tests.helpers.costs import cache_reduction, exact_cost, layer_cost, measured_cost, reduction, shares_of_limit

SHAPE = DecoderShape(layers=3, hidden=8, intermediate=16, heads=2, kv_heads=1, head_dim=4, vocab=10, gated_mlp=True)


def prediction(per_layer: tuple[int, ...] = (), **fields: object) -> Prediction:
    audio, text = (per_layer[0] if per_layer else 0), fields.get("text_tokens", 0)
    counts = {"audio_tokens": audio, "audio_tokens_per_layer": per_layer}
    counts["cached_tokens_per_layer"] = tuple(count + text for count in per_layer[:-1])
    return Prediction(id="x", text="", answer="", reference="", **{**counts, **fields})  # type: ignore[arg-type]


def measured(batch: int, size: int, prefill_s: float, decode_s: float, steps: int) -> dict[str, float]:
    return {
        "batch": batch,
        "batch_size": size,
        "prefill_s": prefill_s,
        "decode_s": decode_s,
        "decode_steps": steps,
        "peak_bytes": 100 * size,
    }


def test_reduction_is_the_mean_over_the_layers_after_the_first_reducing_one_in_corpus_sums() -> None:
    long, short, failed = prediction((100, 100, 50, 25)), prediction((10, 10, 10, 10)), prediction(error="no audio")
    assert reduction([long], layer=1) == pytest.approx(0.5)
    assert reduction([long], layer=0) == pytest.approx(0.25)
    assert reduction([long, short, failed], layer=1) == pytest.approx(1 - (50 + 10) / 110)
    assert reduction([long], layer=2) == pytest.approx(0.75), "no layer follows the last: its MLP counts"
    assert reduction([failed], layer=1) == 0.0
    assert reduction([prediction((40, 40, 40, 40), audio_tokens=100)], layer=-1) == pytest.approx(0.6)
    assert reduction([prediction((40, 40, 40, 40), audio_tokens=100)], layer=20) == pytest.approx(0.6)


def test_cache_reduction_is_what_the_caches_lack() -> None:
    evicting = prediction((100, 100, 100, 100), text_tokens=7, cached_tokens_per_layer=(107, 47, 57))
    whole = prediction((20, 20, 20, 20), text_tokens=5)
    assert cache_reduction([evicting], layer=1) == pytest.approx(0.55)
    assert cache_reduction([evicting, whole, prediction(error="no audio")], layer=1) == pytest.approx(0.55 * 100 / 120)
    assert reduction([evicting], layer=0) == 0.0
    cost = exact_cost([evicting], SHAPE, "bfloat16")
    assert cost["kv_bytes_saved"] == pytest.approx(110 / 321)
    assert cost["flops_prefill_saved"] == 0.0


def test_exact_cost_is_the_mean_of_each_prompts_own() -> None:
    cost = exact_cost([prediction((6, 6, 2, 2), text_tokens=2, new_tokens=5), prediction(error="x")], SHAPE, "bfloat16")
    assert cost["kv_bytes"] == (8 + 8 + 4) * 2 * 1 * 4 * 2
    assert cost["kv_bytes_full"] == 3 * 8 * 2 * 1 * 4 * 2
    assert cost["kv_bytes_saved"] == pytest.approx(1 - 20 / 24)

    def paper(n: int) -> int:
        return 4 * n * 64 + 2 * n * n * 8 + 2 * n * 8 * 16

    assert cost["flops_paper"] == 2 * paper(8) + paper(4)
    assert cost["flops_paper_saved"] == pytest.approx(1 - (2 * paper(8) + paper(4)) / (3 * paper(8)))

    def layer(entering: int, leaving: int) -> float:
        attention = 2 * entering * (2 * 8 * 8 + 2 * 8 * 4) + 2 * 2 * 8 * entering * (entering + 1) / 2
        return attention + 2 * leaving * 3 * 8 * 16

    head = 2 * 8 * 10
    assert cost["flops_prefill"] == layer(8, 8) + layer(8, 4) + layer(4, 4) + head
    assert (cost["audio_tokens"], cost["text_tokens"], cost["new_tokens"]) == (6, 2, 5)


def test_the_layers_come_to_the_whole() -> None:
    lines = [
        prediction((6, 6, 2, 2), text_tokens=2),
        prediction((9, 9, 9, 4), text_tokens=3, cached_tokens_per_layer=(12, 5, 4)),
        prediction(error="x"),
    ]
    layers, cost = layer_cost(lines, SHAPE, "bfloat16"), exact_cost(lines, SHAPE, "bfloat16")
    assert [layer["tokens"] for layer in layers] == [(8 + 12) / 2, (8 + 12) / 2, (4 + 12) / 2]
    assert layers[1]["kv_bytes"] == (8 + 5) / 2 * 2 * 1 * 4 * 2
    head = 2 * 8 * 10
    for name, beside in (("flops_paper", 0), ("flops_prefill", head), ("kv_bytes", 0)):
        assert sum(layer[name] for layer in layers) + beside == pytest.approx(cost[name])
    assert layer_cost([prediction(error="x")], SHAPE, "float32") == []


def test_each_batch_counts_once_however_many_examples_it_held() -> None:
    first, second = measured(0, 3, 4.0, 2.0, 10), measured(1, 1, 1.0, 1.0, 4)
    cut = measured(1, 2, 2.0, 0.0, 0)  # the other half of batch 1, run after a kill
    costs = [first, first, first, second, cut, cut]
    lines = [prediction((4, 4), new_tokens=5, seconds=2.0, cost=cost) for cost in costs]
    assert measured_cost([*lines, prediction(error="x")]) == {
        "batch_size": pytest.approx(2.0),
        "prefill_s": 2.0,
        "decode_step_s": pytest.approx((0.2 + 0.25) / 2),
        "compute_s": 10.0,
        "examples_per_s": pytest.approx(0.6),
        "tokens_per_s": pytest.approx(30 / 3.0),
        "rtf": pytest.approx(10.0 / 12.0),
        "peak_bytes": 300,
    }


def test_a_process_first_batch_is_in_the_sums_but_not_in_the_rates() -> None:
    noted = {"ttft_s": 1.5, "merge_s": 0.25, "peak_bytes_above_weights": 40, "energy_j": 3.0}
    cold = {**measured(0, 1, 40.0, 20.0, 10), **noted, "merge_s": 30.0, "energy_j": 90.0, "cold": 1}
    later = [{**measured(batch, 1, 1.0 + batch, 2.0, 10), **noted, "cold": 0} for batch in (1, 2)]
    lines = [prediction((4, 4), new_tokens=5, seconds=2.0, cost=cost) for cost in (cold, *later)]
    cost = measured_cost(lines)
    assert (cost["examples_per_s"], cost["tokens_per_s"], cost["rtf"]) == (2 / 9, 10 / 4, 9 / 4)
    assert (cost["prefill_s"], cost["compute_s"], cost["energy_j"]) == (2.5, 69.0, 96.0)
    assert (cost["ttft_s"], cost["merge_s"], cost["merge_share"]) == (1.5, 0.25, 0.1)
    assert cost["peak_bytes_above_weights"] == 40
    recorded = measured_cost([prediction((4, 4), seconds=2.0, cost={**later[0], "capture_s": 5.0})])
    assert (recorded["compute_s"], recorded["rtf"], recorded["decode_step_s"]) == (9.0, 4.5, 0.2)
    alone = measured_cost(lines[:1])
    assert alone["examples_per_s"] == 1 / 60, "a first batch that is the only one counts"
    hardware = Hardware(peak_flops=1e6)
    assert shares_of_limit(lines, SHAPE, "float32", hardware, 1) == shares_of_limit(
        lines[1:], SHAPE, "float32", hardware, 1
    )


def test_a_run_in_which_all_failed_has_no_cost() -> None:
    assert exact_cost([prediction(error="x")], SHAPE, "float32") == measured_cost([prediction(error="x")]) == {}


def test_shares_of_the_devices_limits() -> None:
    lines = [prediction((6, 6, 6, 6), text_tokens=2, cost=measured(0, 2, 0.5, 0.25, 4)) for _ in range(2)]
    hardware = Hardware(peak_flops=1e6, bandwidth=1e5)
    weights = 3 * (2 * 8 * 8 + 2 * 8 * 4 + 3 * 8 * 16) + 8 * 10
    assert weight_bytes(SHAPE, "float32") == weights * 4
    prompt, halfway = (3 * 2 * 4 * 4 * tokens for tokens in (8, 2))  # layers, keys and values, head_dim, bytes, tokens
    shares = shares_of_limit(lines, SHAPE, "float32", hardware, beams=5)
    flops = exact_cost(lines, SHAPE, "float32")["flops_prefill"]
    assert shares["prefill_mfu"] == pytest.approx(2 * 5 * flops / (0.5 * 1e6)), "transformers reads a row for each beam"
    read = 4 * weights * 4 + 2 * 4 * (5 * prompt + 5 * halfway)
    assert shares["decode_mbu"] == pytest.approx(read / (0.25 * 1e5))
    assert shares_of_limit(lines, SHAPE, "float32", Hardware(), beams=5) == {}


def test_an_engine_that_shares_the_prompt_reads_it_once() -> None:
    cost = {**measured(0, 1, 0.5, 0.25, 4), "prompt_copies": 1}
    line = prediction((6, 6, 6, 6), text_tokens=2, cost=cost, cached_tokens_per_layer=(8, 3, 3))
    shares = shares_of_limit([line], SHAPE, "float32", Hardware(peak_flops=1e6, bandwidth=1e5), beams=5)
    assert shares["prefill_mfu"] == pytest.approx(exact_cost([line], SHAPE, "float32")["flops_prefill"] / (0.5 * 1e6))
    cache = 2 * 4 * 4 * ((8 + 3 + 3) + 5 * 3 * 2)  # of the prompt; five beams' own tokens in three layers
    assert shares["decode_mbu"] == pytest.approx(4 * (weight_bytes(SHAPE, "float32") + cache) / (0.25 * 1e5))
