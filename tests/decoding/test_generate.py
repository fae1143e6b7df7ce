"""Static decoding against transformers' generate() inside merging(): the same tokens, whatever method and search."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from tiny_decoders import left_padded, prompt, tiny_decoder
from torch import Tensor
from transformers import PreTrainedModel

from fastadasp import FastAdaSP, MergeMethod, NoReduction, RandomEvict, merging
from fastadasp.decoding import static as decoding
from fastadasp.decoding.static import generate
from fastadasp.merge.cache import CacheMethod
from fastadasp.merge.h2o import H2O
from fastadasp.merge.snapkv import SnapKV

NEW_TOKENS = 12
END = 5
UNLIKE = (prompt(4, 30, 6, seed=1), prompt(3, 50, 2, 9, 5, seed=2), prompt(8, seed=3))
ALIKE = (prompt(4, 40, 6, seed=4), prompt(4, 40, 6, seed=5))


def ending(family: str = "qwen2", kv_heads: int = 2) -> PreTrainedModel:
    """A decoder whose answers sometimes end early."""
    model = tiny_decoder(family, kv_heads=kv_heads, layers=6)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = END, 3
    with torch.no_grad():
        model.lm_head.weight[END] *= 1.5
    return model


def plain(
    model: PreTrainedModel, batch: tuple[Tensor, Tensor, Tensor], method: MergeMethod, beams: int, **settings: object
) -> Tensor:
    """The new tokens as transformers gives them."""
    ids, real, audio = batch
    with merging(model, method, audio):
        out = model.generate(
            input_ids=ids, attention_mask=real, num_beams=beams, do_sample=False, max_new_tokens=NEW_TOKENS, **settings
        )
    return out[:, ids.shape[1] :]


def static(
    model: PreTrainedModel, batch: tuple[Tensor, Tensor, Tensor], method: MergeMethod, beams: int, **settings: object
) -> Tensor:
    ids, real, audio = batch
    inputs = {"input_ids": ids, "attention_mask": real}
    return generate(model, inputs, method, audio, max_new_tokens=NEW_TOKENS, num_beams=beams, **settings).ids


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("rows", [ALIKE, UNLIKE], ids=["alike", "unlike"])
@pytest.mark.parametrize(
    "method",
    [
        NoReduction(),
        FastAdaSP(ratio=0.5, layer=1),
        FastAdaSP(ratio=0.4, layer=1, schedule="constant"),
        RandomEvict(ratio=0.6, layer=0, schedule="decay", positions="original"),
        SnapKV(ratio=0.5),
    ],
    ids=lambda method: f"{type(method).__name__}-{method.schedule.name}",
)
def test_tokens_equal_those_of_transformers(method: MergeMethod, rows: tuple, beams: int) -> None:
    model, batch = ending(), left_padded(rows)
    expected = plain(model, batch, method, beams)
    assert torch.equal(static(model, batch, method, beams), expected)
    assert (expected == END).any() or expected.shape[1] == NEW_TOKENS


@pytest.mark.parametrize("kv_heads", [4, 1])
@pytest.mark.parametrize("family", ["granite", "llama", "mistral", "qwen3"])
def test_every_family(family: str, kv_heads: int) -> None:
    model, batch, method = ending(family, kv_heads), left_padded(UNLIKE), FastAdaSP(ratio=0.5, layer=1)
    assert torch.equal(static(model, batch, method, 3), plain(model, batch, method, 3))


@pytest.mark.parametrize("settings", [{"length_penalty": -1.0}, {"length_penalty": 2.0}, {"early_stopping": True}])
def test_beam_settings(settings: dict[str, object]) -> None:
    model, batch = ending(), left_padded(UNLIKE)
    assert torch.equal(
        static(model, batch, NoReduction(), 4, **settings), plain(model, batch, NoReduction(), 4, **settings)
    )


def test_several_ends_and_none() -> None:
    model, batch = ending(), left_padded(UNLIKE)
    for ends in ([END, 7, 11], None):
        model.generation_config.eos_token_id = ends
        for beams in (1, 3):
            assert torch.equal(static(model, batch, NoReduction(), beams), plain(model, batch, NoReduction(), beams))


def test_one_new_token_is_the_prefill_alone() -> None:
    model, (ids, real, audio) = ending(), left_padded(ALIKE)
    done = generate(model, {"input_ids": ids, "attention_mask": real}, NoReduction(), audio, max_new_tokens=1)
    assert done.decode_steps == 0
    assert torch.equal(done.ids, model(input_ids=ids, attention_mask=real).logits[:, -1:].argmax(-1))


def test_logits_of_a_step_equal_the_plain_model_in_every_beam() -> None:
    model, (ids, real, audio) = ending(), left_padded(UNLIKE)
    seen = []
    head = model.get_output_embeddings()
    hook = head.register_forward_hook(lambda _, __, logits: seen.append(logits))
    done = generate(
        model, {"input_ids": ids, "attention_mask": real}, NoReduction(), audio, max_new_tokens=4, num_beams=1
    )
    hook.remove()
    whole, mask = torch.cat([ids, done.ids], 1), torch.nn.functional.pad(real, (0, 4), value=1)
    position = (mask.cumsum(1) - 1).clamp_min(0)
    expected = model(input_ids=whole, attention_mask=mask, position_ids=position).logits
    for step, logits in enumerate(seen):
        torch.testing.assert_close(logits[:, 0], expected[:, ids.shape[1] - 1 + step], atol=1e-4, rtol=1e-4)


def test_prompt_is_stored_once_and_shorter_after_the_merge() -> None:
    model, (ids, real, audio) = ending(), left_padded(ALIKE)
    per_token = 2 * model.config.num_key_value_heads * (64 // 4) * 4 * len(ids)
    tokens = ids.shape[1]
    for method, prompt_tokens in (
        (NoReduction(), 6 * tokens),
        (FastAdaSP(ratio=0.5, layer=1), 2 * tokens + 4 * (tokens - 20)),
    ):
        done = generate(
            model, {"input_ids": ids, "attention_mask": real}, method, audio, max_new_tokens=NEW_TOKENS, num_beams=4
        )
        assert done.cache_bytes == per_token * (prompt_tokens + 6 * 4 * NEW_TOKENS)


def test_model_is_as_before_afterwards_and_after_an_exception() -> None:
    model, batch = ending(), left_padded(ALIKE)
    before = model(input_ids=batch[0]).logits
    static(model, batch, FastAdaSP(ratio=0.5, layer=1), 2)
    assert torch.equal(model(input_ids=batch[0]).logits, before)
    hook = model.model.norm.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        static(model, batch, FastAdaSP(ratio=0.5, layer=1), 2)
    hook.remove()
    assert torch.equal(model(input_ids=batch[0]).logits, before)
    assert model.config._attn_implementation == "sdpa"


def test_refusals() -> None:
    batch = left_padded(ALIKE)
    evicting: CacheMethod = H2O(ratio=0.5)
    with pytest.raises(ValueError, match="goes on evicting"):
        static(ending(), batch, evicting, 1)
    sliding = tiny_decoder("mistral", layers=2, sliding_window=16)
    with pytest.raises(ValueError, match="window 16"):
        static(sliding, batch, NoReduction(), 1)
    with pytest.raises(ValueError, match="at least 1"):
        static(ending(), batch, NoReduction(), 0)


class FakeGraph:
    """A CUDA graph for machines without CUDA: replaying it runs the step that was recorded."""

    recording: "FakeGraph | None" = None
    replays = 0

    def replay(self) -> None:
        FakeGraph.replays += 1
        self.step()


@contextmanager
def record(graph: FakeGraph) -> Iterator[None]:
    FakeGraph.recording = graph
    yield
    FakeGraph.recording = None


@pytest.mark.parametrize("beams", [1, 4])
def test_recorded_steps_that_look_at_room_for_many(beams: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with CUDA graphs: a block's first step runs, recording it then runs nothing, and the others are replayed."""
    run = decoding._Steps._step

    def step(self: decoding._Steps) -> None:
        if FakeGraph.recording is None:
            run(self)
        else:
            FakeGraph.recording.step = lambda: run(self)

    monkeypatch.setattr(decoding._Steps, "_step", step)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    monkeypatch.setattr(decoding, "GRAPH_BLOCK", 4)
    monkeypatch.setattr(FakeGraph, "replays", 0)
    model, batch, method = ending(), left_padded(UNLIKE), FastAdaSP(ratio=0.5, layer=1)
    model.generation_config.eos_token_id = None
    expected = plain(model, batch, method, beams)
    assert torch.equal(static(model, batch, method, beams, graphs=True), expected)
    block = max(4, batch[0].shape[1] // (4 * beams))
    assert FakeGraph.replays == NEW_TOKENS - 1 - math.ceil((NEW_TOKENS - 1) / block)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("beams", [1, 4])
def test_cuda_graphs(beams: int) -> None:
    model, method = ending().cuda(), FastAdaSP(ratio=0.5, layer=1)
    batch = tuple(tensor.cuda() for tensor in left_padded(UNLIKE))
    expected = plain(model, batch, method, beams)
    for graphs in (False, True):
        assert torch.equal(static(model, batch, method, beams, graphs=graphs), expected)
