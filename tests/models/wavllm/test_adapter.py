"""WavLLM under reduction: batches, beams, both ways of reading a prompt, both engines, and its folder on disk."""

import dataclasses
import pickle
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fastadasp import Average, FastAdaSP, MergeMethod, NoReduction, Schedule, merging
from fastadasp.evaluation.answering import answer
from fastadasp.evaluation.batches import PreparedBatch
from fastadasp.evaluation.module import EvalModule
from fastadasp.merge.h2o import H2O
from fastadasp.merge.visionzip import VisionZip
from fastadasp.models.base import Engine, Generation
from fastadasp.models.pretrained import ModelError
from fastadasp.models.wavllm.adapter import Prefill, WavLLM
from fastadasp.models.wavllm.random import WavLLMRandom
from fastadasp.reduction.schedule import Plan
from fastadasp.tasks.base import Example

LAYERS = 4
GREEDY = Generation(max_new_tokens=6, engine=Engine.transformers)
BEAMS = dataclasses.replace(GREEDY, num_beams=3)
CPU = {"device": "cpu", "dtype": "float32", "attention": "sdpa"}
REDUCED = FastAdaSP(ratio=0.5, layer=1, schedule=Schedule.constant)


def loud(**settings: object) -> WavLLMRandom:
    """Weights so large that audio, instruction, gate and every token matter."""
    adapter = WavLLMRandom(layers=LAYERS, whisper_layers=1, wavlm_layers=1, **settings)  # type: ignore[arg-type]
    model = adapter.load(**CPU)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(8 if name.startswith("gate") else 5)
    return adapter


@pytest.fixture(scope="module")
def whole() -> WavLLMRandom:
    return loud()


@pytest.fixture(scope="module")
def released() -> WavLLMRandom:
    return loud(prefill=Prefill.released)


@pytest.fixture
def adapter(request: pytest.FixtureRequest) -> WavLLMRandom:
    return request.getfixturevalue(request.param)


both = pytest.mark.parametrize("adapter", ["whole", "released"], indirect=True)


def prompts(adapter: WavLLMRandom, *seconds: float, instruction: str = "What?") -> list:
    return [
        adapter.processor.prompt(
            instruction,
            (0.1 * np.random.default_rng(number).standard_normal(round(each * 16_000))).astype(np.float32),
            16_000,
        )
        for number, each in enumerate(seconds)
    ]


def answers(
    adapter: WavLLMRandom, rows: Sequence, method: MergeMethod, generation: Generation
) -> tuple[list[list[int]], list]:
    inputs = adapter.encode(rows)
    with merging(adapter.model, method, adapter.audio_mask(inputs)) as trace:
        ids = adapter.generate(inputs, generation)[0]
    return ids.tolist(), trace.cached_tokens.T.tolist()


@pytest.mark.crossed
@both
@pytest.mark.parametrize("generation", [GREEDY, BEAMS], ids=["greedy", "beams"])
@pytest.mark.parametrize("method", [NoReduction(), FastAdaSP(ratio=1e-6, layer=0)], ids=["none", "all layers patched"])
def test_without_a_reduction_the_answer_is_that_of_the_plain_model_whichever_way_the_prompt_is_read(
    adapter: WavLLMRandom, whole: WavLLMRandom, method: MergeMethod, generation: Generation
) -> None:
    rows = prompts(whole, 1.5, 0.4)
    inputs = whole.encode(rows)
    plain = whole.model.generate(**inputs, max_new_tokens=6, num_beams=generation.num_beams, do_sample=False)
    assert answers(adapter, rows, method, generation)[0] == plain[:, inputs["input_ids"].shape[1] :].tolist()


@pytest.mark.crossed
@both
@pytest.mark.parametrize("generation", [GREEDY, BEAMS], ids=["greedy", "beams"])
@pytest.mark.parametrize(
    "method",
    [REDUCED, Average(ratio=0.4, layer=2, schedule=Schedule.once, proportional=True), H2O(ratio=0.5)],
    ids=["fastadasp", "proportional", "h2o"],
)
def test_a_row_of_a_batch_gives_what_it_gives_alone(
    adapter: WavLLMRandom, method: MergeMethod, generation: Generation
) -> None:
    rows = prompts(adapter, 2.0, 31.0, 0.1)
    together, cached = answers(adapter, rows, method, generation)
    alone = [answers(adapter, [row], method, generation) for row in rows]
    assert together == [ids[0] for ids, _ in alone]
    assert cached == [counts[0] for _, counts in alone]


