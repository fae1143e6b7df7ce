"""Fusing and dropping against a loop that anyone can read."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from fastadasp import FastAdaSP, MergeMethod, merging
from fastadasp.engine import prefill as engine
from fastadasp.merge.blend import Blend
from fastadasp.ops.assignment import Assignment, apply, choose_top, fuse_groups, fuse_pairs, keep_only
from fastadasp.ops.layout import padding_mask, per_row
from tests.helpers.host_waits import HostWaitError, no_host_waits
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

CASES = 300


def oracle(x: Tensor, slot: list[int], weight: Tensor) -> Tensor:
    """One row, token by token."""
    rows = []
    for target in range(max(slot) + 1):
        members = [t for t, s in enumerate(slot) if s == target]
        total = sum(float(weight[t]) for t in members)
        rows.append(sum(float(weight[t]) / total * x[t].double() for t in members))
    return torch.stack(rows)


def random_slots(draw: random.Random, length: int) -> list[int]:
    """Slots of one row: padding or drops anywhere, runs of any length, never empty."""
    slots, current = [], -1
    for _ in range(length):
        action = draw.random()
        if action < 0.2:
            slots.append(-1)
        else:
            current += action < 0.6 or current < 0
            slots.append(current)
    return slots if max(slots) >= 0 else [0] * length


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_apply_equals_the_loop_on_random_assignments(dtype: torch.dtype) -> None:
    for case in range(CASES):
        draw = random.Random(case)
        torch.manual_seed(case)
        rows, length, channels = draw.randint(1, 4), draw.randint(1, 40), draw.randint(1, 8)
        slots = [random_slots(draw, length) for _ in range(rows)]
        x, weight = torch.randn(rows, length, channels).to(dtype), torch.rand(rows, length) + 1e-3
        assignment = Assignment(torch.tensor(slots), weight)
        out = apply(x, assignment)
        assert out.dtype == dtype
        assert assignment.lengths == tuple(max(row) + 1 for row in slots)
        for row in range(rows):
            expected = oracle(x[row], slots[row], weight[row])
            padding = assignment.width - len(expected)
            assert torch.equal(out[row, :padding], torch.zeros(padding, channels, dtype=dtype))
            tolerance = {"atol": 1e-6, "rtol": 1e-6} if dtype == torch.float32 else {"atol": 1e-2, "rtol": 1e-2}
            torch.testing.assert_close(out[row, padding:].double(), expected, **tolerance)


def test_fuse_pairs_equals_a_walk_over_the_tokens() -> None:
    for case in range(CASES):
        draw = random.Random(case)
        length, padding = draw.randint(1, 30), draw.randint(0, 5)
        chosen = [draw.random() < 0.4 for _ in range(length - 1)] + [False]
        walk = [-1] * padding
        for token in range(length):
            walk.append(max(max(walk), 0) if token and chosen[token - 1] else max(walk, default=-1) + 1)
        pair = torch.tensor([[False] * padding + chosen])
        real = torch.tensor([[False] * padding + [True] * length]) if padding else None
        assignment = fuse_pairs(pair, torch.ones(1, padding + length), real, None)
        assert assignment.slot.tolist() == [walk]
        assert assignment.lengths == (length - sum(chosen),)


def test_keep_only_is_boolean_indexing() -> None:
    torch.manual_seed(0)
    x, keep = torch.randn(1, 50, 3), torch.rand(1, 50) < 0.5
    assert torch.equal(apply(x, keep_only(keep, None))[0], x[keep])


def test_golden_vectors_of_the_released_merge() -> None:
    h = torch.arange(1.0, 7).view(1, 6, 1)
    weight = torch.tensor([[1.0, 1, 2, 1, 1, 4]])
    similarity = torch.tensor([[0.9, 0.1, 0.95, 0.92, 0.3, 0]])
    pairs = choose_top(similarity, torch.tensor([[True] * 5 + [False]]), [int(6 * 0.5)])
    assert pairs[0].nonzero().flatten().tolist() == [0, 2, 3]
    assert apply(h, fuse_pairs(pairs, weight, None, (3,))).flatten().tolist() == [1.5, 3.75, 6]
    assert apply(h, fuse_pairs(pairs, torch.ones(1, 6), None, (3,))).flatten().tolist() == [1.5, 4, 6]


def test_a_slot_whose_weights_are_all_zero_is_a_plain_mean() -> None:
    assignment = Assignment(torch.tensor([[0, 0, 1]]), torch.tensor([[0.0, 0.0, 0.0]]))
    assert apply(torch.tensor([[[1.0], [3.0], [7.0]]]), assignment).flatten().tolist() == [2, 7]


def test_single_tokens_pass_bit_for_bit_whatever_their_weight() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 9, 4, dtype=torch.bfloat16)
    slot = torch.arange(9).expand(2, 9)
    for weight in (torch.rand(2, 9), torch.rand(2, 9) * 1e-38, torch.rand(2, 9) * 1e30):
        assert torch.equal(apply(x, Assignment(slot, weight)), x)


def test_first_is_the_input_column_of_each_slots_first_token() -> None:
    assignment = Assignment(torch.tensor([[-1, 0, 0, -1, 1, 1], [0, 1, 1, 2, 2, 3]]), torch.ones(2, 6))
    assert assignment.first.tolist() == [[6, 6, 1, 4], [0, 1, 3, 5]]


def test_of_equal_scores_the_earlier_is_chosen() -> None:
    score = torch.tensor([[1.0, 2, 2, 2, 1], [3.0, 3, 3, 3, 3]])
    candidate = torch.tensor([[True] * 5, [False, True, False, True, True]])
    assert choose_top(score, candidate, [2, 2]).int().tolist() == [[0, 1, 1, 0, 0], [0, 1, 0, 1, 0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sums_in_order_as_on_a_gpu_are_those_of_the_cpu(dtype: torch.dtype) -> None:
    for case in range(CASES):
        draw = random.Random(case)
        torch.manual_seed(case)
        rows, length, channels = draw.randint(1, 4), draw.randint(1, 40), draw.randint(1, 8)
        slots = torch.tensor([random_slots(draw, length) for _ in range(rows)])
        into = torch.randint(0, length + 1, (rows, length))
        into[:, 0] = 0
        x, weight = torch.randn(rows, length, channels).to(dtype), torch.rand(rows, length)
        for assignment in (Assignment(slots, weight), fuse_groups(into, weight, None, None)):
            sums = assignment.sums_in_order(x, assignment.normalized_weight)
            assert sums.dtype == torch.float32
            assert torch.equal(sums.to(dtype), apply(x, assignment))
            assert torch.equal(assignment.sums_in_order(weight[..., None])[..., 0], assignment.total(weight))


def merged(x: Tensor, score: Tensor, padding: tuple[int, ...], counts: tuple[int, ...]) -> Tensor:
    """A merge as methods do it: choose, fuse, chain with another decision, move."""
    length = x.shape[1]
    lengths = tuple(length - missing for missing in padding)
    real = padding_mask(lengths, x.device)
    pair = torch.arange(length, device=x.device) >= per_row([missing + 1 for missing in padding], x.device)
    pair = pair.expand(score.shape) & (torch.arange(length, device=x.device) < length - 1)
    left = tuple(tokens - count for tokens, count in zip(lengths, counts, strict=True))
    first = fuse_pairs(choose_top(score, pair, counts), score, real, left)
    into = torch.arange(max(left), device=x.device).expand(len(x), -1)
    then = first.then(fuse_groups(into, torch.ones_like(into, dtype=torch.float32), padding_mask(left, x.device), left))
    kept = torch.ones_like(into, dtype=torch.bool) & (into >= per_row([max(left) - n for n in left], x.device))
    return apply(apply(x, then), keep_only(kept, left))


PADDINGS = [((0, 0), (5, 5)), ((0, 7), (5, 3))]


@pytest.mark.parametrize(("padding", "counts"), PADDINGS, ids=["alike", "padded"])
def test_no_step_waits_for_the_device(padding: tuple[int, ...], counts: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x, score = torch.randn(2, 30, 4), torch.rand(2, 30)
    with no_host_waits():
        merged(x, score, padding, counts)


@pytest.mark.parametrize("inference", [False, True])
def test_what_would_wait_is_found(inference: bool) -> None:
    x, mask = torch.randn(3), torch.tensor([True, False, True])
    for waits in (
        lambda: x.sum().item(),
        lambda: x.tolist(),
        lambda: bool(mask.any()),
        lambda: torch.tensor([1, 2], device=x.device),
        lambda: x.new_tensor([1]),
        lambda: x.where(mask, 0),
        lambda: x[mask],
        lambda: mask.nonzero(),
    ):
        with pytest.raises(HostWaitError), torch.inference_mode(inference), no_host_waits():
            waits()


@contextmanager
def no_gpu_waits() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


ON_GPU = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


@pytest.mark.parametrize(
    ("device", "guard"), [("cpu", no_host_waits), pytest.param("cuda", no_gpu_waits, marks=ON_GPU)], ids=["cpu", "gpu"]
)
@pytest.mark.parametrize("rows", [((4, 30, 6), (5, 30, 5)), ((4, 30, 6), (3, 50, 2, 9, 5))], ids=["alike", "padded"])
@pytest.mark.parametrize(
    "method",
    [
        FastAdaSP(ratio=0.4, layer=1, schedule="constant"),
        Blend(ratio=0.5, layer=1, weights="question", positions="original"),
    ],
    ids=lambda method: type(method).__name__,
)
def test_a_layer_that_merges_waits_for_nothing(
    method: MergeMethod, rows: tuple, device: str, guard: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From what the method reads of the layer to the moved tokens; the batch's masks were read before, once."""
    model = tiny_decoder(layers=4).to(device)
    ids, real, audio = (tensor.to(device) for tensor in left_padded([prompt(*row) for row in rows]))
    reduce, entered = engine.Prefill._reduce, []

    def guarded(*args: object) -> Tensor:
        entered.append(device)
        with guard():
            return reduce(*args)

    for attempt in range(2):  # what is loaded at first use may wait
        if attempt:
            monkeypatch.setattr(engine.Prefill, "_reduce", guarded)
        with torch.inference_mode(), merging(model, method, audio):
            model(input_ids=ids, attention_mask=real)
    assert entered


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("padding", "counts"), PADDINGS, ids=["alike", "padded"])
def test_no_step_waits_for_a_gpu_and_each_run_gives_the_same_bits(
    padding: tuple[int, ...], counts: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    x, score = torch.randn(2, 30, 512), torch.rand(2, 30)
    on_gpu = x.cuda(), score.cuda()
    runs = [merged(*on_gpu, padding, counts)]  # what is loaded at first use may wait
    with no_gpu_waits():
        runs += [merged(*on_gpu, padding, counts) for _ in range(5)]
    assert all(torch.equal(run, runs[0]) for run in runs)
    torch.testing.assert_close(runs[0].cpu(), merged(x, score, padding, counts))
