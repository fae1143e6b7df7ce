"""Static decoding against transformers' generate() inside merging(): the same tokens, whatever method and search."""

import pytest
import torch

from fastadasp import FastAdaSP, MergeMethod, NoReduction, RandomEvict
from fastadasp.decoding.head import head_obstacle
from fastadasp.decoding.static import generate
from fastadasp.merge.h2o import H2O
from fastadasp.merge.snapkv import SnapKV
from fastadasp.reduction.cache_method import CacheMethod
from tests.helpers.answers import ALIKE, END, NEW_TOKENS, UNLIKE, ending, plain, static
from tests.helpers.tiny_decoders import left_padded, tiny_decoder


@pytest.mark.crossed
@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("rows", [ALIKE, UNLIKE], ids=["alike", "unlike"])
@pytest.mark.parametrize(
    "method",
    [
        NoReduction(),
        FastAdaSP(ratio=0.5, layer=1),
        FastAdaSP(ratio=0.4, layer=1, schedule="constant"),
        FastAdaSP(ratio=0.6, layer=1, schedule="constant", proportional=True),
        RandomEvict(ratio=0.6, layer=0, schedule="decay", positions="original"),
        SnapKV(ratio=0.5),
    ],
    ids=lambda method: f"{type(method).__name__}-{method.schedule.name}{'-proportional' * method.proportional}",
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
    assert head_obstacle(model) is None  # proven before anything is noted
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


@pytest.mark.parametrize("beams", [1, 4])
def test_bfloat16_logits_are_as_close_to_float32_as_those_of_the_plain_model(beams: int) -> None:
    """Along the answer if greedy; with beams at the first step, after which their histories are not told."""
    (ids, real, audio), seen, read = left_padded(UNLIKE), [], []
    model = ending().bfloat16()
    model.generation_config.eos_token_id = None
    assert head_obstacle(model) is None  # proven before anything is noted
    model.get_output_embeddings().register_forward_hook(lambda _, __, logits: seen.append(logits))
    model.model.register_forward_pre_hook(
        lambda _, __, inputs: read.append(inputs["input_ids"].clone()), with_kwargs=True
    )
    inputs = {"input_ids": ids, "attention_mask": real}
    generate(model, inputs, NoReduction(), audio, max_new_tokens=6 if beams == 1 else 2, num_beams=beams)
    stored, new = torch.cat(seen[1:], 1), torch.cat(read[1:], 1)  # (B, steps · K, ...)
    if beams > 1:
        ids, real = ids.repeat_interleave(beams, 0), real.repeat_interleave(beams, 0)
        stored, new = stored.flatten(0, 1)[:, None], new.reshape(-1, 1)
    whole, mask = torch.cat([ids, new], 1), torch.cat([real, torch.ones_like(new)], 1)
    again = {"input_ids": whole, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp_min(0)}
    plainly = model(**again).logits[:, -new.shape[1] :].float()
    exact = model.float()(**again).logits[:, -new.shape[1] :]
    assert stored.dtype == torch.bfloat16
    assert (stored.float() - exact).pow(2).mean() < 2 * (plainly - exact).pow(2).mean()
