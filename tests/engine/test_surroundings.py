"""`merging()` amid what users do to models: wrappers, autocast, adapters, compilation, turns, padding."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from transformers import PreTrainedModel

from fastadasp import H2O, CriticalKV, FastAdaSP, FastV, MergeMethod, NoReduction, SnapKV, SpeechPrune, Stride, merging
from tests.helpers.causal_families import tiny_family
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

PROMPTS = [prompt(5, 60, 7), prompt(3, 40, 9, seed=1)]
IDS, REAL, AUDIO = left_padded(PROMPTS)
GREEDY = {"max_new_tokens": 6, "do_sample": False}
HALF = FastAdaSP(ratio=0.5, layer=1)
METHODS = [
    HALF,
    FastAdaSP(ratio=0.5, layer=1, earlier_caches=True),
    Stride(ratio=0.5),
    FastV(0.5),
    SnapKV(0.5, window=8),
]


class Owner(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.inside = model

    def forward(self, *args: object, **kwargs: object) -> object:
        return self.inside(*args, **kwargs)


@torch.no_grad()
def generated(model: PreTrainedModel, method: MergeMethod, given: object = None, **settings: object) -> Tensor:
    with merging(model if given is None else given, method, AUDIO):
        return model.generate(IDS, attention_mask=REAL, **{**GREEDY, **settings})[:, IDS.shape[1] :]


@pytest.mark.parametrize("wrap", [Owner, nn.DataParallel, lambda model: Owner(Owner(model))])
def test_a_wrapped_model_is_found(wrap: object) -> None:
    model = tiny_decoder(layers=4)
    assert torch.equal(generated(model, HALF, wrap(model)), generated(model, HALF))


def test_a_model_in_ddp_or_peft_is_found(tmp_path: Path) -> None:
    expected = generated(tiny_decoder(layers=3), HALF)
    adapted = get_peft_model(tiny_decoder(layers=3), LoraConfig(r=2, target_modules=["q_proj"]))  # adds nothing yet
    assert torch.equal(generated(adapted.base_model.model, HALF, adapted), expected)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(tiny_decoder(layers=3))
        assert torch.equal(generated(wrapped.module, HALF, wrapped), expected)
    finally:
        torch.distributed.destroy_process_group()


def test_two_models_side_by_side_are_refused() -> None:
    pair = nn.ModuleList([tiny_decoder(layers=1), tiny_decoder(layers=1)])
    with pytest.raises(ValueError, match=r"holds 2 \(\.0, \.1\)"), merging(pair, HALF, AUDIO):
        pass


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
@torch.no_grad()
def test_columns_that_are_padding_in_every_row_make_no_difference(method: MergeMethod) -> None:
    model = tiny_decoder(layers=4)
    expected = generated(model, method)
    ids, real, audio = (nn.functional.pad(x, (9, 0)) for x in (IDS, REAL, AUDIO))
    for beams in (1, 3):
        expected = generated(model, method, num_beams=beams)
        with merging(model, method, audio):
            found = model.generate(ids, attention_mask=real, num_beams=beams, **GREEDY)
        assert torch.equal(found[:, ids.shape[1] :], expected)


@pytest.mark.parametrize("method", [*METHODS, NoReduction(), H2O(0.5)], ids=lambda method: type(method).__name__)
@torch.no_grad()
def test_a_second_turn_on_the_reduced_cache_reads_each_token_once(method: MergeMethod) -> None:
    model, (ids, audio) = tiny_decoder(layers=4), prompt(5, 40, 15)
    ids, audio, turn = ids[None], audio[None], prompt(9, seed=5)[0][None]
    told = {**GREEDY, "return_dict_in_generate": True, "output_logits": True}
    with merging(model, method, audio):
        first = model.generate(ids, attention_mask=torch.ones_like(ids), **told)
        whole = torch.cat([first.sequences, turn], 1)
        second = model.generate(
            whole, attention_mask=torch.ones_like(whole), past_key_values=first.past_key_values, **told
        )
    with merging(model, method, audio):
        again = model.generate(ids, attention_mask=torch.ones_like(ids), **told)
        rest = torch.cat([again.sequences[:, -1:], turn], 1)
        begin = ids.shape[1] + GREEDY["max_new_tokens"] - 1
        position = torch.arange(begin, begin + rest.shape[1])[None]
        right = model(rest, past_key_values=again.past_key_values, position_ids=position).logits[:, -1]
    torch.testing.assert_close(second.logits[0], right, atol=1e-5, rtol=1e-5)


TURNS = {
    "gemma2": "soft caps, sliding and full layers mixed",
    "gpt2": "learned positions",
    "phi": "attention and MLP side by side",
    "olmo2": "norms after attention",
    "mixtral": "experts",
    "deepseek_v3": "fused projections",
    "opt": "positions that count from two",
}
"""Families, and what of theirs a further turn could break."""


@pytest.mark.parametrize("family", TURNS)
@torch.no_grad()
def test_a_second_turn_reads_each_token_once_in_families_of_all_kinds(family: str) -> None:
    """Transformers counts what is new by layer 0's cache, which is shorter here than the prompt was."""
    model = tiny_family(family)
    (ids, audio), turn = prompt(5, 30, 9), prompt(6, seed=5)[0][None]
    ids, audio = ids[None], audio[None]
    told = {"max_new_tokens": 3, "do_sample": False, "return_dict_in_generate": True, "output_logits": True}
    for method in (FastAdaSP(ratio=0.5, layer=0, earlier_caches=True), Stride(ratio=0.5)):
        with merging(model, method, audio):
            first = model.generate(ids, attention_mask=torch.ones_like(ids), **told)
            whole = torch.cat([first.sequences, turn], 1)
            cache, real = first.past_key_values, torch.ones_like(whole)
            second = model.generate(whole, attention_mask=real, past_key_values=cache, **told)
        with merging(model, method, audio):
            cache = model(ids, attention_mask=torch.ones_like(ids)).past_key_values
            for at in range(ids.shape[1], whole.shape[1]):  # one token after the other, as an answer is written
                position = torch.tensor([[at]])
                real = torch.ones(1, at + 1, dtype=torch.long)
                step = model(whole[:, at : at + 1], attention_mask=real, past_key_values=cache, position_ids=position)
        torch.testing.assert_close(second.logits[0], step.logits[:, -1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_autocast_with_padding_works(method: MergeMethod, attention: str) -> None:
    model = tiny_decoder(attention=attention, layers=4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert generated(model, method).shape == (2, 6)


class LowRank(nn.Module):
    """An adapter that is not merged into its weight."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base, self.down, self.up = base, nn.Linear(64, 4, bias=False), nn.Linear(4, base.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + 3 * self.up(self.down(x))


@torch.no_grad()
def test_speech_prune_sees_adapters_that_are_not_merged() -> None:
    model, merged = tiny_decoder(layers=2), tiny_decoder(layers=2)
    for name in ("q_proj", "k_proj"):
        torch.manual_seed(3)
        adapter = LowRank(getattr(model.model.layers[0].self_attn, name))
        setattr(model.model.layers[0].self_attn, name, adapter)
        getattr(merged.model.layers[0].self_attn, name).weight += 3 * adapter.up.weight @ adapter.down.weight
    method = SpeechPrune(0.5)
    with merging(model, method, AUDIO, keep_assignments=True) as trace:
        model(IDS, attention_mask=REAL)
    with merging(merged, method, AUDIO, keep_assignments=True) as expected:
        merged(IDS, attention_mask=REAL)
    assert torch.equal(trace.input_assignment.slot, expected.input_assignment.slot)


def test_speech_prune_and_head_outputs_work_on_dynamically_quantised_weights() -> None:
    model = torch.ao.quantization.quantize_dynamic(tiny_decoder(layers=3), {nn.Linear}, dtype=torch.qint8)
    for method in (SpeechPrune(0.5), HALF, CriticalKV(0.5)):
        assert generated(model, method).shape == (2, 6)


@pytest.mark.parametrize("parts", [(), ("model",)])
@torch.no_grad()
def test_a_model_in_shards_is_examined_as_a_whole(parts: tuple[str, ...], tmp_path: Path) -> None:
    """FSDP2, in one process; a part in shards cannot run before the whole has."""
    methods = (HALF, SpeechPrune(0.5), SnapKV(0.5, window=8))
    expected = [generated(tiny_decoder(layers=3), method) for method in methods]
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = tiny_decoder(layers=3)
        for part in (*model.model.layers, *map(model.get_submodule, parts), model):
            fully_shard(part)
        assert all(map(torch.equal, [generated(model, method) for method in methods], expected))
    finally:
        torch.distributed.destroy_process_group()


def test_a_cache_that_gradient_checkpointing_leaves_empty_is_refused_with_the_reason() -> None:
    model = tiny_decoder(layers=3)
    model.gradient_checkpointing_enable()
    model.train()
    with pytest.raises(ValueError, match="gradient checkpointing in training mode"):
        generated(model, SnapKV(0.5, window=8))


@torch.no_grad()
def test_compiling_before_or_inside_the_block_changes_nothing() -> None:
    expected = generated(tiny_decoder(layers=3), HALF)
    for inside in (False, True):
        model = tiny_decoder(layers=3)
        if not inside:
            model.forward = torch.compile(model.forward, backend="eager")
        with merging(model, HALF, AUDIO):
            if inside:
                model.forward = torch.compile(model.forward, backend="eager")
            found = model.generate(IDS, attention_mask=REAL, **GREEDY)
        assert torch.equal(found[:, IDS.shape[1] :], expected)


@torch.no_grad()
def test_a_compiled_module_and_a_compiled_wrapper_change_nothing() -> None:
    expected = generated(tiny_decoder(layers=3), HALF)
    inside, wrapper = tiny_decoder(layers=3), torch.compile(tiny_decoder(layers=3), backend="eager")
    inside.compile(backend="eager")
    assert torch.equal(generated(inside, HALF), expected)
    assert torch.equal(generated(wrapper, HALF), expected)


@torch.no_grad()
def test_layers_that_are_compiled_one_by_one_are_examined_and_run() -> None:
    expected = generated(tiny_decoder(layers=3), HALF)
    model = tiny_decoder(layers=3)
    for layer in model.model.layers:
        layer.compile(backend="eager")
    assert torch.equal(generated(model, HALF), expected)
