"""`merging()` at its ends: everything is undone, blocks do not overlap, and what cannot work is refused."""

import threading
from collections.abc import Iterator

import pytest
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from torch import Tensor, nn
from transformers import PreTrainedModel, StaticCache

from fastadasp import Average, FastAdaSP, MergeMethod, NoReduction, SnapKV, Stride, merging
from tests.helpers.tiny_decoders import generated, left_padded, prompt, snapshot, tiny_decoder, untouched

PROMPTS = [prompt(5, 60, 7), prompt(3, 40, 9, seed=1)]
IDS, REAL, AUDIO = left_padded(PROMPTS)
GREEDY = {"max_new_tokens": 6, "do_sample": False, "return_dict_in_generate": True}


@pytest.fixture
def model() -> Iterator[PreTrainedModel]:
    with untouched(tiny_decoder()) as model:
        yield model


@torch.no_grad()
def test_nothing_is_left_after_an_exception_anywhere(model: PreTrainedModel) -> None:
    ids, real, audio = left_padded(PROMPTS)

    class Broken(Average):
        def assign(self, state):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError

    before = model(ids, attention_mask=real).logits
    for error, method in ((ZeroDivisionError, Broken(ratio=0.5)), (KeyError, FastAdaSP(ratio=0.5))):
        with pytest.raises(error), merging(model, method, audio):
            model.generate(ids, attention_mask=real, **GREEDY)
            raise KeyError
    assert torch.equal(model(ids, attention_mask=real).logits, before)


@torch.no_grad()
def test_accelerates_own_wrapper_stays_in_place(model: PreTrainedModel) -> None:
    expected = generated(model, FastAdaSP(ratio=0.5), PROMPTS, **GREEDY)
    placed = tiny_decoder()
    for layer in placed.model.layers:
        add_hook_to_module(layer, AlignDevicesHook(execution_device="cpu", io_same_device=True))
    before = snapshot(placed)
    assert torch.equal(generated(placed, FastAdaSP(ratio=0.5), PROMPTS, **GREEDY), expected)
    assert snapshot(placed) == before


def test_blocks_on_one_model_neither_nest_nor_overlap(model: PreTrainedModel) -> None:
    mask = torch.ones(1, 4, dtype=torch.bool)
    raised: list[BaseException] = []

    def enter() -> None:
        try:
            with merging(model, NoReduction(), mask):
                pass
        except RuntimeError as error:
            raised.append(error)

    with merging(model, NoReduction(), mask):
        enter()
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        with merging(tiny_decoder(), NoReduction(), mask):  # another model is free
            pass
    assert len(raised) == 2
    assert "already inside a merging() block" in str(raised[0])
    enter()
    assert len(raised) == 2


def test_an_untouched_trace_says_so(model: PreTrainedModel) -> None:
    with merging(model, FastAdaSP(ratio=0.5), torch.ones(1, 4, dtype=torch.bool)) as trace:
        pass
    with pytest.raises(RuntimeError, match="no prompt has run inside merging"):
        _ = trace.audio_tokens


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_ids": IDS[:, 1:]}, r"audio_mask is 2 x 72, but the decoder reads a prompt of 2 x 71"),
        ({"input_ids": IDS[:1]}, r"audio_mask is 2 x 72, but the decoder reads a prompt of 1 x 72"),
        ({"input_ids": IDS, "use_cache": False}, r"with a cache \(use_cache=True, and no gradient checkpointing"),
        ({"input_ids": IDS, "prefill_chunk_size": 16}, r"in one piece \(no prefill_chunk_size\)"),
        ({"input_ids": IDS, "attention_mask": REAL.flip(1)}, r"row 1 of the batch has padding after a token"),
        ({"input_ids": IDS, "attention_mask": REAL * 0 + (torch.arange(72) > 30)}, r"marks padding as audio in row 0"),
        ({"input_ids": IDS, "cache_implementation": "static"}, r"StaticCache cannot, use DynamicCache"),
    ],
    ids=["length", "rows", "no cache", "chunks", "right padding", "audio on padding", "static cache"],
)
@torch.no_grad()
def test_a_prompt_or_cache_that_cannot_work_is_refused(
    model: PreTrainedModel, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message), merging(model, FastAdaSP(ratio=0.5), AUDIO):
        model.generate(**{**GREEDY, **settings})


