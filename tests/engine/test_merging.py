"""`merging()` inside transformers' own generate(): what it leaves alone and what it changes."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel, Qwen2AudioConfig
from transformers import Qwen2AudioForConditionalGeneration as Qwen2Audio

from fastadasp import (
    Average,
    FastAdaSP,
    MergeMethod,
    NoReduction,
    Positions,
    RandomEvict,
    Schedule,
    SnapKV,
    Stride,
    merging,
)
from fastadasp.reduction.schedule import Plan
from tests.helpers.tiny_decoders import FAMILIES, LAYERS, generated, left_padded, prompt, tiny_decoder, untouched

PROMPTS = [
    prompt(5, 60, 7),
    prompt(3, 40, 9, seed=1),
    prompt(4, 13, 3, 20, 6, seed=2),  # two runs
    prompt(8, seed=3),  # no audio
    prompt(0, 30, 5, seed=4),  # begins with audio
]
GREEDY = {"max_new_tokens": 6, "do_sample": False, "return_dict_in_generate": True}
BEAMS = {**GREEDY, "num_beams": 3}


@pytest.fixture
def model() -> Iterator[PreTrainedModel]:
    with untouched(tiny_decoder()) as model:
        yield model


@pytest.mark.crossed
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("settings", [GREEDY, BEAMS], ids=["greedy", "beams"])
@pytest.mark.parametrize("method", [NoReduction(), FastAdaSP(), FastAdaSP(ratio=1e-6)], ids=["none", "zero", "tiny"])
@torch.no_grad()
def test_without_a_reduction_the_answer_is_the_unpatched_models(
    method: MergeMethod, settings: dict[str, object], attention: str
) -> None:
    model = tiny_decoder(attention=attention)
    ids, real, audio = left_padded(PROMPTS)
    expected = model.generate(ids, attention_mask=real, **settings).sequences
    with merging(model, method, audio) as trace:
        assert torch.equal(model.generate(ids, attention_mask=real, **settings).sequences, expected)
    assert torch.equal(trace.audio_tokens, audio.sum(1).expand(LAYERS, -1))
    assert torch.equal(trace.tokens, real.sum(1).expand(LAYERS, -1))


@pytest.mark.crossed
@pytest.mark.parametrize("settings", [GREEDY, BEAMS], ids=["greedy", "beams"])
@pytest.mark.parametrize("schedule", Schedule)
@pytest.mark.parametrize(
    ("method_class", "positions"),
    [(FastAdaSP, Positions.packed), (FastAdaSP, Positions.original), (RandomEvict, Positions.packed)],
)
def test_a_row_of_a_batch_gives_what_it_gives_alone(
    model: PreTrainedModel,
    method_class: type[MergeMethod],
    positions: Positions,
    schedule: Schedule,
    settings: dict[str, object],
) -> None:
    method = method_class(ratio=0.5, layer=2, schedule=schedule, positions=positions)
    together = generated(model, method, PROMPTS, **settings)
    alone = [generated(model, method, [row], **settings)[0] for row in PROMPTS]
    assert torch.equal(together, torch.stack(alone))
    assert not torch.equal(together[:3], generated(model, NoReduction(), PROMPTS, **settings)[:3])


@pytest.mark.parametrize("schedule", Schedule)
def test_eager_and_sdpa_agree(schedule: Schedule) -> None:
    method = FastAdaSP(ratio=0.5, schedule=schedule)
    sdpa, eager = (generated(tiny_decoder(attention=name), method, PROMPTS, **GREEDY) for name in ("sdpa", "eager"))
    assert torch.equal(sdpa, eager)


@pytest.mark.parametrize("schedule", Schedule)
@torch.no_grad()
def test_caches_are_as_long_as_the_schedule_says(model: PreTrainedModel, schedule: Schedule) -> None:
    method = FastAdaSP(layer_ratio=0.2, layer=1, schedule=schedule)
    ids, real, audio = left_padded(PROMPTS)
    with merging(model, method, audio) as trace:
        out = model.generate(ids, attention_mask=real, **GREEDY)
    counts_BL = torch.tensor([Plan.of(method, LAYERS).audio_tokens(int(row.sum())) for row in audio])
    text_B1 = real.sum(1, keepdim=True) - audio.sum(1, keepdim=True)
    for index, layer in enumerate(out.past_key_values.layers):
        longest = int((counts_BL + text_B1)[:, index].max())
        assert layer.keys.shape == layer.values.shape == (len(PROMPTS), 2, longest + GREEDY["max_new_tokens"] - 1, 16)
    assert torch.equal(trace.audio_tokens.T, counts_BL[:, 1:])
    assert torch.equal(trace.tokens.T, (counts_BL + text_B1)[:, 1:])
    assert trace.audio_tokens[1].shape == (len(PROMPTS),)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("settings", [GREEDY, BEAMS], ids=["greedy", "beams"])
def test_every_family_is_itself_without_and_consistent_with_a_reduction(
    family: str, settings: dict[str, object]
) -> None:
    model = tiny_decoder(family)
    ids, real, _ = left_padded(PROMPTS)
    unpatched = model.generate(ids, attention_mask=real, **settings).sequences[:, ids.shape[1] :]
    # One token of thousands cannot be removed, but all layers are replaced: they must compute what the family's own do.
    assert torch.equal(generated(model, FastAdaSP(ratio=1e-6, layer=0), PROMPTS, **settings), unpatched)
    method = FastAdaSP(ratio=0.4, layer=1, schedule=Schedule.constant)
    together = generated(model, method, PROMPTS, **settings)
    for row, alone in enumerate(PROMPTS):
        assert torch.equal(together[row], generated(model, method, [alone], **settings)[0])


def tiny_speechlm() -> Qwen2Audio:
    torch.manual_seed(0)
    encoder = {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16}
    text = {"model_type": "qwen2", "vocab_size": 60, "hidden_size": 32, "intermediate_size": 48}
    text |= {"num_hidden_layers": 5, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = Qwen2AudioConfig(
        audio_config={"model_type": "qwen2_audio_encoder", **encoder}, text_config=text, audio_token_index=50
    )
    return Qwen2Audio(config).eval()


@torch.no_grad()
def test_a_speechlm_is_reduced_where_its_decoder_sees_audio() -> None:
    model = tiny_speechlm()
    tokens = 100
    ids = torch.cat([torch.tensor([[1, 2]]), torch.full((1, tokens), 50), torch.tensor([[3, 4, 5]])], 1)
    features = torch.randn(1, 128, 3000)
    frames = torch.zeros(1, 3000, dtype=torch.long)
    frames[:, : tokens * 4] = 1
    inputs = {"input_ids": ids, "input_features": features, "feature_attention_mask": frames}
    with merging(model, FastAdaSP(ratio=0.5, layer=1), audio_mask=ids == model.config.audio_token_id) as trace:
        out = model.generate(**inputs, num_beams=4, max_new_tokens=3, return_dict_in_generate=True)
    assert trace.audio_tokens[:, 0].tolist() == [100, 50, 50, 50, 50]
    assert [layer.keys.shape[-2] for layer in out.past_key_values.layers] == [107, 107, 57, 57, 57]


@torch.no_grad()
def test_a_plain_forward_pass_needs_no_cache(model: PreTrainedModel) -> None:
    ids, _, audio = left_padded(PROMPTS[:1])
    method = FastAdaSP(ratio=0.5, layer=2)
    with merging(model, method, audio):
        without, with_cache = (model(ids, use_cache=cached).logits for cached in (False, True))
    assert without.shape[1] == ids.shape[1] - 30
    torch.testing.assert_close(without, with_cache)


@torch.no_grad()
def test_original_positions_differ_from_packed_ones_and_keep_the_texts(model: PreTrainedModel) -> None:
    """Dropping no token but the last audio one makes both options a plain sequence with known positions."""
    ids, audio = prompt(4, 12, 5)

    class DropLast(Average):
        def assign(self, state):  # type: ignore[no-untyped-def]
            return state.drop_top(torch.arange(state.layout.width)[None].float())

    kept = [t for t in range(21) if t != 15]
    known = {"packed": torch.arange(1, 21), "original": torch.tensor(kept)}
    for name, positions in known.items():
        with merging(model, DropLast(layer_ratio=0.1, layer=0, positions=name), audio[None]):  # type: ignore[arg-type]
            logits = model(ids[None]).logits
        # Layer 0 attends to all 21 tokens at their own places; from layer 1 on the sequence is 20 tokens long.
        expected = two_stage(model, ids, kept, positions)
        torch.testing.assert_close(logits[0], expected, atol=1e-5, rtol=1e-5)


def two_stage(model: PreTrainedModel, ids: Tensor, kept: list[int], positions: Tensor) -> Tensor:
    """Logits when layer 0 attends to `ids`, and all that follows sees only `kept`, at `positions`."""
    decoder = model.model
    causal = torch.full((len(ids), len(ids)), -torch.inf).triu(1)[None, None]
    h = decoder.embed_tokens(ids)[None]
    for index, layer in enumerate(decoder.layers):
        where = (torch.arange(len(ids)) if index == 0 else positions)[None]
        mask = causal[..., : h.shape[1], : h.shape[1]]
        rotary = decoder.rotary_emb(h, where)
        h = h + layer.self_attn(layer.input_layernorm(h), position_embeddings=rotary, attention_mask=mask)[0]
        h = h[:, kept] if index == 0 else h
        h = h + layer.mlp(layer.post_attention_layernorm(h))
    return model.lm_head(decoder.norm(h))[0]


@torch.no_grad()
def test_one_block_serves_several_calls_of_any_kind(model: PreTrainedModel) -> None:
    ids, real, audio = left_padded(PROMPTS[:2])
    method = FastAdaSP(ratio=0.5, layer=2, schedule=Schedule.constant)
    with merging(model, method, audio) as trace:
        greedy = model.generate(ids, attention_mask=real, **GREEDY).sequences
        beams = model.generate(ids, attention_mask=real, **BEAMS).sequences
        assert trace.audio_tokens.shape == (LAYERS, 2)
        torch.manual_seed(1)
        sampled = model.generate(
            ids, attention_mask=real, do_sample=True, num_return_sequences=2, max_new_tokens=4, top_k=5
        )
        again = model.generate(ids, attention_mask=real, **GREEDY).sequences
    assert torch.equal(greedy, again)
    assert torch.equal(greedy[:, ids.shape[1] :], generated(model, method, PROMPTS[:2], **GREEDY))
    assert torch.equal(beams[:, ids.shape[1] :], generated(model, method, PROMPTS[:2], **BEAMS))
    assert sampled.shape == (4, ids.shape[1] + 4)


@torch.no_grad()
def test_prompt_lookup_writes_what_greedy_does(model: PreTrainedModel) -> None:
    ids, real, audio = left_padded(PROMPTS[:1])
    with merging(model, FastAdaSP(ratio=0.5, layer=2, schedule=Schedule.decay), audio):
        greedy = model.generate(ids, attention_mask=real, max_new_tokens=12, do_sample=False)
        lookup = model.generate(
            ids, attention_mask=real, max_new_tokens=12, do_sample=False, prompt_lookup_num_tokens=3
        )
    assert torch.equal(greedy, lookup)


@torch.no_grad()
def test_rows_are_traced_once_however_many_beams(model: PreTrainedModel) -> None:
    ids, real, audio = left_padded(PROMPTS)
    with merging(model, RandomEvict(ratio=0.5), audio, keep_assignments=True) as trace:
        model.generate(ids, attention_mask=real, **BEAMS)
    assert trace.audio_tokens[-1].tolist() == [30, 20, 17, 0, 15]
    assert list(trace.assignments) == [2]
    assert trace.assignments[2].slot.shape == (len(PROMPTS) * 3, ids.shape[1])


@pytest.mark.parametrize(
    "method", [NoReduction(), FastAdaSP(), FastAdaSP(ratio=0.5), SnapKV(0.5, window=4), Stride(0.5)]
)
@torch.no_grad()
def test_padding_of_every_row_changes_no_answer(model: PreTrainedModel, method: MergeMethod) -> None:
    ids, real, audio = left_padded(PROMPTS[:2])
    wide = [torch.nn.functional.pad(tensor, (6, 0)) for tensor in (ids, real, audio)]
    answers = []
    for one, mask, sounds in ((ids, real, audio), wide):
        with merging(model, method, sounds):
            answers.append(model.generate(one, attention_mask=mask, **GREEDY).sequences[:, one.shape[1] :])
    assert torch.equal(*answers)