def test_unlike_instructions_share_a_batch_each_with_a_gate_of_its_own(whole: WavLLMRandom) -> None:
    rows = [
        prompts(whole, 1.0, instruction=text)[0] for text in ("Translate the audio.", "", "Who speaks? A. Tom; B. Ann.")
    ]
    together, _ = answers(whole, rows, REDUCED, GREEDY)
    assert together == [answers(whole, [row], REDUCED, GREEDY)[0][0] for row in rows]
    inputs = whole.encode(rows)
    gates = whole.model.read_instructions(inputs["instruction_ids"], inputs["instruction_mask"])
    assert (gates[0] - gates[2]).abs().max() > 0.1
    shared = whole.model(**{**inputs, "lora_gate": gates[:1].expand(3, -1)}).logits
    assert (shared[2, -1] - whole.model(**inputs).logits[2, -1]).abs().max() > 1e-3, "the gate matters"


@both
@pytest.mark.parametrize("schedule", Schedule)
def test_every_layer_holds_what_the_schedule_says_and_the_cache_what_the_trace_says(
    adapter: WavLLMRandom, schedule: Schedule
) -> None:
    method = FastAdaSP(layer_ratio=0.2, layer=1, schedule=schedule)
    rows = prompts(adapter, 4.0, 2.0)
    inputs = adapter.encode(rows)
    audio_BT = adapter.audio_mask(inputs)
    with merging(adapter.model, method, audio_BT) as trace:
        out = adapter.model.generate(**inputs, max_new_tokens=3, do_sample=False, return_dict_in_generate=True)
    planned = torch.tensor([Plan.of(method, LAYERS).audio_tokens(int(row.sum())) for row in audio_BT])
    text_B1 = inputs["attention_mask"].sum(1, keepdim=True) - audio_BT.sum(1, keepdim=True)
    assert torch.equal(trace.audio_tokens.T, planned[:, 1:])
    assert torch.equal(trace.tokens.T, planned[:, 1:] + text_B1)
    assert torch.equal(trace.cached_tokens.T, planned[:, :-1] + text_B1)
    widths = [layer.keys.shape[2] for layer in out.past_key_values.layers]
    assert widths == [int(most) + 2 for most in trace.cached_tokens.max(1).values]


def test_only_a_prompt_read_whole_lets_the_method_see_the_instruction(
    whole: WavLLMRandom, released: WavLLMRandom
) -> None:
    def decisions(adapter: WavLLMRandom, instruction: str) -> torch.Tensor:
        inputs = adapter.encode(prompts(adapter, 4.0, instruction=instruction))
        gate = torch.ones(1, 64)  # the same, so that nothing else tells of the instruction
        with merging(adapter.model, REDUCED, adapter.audio_mask(inputs), keep_assignments=True) as trace:
            adapter.model.generate(**inputs, lora_gate=gate, max_new_tokens=1, do_sample=False)
        first = int(adapter.audio_mask(inputs)[0].nonzero().min())
        return trace.assignments[1].weight[0, first : first + 50]

    texts = ("Is it Tom or Ann?", "What did he say??")
    same, other = (decisions(released, text) for text in texts)
    assert torch.equal(same, other)
    same, other = (decisions(whole, text) for text in texts)
    assert not torch.equal(same, other)


@pytest.mark.crossed
@both
@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize(
    "method",
    [REDUCED, Average(ratio=0.4, layer=1, proportional=True), VisionZip(ratio=0.5)],
    ids=["fastadasp", "proportional", "guided by the encoder"],
)
def test_the_static_engine_writes_what_transformers_writes(
    adapter: WavLLMRandom, method: MergeMethod, beams: int
) -> None:
    inputs = adapter.encode(prompts(adapter, 2.0, 0.5))
    both_engines = []
    for engine in (Engine.static, Engine.transformers):
        generation = Generation(max_new_tokens=6, num_beams=beams, engine=engine)
        done = answer(adapter, method, generation, inputs)
        both_engines.append((done.ids.tolist(), done.trace.cached_tokens.tolist()))
    assert both_engines[0] == both_engines[1]


def test_unlike_instructions_cannot_be_read_token_by_token_together_and_runs_keep_them_apart(
    released: WavLLMRandom, whole: WavLLMRandom
) -> None:
    rows = [prompts(released, 1.0, instruction=text)[0] for text in ("Hi", "Hello there")]
    with pytest.raises(ValueError, match=r"all of a batch must be equally long; got \[21, 30\] tokens"):
        released.model.generate(**released.encode(rows), max_new_tokens=1)
    assert [released.batch_key(row) for row in rows] == [21, 30]
    assert {whole.batch_key(row) for row in rows} == {None}


