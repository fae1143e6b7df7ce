"""Steps recorded once and replayed, and what makes that possible; on a CPU with a stand-in for CUDA graphs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from fastadasp import FastAdaSP, NoReduction
from fastadasp.decoding import cache
from fastadasp.decoding import static as decoding
from fastadasp.decoding.search import Greedy
from fastadasp.decoding.static import generate
from tests.helpers.answers import ALIKE, UNLIKE, ending, plain, static
from tests.helpers.host_waits import no_host_waits
from tests.helpers.tiny_decoders import left_padded


class FakeGraph:
    """A CUDA graph for machines without CUDA: replaying it runs the step that was recorded.

    A real one reads and writes the addresses of its recording, so here nothing static may have moved.
    """

    recording: "FakeGraph | None" = None
    replays = 0
    recorded = 0

    def record(self, steps: decoding._Steps, run: Callable[[decoding._Steps], None]) -> None:
        FakeGraph.recorded += 1
        self.steps, self.run, self.addresses = steps, run, addresses(steps)

    def replay(self) -> None:
        FakeGraph.replays += 1
        assert addresses(self.steps) == self.addresses
        self.run(self.steps)
        assert addresses(self.steps) == self.addresses


def addresses(steps: decoding._Steps) -> dict[str, int]:
    """Of all tensors that outlive a step."""
    found = {}
    for owner in (steps, steps.cache, steps.search):
        for name, value in vars(owner).items():
            for index, tensor in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(tensor, Tensor):
                    found[f"{type(owner).__name__}.{name}[{index}]"] = tensor.data_ptr()
    return found


@contextmanager
def record(graph: FakeGraph, _: torch.device) -> Iterator[None]:
    FakeGraph.recording = graph
    yield
    FakeGraph.recording = None


@pytest.fixture
def fake_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with CUDA graphs: a block's first step runs, recording it then runs nothing, and the others are replayed."""
    run = decoding._Steps._step

    def step(self: decoding._Steps) -> None:
        if FakeGraph.recording is None:
            run(self)
        else:
            FakeGraph.recording.record(self, run)

    monkeypatch.setattr(decoding._Steps, "_step", step)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(decoding, "_recording", record)
    monkeypatch.setattr(decoding, "GRAPH_BLOCK", 4)
    monkeypatch.setattr(decoding, "LEAST_REPLAYS", 2)
    monkeypatch.setattr(FakeGraph, "replays", 0)
    monkeypatch.setattr(FakeGraph, "recorded", 0)


@pytest.mark.usefixtures("fake_graphs")
@pytest.mark.parametrize("rows", [ALIKE, UNLIKE], ids=["alike", "unlike"])
@pytest.mark.parametrize("beams", [1, 4])
def test_recorded_steps_that_look_at_room_for_many(beams: int, rows: tuple) -> None:
    model, batch, method = ending(), left_padded(rows), FastAdaSP(ratio=0.5, layer=1)
    model.generation_config.eos_token_id = None
    new_tokens = 40
    expected = plain(model, batch, method, beams, new_tokens)
    assert torch.equal(static(model, batch, method, beams, new_tokens, graphs=True), expected)
    block = max(4, batch[0].shape[1] // (4 * beams))
    blocks = [min(block, new_tokens - 1 - first) for first in range(0, new_tokens - 1, block)]
    assert len(blocks) > 2
    replays = [steps - 1 for steps in blocks if steps > 2]
    assert (FakeGraph.recorded, FakeGraph.replays) == (len(replays), sum(replays))


@pytest.mark.usefixtures("fake_graphs")
def test_the_stand_in_for_graphs_finds_a_tensor_that_was_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Greedy.advance

    def replacing(self: Greedy, logits_BKV: Tensor) -> None:
        advance(self, logits_BKV)
        self.token_BK = self.token_BK.clone()

    monkeypatch.setattr(Greedy, "advance", replacing)
    with pytest.raises(AssertionError):
        static(ending(), left_padded(ALIKE), NoReduction(), 1, graphs=True)


@pytest.mark.usefixtures("fake_graphs")
def test_nothing_is_recorded_for_a_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: 1 / 0)
    model, (ids, real, audio) = ending(), left_padded(ALIKE)
    model.generation_config.eos_token_id = None
    inputs, new_tokens = {"input_ids": ids, "attention_mask": real}, decoding.LEAST_REPLAYS + 1
    done = generate(model, inputs, NoReduction(), audio, max_new_tokens=new_tokens, graphs=True)
    assert (done.decode_steps, done.capture_s) == (new_tokens - 1, 0.0)
    with pytest.raises(ZeroDivisionError):
        generate(model, inputs, NoReduction(), audio, max_new_tokens=new_tokens + 1, graphs=True)


@pytest.mark.parametrize("beams", [1, 4])
def test_a_step_waits_for_nothing(beams: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would wait for the device cannot be recorded."""
    run, guarded = decoding._Steps._step, []

    def step(self: decoding._Steps) -> None:
        guarded.append(beams)
        with no_host_waits():
            run(self)

    monkeypatch.setattr(decoding._Steps, "_step", step)
    static(ending(), left_padded(UNLIKE), FastAdaSP(ratio=0.5, layer=1), beams, early_stopping=True)
    assert guarded


@pytest.mark.parametrize("beams", [1, 4])
def test_the_prompts_own_cache_is_freed_layer_by_layer(beams: int, monkeypatch: pytest.MonkeyPatch) -> None:
    build, with_room, alive = decoding._static, cache._with_room, []

    def noting(prompt_cache: DynamicCache, *args: object) -> object:
        layers = prompt_cache.layers
        stored = [StorageWeakRef(x.untyped_storage()) for layer in layers for x in (layer.keys, layer.values)]

        def counting(*tensor_and_room: object) -> Tensor:
            alive.append(sum(not storage.expired() for storage in stored))
            return with_room(*tensor_and_room)

        monkeypatch.setattr(cache, "_with_room", counting)
        built = build(prompt_cache, *args)
        alive.append(sum(not storage.expired() for storage in stored))
        return built

    def zeroing(layer: DynamicLayer) -> None:  # as transformers 5.17 has it
        layer.keys.zero_()
        layer.values.zero_()

    monkeypatch.setattr(DynamicLayer, "reset", zeroing)
    monkeypatch.setattr(decoding, "_static", noting)
    static(ending(), left_padded(UNLIKE), FastAdaSP(ratio=0.5, layer=1, earlier_caches=True), beams)
    assert alive == [12, 12, 10, 10, 8, 8, 6, 6, 4, 4, 2, 2, 0]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("beams", [1, 4])
def test_cuda_graphs(beams: int) -> None:
    model, method = ending().cuda(), FastAdaSP(ratio=0.5, layer=1)
    batch = tuple(tensor.cuda() for tensor in left_padded(UNLIKE))
    expected = plain(model, batch, method, beams)
    for graphs in (False, True):
        assert torch.equal(static(model, batch, method, beams, graphs=graphs), expected)
