"""FLOPs against the published calibration and against torch's own counter on a real model."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen2Config, Qwen2ForCausalLM

from fastadasp.engine.merging import merging
from fastadasp.merge.average import Average
from fastadasp.reduction.flops import DecoderShape, column_sum_flops, paper_flops, prefill_flops
from fastadasp.reduction.method import Schedule
from fastadasp.reduction.schedule import Plan, solve_layer_ratio
from fastadasp.reduction.target import solve_ratio

LLAMA_7B = {"hidden": 4096, "intermediate": 11008}
# Released ratio per layer that saves 10, 20, 30, 40, 50 % of the FLOPs, from layer 2 of 32, audio tokens only.
CALIBRATION = {
    (750, "once"): (0.108, 0.215, 0.324, 0.433, 0.543),
    (750, "constant"): (0.0083, 0.0174, 0.0284, 0.0421, 0.0600),
    (750, "decay"): (0.0122, 0.0253, 0.0404, 0.0593, 0.0831),
    (250, "once"): (0.112, 0.220, 0.332, 0.440, 0.552),
    (250, "constant"): (0.0092, 0.0194, 0.0306, 0.0450, 0.0634),
    (250, "decay"): (0.0146, 0.0280, 0.0440, 0.0638, 0.0881),
}


def paper(tokens: Sequence[float]) -> float:
    return paper_flops(tokens[:-1], **LLAMA_7B)


def saved(tokens: Sequence[int]) -> float:
    return 1 - paper(tokens) / paper([tokens[0]] * len(tokens))


def test_the_formula_gives_the_published_total() -> None:
    assert paper([750] * 33) == pytest.approx(3.92e12, rel=1e-3)


@pytest.mark.parametrize(("audio", "schedule"), CALIBRATION)
def test_released_ratios_save_what_they_are_calibrated_to(audio: int, schedule: str) -> None:
    for layer_ratio, target in zip(CALIBRATION[audio, schedule], (0.1, 0.2, 0.3, 0.4, 0.5), strict=True):
        plan = Plan.of(Average(layer_ratio=layer_ratio, schedule=Schedule[schedule]), 32)
        assert saved(plan.audio_tokens(audio)) == pytest.approx(target, abs=0.006)


@pytest.mark.parametrize(("audio", "schedule"), CALIBRATION)
def test_the_solver_finds_the_calibrated_ratios(audio: int, schedule: str) -> None:
    """From FLOPs to save to the share removed. The released rule truncates at each layer, so that its ratios are higher
    than those solved here, by less than a token of what is left."""
    for released, target in zip(CALIBRATION[audio, schedule], (0.1, 0.2, 0.3, 0.4, 0.5), strict=True):
        solved = solve_ratio(Average(flops_reduction=target, schedule=Schedule[schedule]), [(audio, 0)], 32, paper)
        counts = Plan.of(Average(layer_ratio=released, schedule=Schedule[schedule]), 32).audio_tokens(audio)
        assert solved.ratio == pytest.approx(1 - sum(counts[3:32]) / 29 / audio, abs=0.008)
        found = solve_layer_ratio(solved.schedule, solved.ratio, 2, 32)
        assert found - 0.0005 < released < found + 1 / counts[-1]


def test_prefill_flops_equal_torchs_count_with_and_without_merging() -> None:
    shape = DecoderShape(
        layers=5, hidden=48, intermediate=80, heads=6, kv_heads=2, head_dim=8, vocab=70, gated_mlp=True
    )
    config = Qwen2Config(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        attn_implementation="eager",
    )
    model = Qwen2ForCausalLM(config).eval()
    audio_mask = torch.zeros(1, 40, dtype=torch.bool)
    audio_mask[:, 5:35] = True
    for ratio in (0.0, 0.4):
        method = Average(ratio=ratio, layer=1, schedule=Schedule.constant)
        with torch.no_grad(), merging(model, method, audio_mask) as trace, FlopCounterMode(display=False) as counter:
            model(torch.ones_like(audio_mask, dtype=torch.long), logits_to_keep=1)
        tokens = [40, *trace.tokens[:, 0].tolist()]
        rotary = 2 * (shape.head_dim // 2) * 40  # the outer product of positions and frequencies, once per prompt
        counted = counter.get_total_flops()
        assert prefill_flops(tokens, shape, causal=False) == pytest.approx(counted, abs=rotary)


def test_a_causal_kernel_skips_half_the_scores() -> None:
    shape = DecoderShape(layers=1, hidden=8, intermediate=8, heads=2, kv_heads=1, head_dim=4, vocab=10, gated_mlp=False)
    full, causal = (prefill_flops([100, 100], shape, causal=causal) for causal in (False, True))
    assert full - causal == pytest.approx(4 * 8 * (100**2 - 100 * 101 / 2))


def test_column_sums_cost_a_product_for_each_query_that_sees_a_column() -> None:
    shape = DecoderShape(layers=3, hidden=8, intermediate=9, heads=2, kv_heads=1, head_dim=4, vocab=5, gated_mlp=True)
    before, columns, after = 3, 7, 2
    length = before + columns + after
    seen = torch.ones(length, length).tril()[:, before : before + columns].sum().item()
    assert column_sum_flops(columns, after, shape) == seen * 2 * 2 * 4  # multiply and add, heads, channels
    attention = prefill_flops([length, 0], replace(shape, hidden=0))  # projections, MLP and LM head taken away
    assert column_sum_flops(length, 0, shape) == attention / 2