@torch.no_grad()
def test_without_a_reduction_any_cache_will_do(model: PreTrainedModel) -> None:
    cache = StaticCache(config=model.config, max_cache_len=100)
    with merging(model, NoReduction(), AUDIO):
        assert model(IDS, attention_mask=REAL, past_key_values=cache).logits.shape[1] == IDS.shape[1]


@torch.no_grad()
def test_a_cache_filled_elsewhere_is_refused(model: PreTrainedModel) -> None:
    cache = model(IDS, attention_mask=REAL, use_cache=True).past_key_values
    with (
        pytest.raises(ValueError, match="a cache that was not filled inside"),
        merging(model, FastAdaSP(ratio=0.5), AUDIO),
    ):
        model(IDS[:, :1], past_key_values=cache)


@pytest.mark.parametrize("mask", [torch.ones(1, 4), torch.ones(4, dtype=torch.bool)])
def test_an_audio_mask_of_another_kind_is_refused(model: PreTrainedModel, mask: Tensor) -> None:
    with (
        pytest.raises(ValueError, match=r"audio_mask must be a bool tensor of \(batch, prompt length\)"),
        merging(model, FastAdaSP(ratio=0.5), mask),
    ):
        pass


def test_a_model_without_a_decoder_is_refused() -> None:
    with (
        pytest.raises(ValueError, match=r"needs a model with one text decoder; Linear has 0 \(none\)"),
        merging(nn.Linear(2, 2), FastAdaSP(ratio=0.5), AUDIO),
    ):
        pass


def test_an_attention_kernel_that_is_not_known_is_refused() -> None:
    model = tiny_decoder(attention="flex_attention")
    with (
        pytest.raises(ValueError, match="does not support attention 'flex_attention'"),
        merging(model, FastAdaSP(ratio=0.5), AUDIO),
    ):
        pass


@torch.no_grad()
def test_a_sliding_window_is_refused_where_a_method_would_look_beyond() -> None:
    model = tiny_decoder("mistral", sliding_window=60)
    with (
        pytest.raises(ValueError, match="beyond its window: 72 tokens, window 60"),
        merging(model, FastAdaSP(ratio=0.5), AUDIO),
    ):
        model.generate(IDS, attention_mask=REAL, max_new_tokens=3, do_sample=False)


@pytest.mark.parametrize(
    "method",
    [FastAdaSP(ratio=0.5, layer=1), SnapKV(0.5, window=8), Stride(0.5), FastAdaSP(0.5, layer=1, earlier_caches=True)],
    ids=["decoder", "cache", "input", "earlier caches"],
)
def test_a_sliding_window_that_is_longer_than_the_prompt_changes_nothing(method: MergeMethod) -> None:
    """Mistral's default is 4,096; transformers gives such layers caches that cannot be shortened."""
    answers = [
        generated(tiny_decoder("mistral", layers=4, sliding_window=window), method, PROMPTS, **GREEDY)
        for window in (None, 90)
    ]
    assert torch.equal(*answers)


@torch.no_grad()
def test_an_answer_may_outgrow_the_sliding_window() -> None:
    model = tiny_decoder("mistral", sliding_window=75)
    expected = model.generate(IDS, attention_mask=REAL, max_new_tokens=12, do_sample=False)
    with merging(model, FastAdaSP(ratio=1e-6), AUDIO):
        assert torch.equal(model.generate(IDS, attention_mask=REAL, max_new_tokens=12, do_sample=False), expected)