def test_a_run_keeps_unlike_instructions_apart_and_all_else_together(released: WavLLMRandom) -> None:
    rows = [prompts(released, 1.0, instruction=text)[0] for text in ("Hi", "Hello there", "Ho")]
    examples = [Example(str(number), (), "", "") for number in range(3)]
    session = SimpleNamespace(setup=SimpleNamespace(adapter=released), store=None)
    module = EvalModule(session, [], {})  # type: ignore[arg-type]
    batch = PreparedBatch(0, tuple(zip(examples, rows, strict=True)), ())
    groups = [[item.id for item, _ in group] for group in module._together(batch)]
    assert groups == [["0", "2"], ["1"]]


def test_encoders_and_instruction_are_read_once_for_all_beams(
    whole: WavLLMRandom, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, asked = [], []
    model = whole.model
    hook = model.audio.register_forward_pre_hook(lambda _, args: heard.append(len(args[0])))
    read = model.language_model.read_plainly
    monkeypatch.setattr(model.language_model, "read_plainly", lambda ids: asked.append(len(ids)) or read(ids))
    answers(whole, prompts(whole, 0.5, 0.4), REDUCED, BEAMS)
    hook.remove()
    assert heard == [2]
    assert asked == [1], "equal instructions are one"


def test_sampling_draws_the_same_from_both_ways_of_reading(whole: WavLLMRandom, released: WavLLMRandom) -> None:
    sampled = dataclasses.replace(GREEDY, do_sample=True, temperature=0.5)
    drawn = []
    for adapter in (whole, released):
        torch.manual_seed(3)
        drawn.append(adapter.generate(adapter.encode(prompts(adapter, 1.0)), sampled)[0].tolist())
    assert drawn[0] == drawn[1]


def test_a_saved_folder_answers_like_the_original_and_lacks_nothing(whole: WavLLMRandom, tmp_path: Path) -> None:
    whole.model.save_pretrained(tmp_path)
    whole.processor.save_pretrained(tmp_path)
    loaded = WavLLM(path=str(tmp_path), prefill=Prefill.released)
    assert loaded.shape == whole.shape
    loaded.load(**CPU)
    assert loaded.model.config.prefill == "released"
    rows = prompts(loaded, 1.0, 0.3)
    assert answers(loaded, rows, NoReduction(), GREEDY) == answers(whole, rows, NoReduction(), GREEDY)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["gate.fc_1.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 weights: gate\.fc_1\.weight"):
        WavLLM(path=str(tmp_path)).load(**CPU)


def test_half_precision_and_workers(whole: WavLLMRandom) -> None:
    half = WavLLMRandom(layers=2)
    assert half.load(device="cpu", dtype="bfloat16", attention="eager").dtype == torch.bfloat16
    ids = half.generate(half.encode(prompts(half, 1.0)), GREEDY)[0]
    assert ids.shape == (1, 6)
    assert "_model" not in pickle.loads(pickle.dumps(whole)).__dict__


def test_guessed_tokens_are_refused_where_instructions_are_read_token_by_token(
    released: WavLLMRandom, whole: WavLLMRandom
) -> None:
    for adapter in (whole, released):
        inputs = adapter.encode(prompts(adapter, 1.0))
        settings = {"max_new_tokens": 4, "prompt_lookup_num_tokens": 2}
        with merging(adapter.model, REDUCED, adapter.audio_mask(inputs)):
            if adapter is released:
                with pytest.raises(ValueError, match=r"prefill=released reads .*use prefill=whole"):
                    adapter.model.generate(**inputs, **settings)
            else:
                plain = adapter.model.generate(**inputs, max_new_tokens=4)
                assert adapter.model.generate(**inputs, **settings).tolist() == plain.tolist()


def test_methods_guided_by_the_encoder_say_why_they_cannot_take_more_than_one_window(whole: WavLLMRandom) -> None:
    inputs = whole.encode(prompts(whole, 41.0))
    with (
        pytest.raises(ValueError, match=r"read 2 clips of \[1500, 1500\] frames, which do not make the 513 audio"),
        merging(whole.model, VisionZip(ratio=0.5), whole.audio_mask(inputs)),
    ):
        whole.generate(inputs, GREEDY)
