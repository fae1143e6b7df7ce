"""The Qwen2-Audio adapter against the plain transformers class, on the audio that people really have."""

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from transformers import GenerationConfig

from fastadasp import Average, Schedule, merging
from fastadasp.data.audio import AudioError
from fastadasp.errors import ConfigError
from fastadasp.models.base import Generation
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.reduction.schedule import Plan
from fastadasp.tasks.base import Example

GREEDY = Generation(max_new_tokens=8)


@pytest.fixture(scope="module")
def adapter() -> Qwen2AudioRandom:
    adapter = Qwen2AudioRandom(layers=4)
    adapter.load(device="cpu", dtype="float32", attention="sdpa")
    return adapter


def example(folder: Path, *seconds: float, instruction: str = "Transcribe the speech.", task: str = "asr") -> Example:
    """An example of as many noise files as lengths are given."""
    paths = tuple(folder / f"{number}-{length}.wav" for number, length in enumerate(seconds))
    for number, (path, length) in enumerate(zip(paths, seconds, strict=True)):
        noise = np.random.default_rng(number).standard_normal(round(length * 16_000))
        soundfile.write(path, 0.1 * noise, 16_000)
    return Example(id="x", audio=paths, instruction=instruction, reference="", task=task, meta={"language": "German"})


def test_prompts_word_for_word(adapter: Qwen2AudioRandom, tmp_path: Path) -> None:
    clip = "<|audio_bos|><|AUDIO|><|audio_eos|>"
    assert adapter._prompt(2, "What is said?") == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\nAudio 1: {clip}\nAudio 2: {clip}\nWhat is said?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert Qwen2AudioRandom(chat=False)._prompt(2, "What is said?") == f"{clip}{clip}What is said?"


def test_a_batch_is_what_the_processor_makes_of_it(adapter: Qwen2AudioRandom, tmp_path: Path) -> None:
    examples = [example(tmp_path, 1.3), example(tmp_path, 4.0, instruction="What?"), example(tmp_path, 0.4)]
    ours = adapter.encode([adapter.prepare(item) for item in examples])
    processor = adapter.processor
    processor.tokenizer.padding_side = "left"
    expected = processor(
        text=[adapter._prompt(1, item.instruction) for item in examples],
        audio=[soundfile.read(item.audio[0], dtype="float32")[0] for item in examples],
        sampling_rate=16_000,
        padding=True,
        return_tensors="pt",
    )
    assert set(ours) == set(expected)
    for name in expected:
        torch.testing.assert_close(ours[name], expected[name], rtol=0, atol=0)
    assert adapter.audio_mask(ours).sum(1).tolist() == [32, 100, 10]  # 25 tokens a second
    ids, texts = adapter.generate(ours, GREEDY)
    plain = adapter.model.generate(**expected, max_new_tokens=8, do_sample=False)
    torch.testing.assert_close(ids, plain[:, expected["input_ids"].shape[1] :])
    assert texts == processor.tokenizer.batch_decode(ids, skip_special_tokens=True)


@pytest.mark.crossed
@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("ratio", [0.0, 0.4])
def test_an_example_gets_the_same_answer_alone_and_in_a_batch(
    adapter: Qwen2AudioRandom, tmp_path: Path, ratio: float, num_beams: int
) -> None:
    prepared = [adapter.prepare(example(tmp_path, *lengths)) for lengths in ([2.0], [0.02], [33.0], [1.0, 0.3])]
    method = Average(ratio=ratio, layer=1, schedule=Schedule.constant)
    generation = dataclasses.replace(GREEDY, num_beams=num_beams)

    def answers(rows: list[dict[str, torch.Tensor]]) -> list[list[int]]:
        inputs = adapter.encode(rows)
        with merging(adapter.model, method, adapter.audio_mask(inputs)):
            return adapter.generate(inputs, generation)[0].tolist()

    assert answers(prepared) == [answers([row])[0] for row in prepared]


@pytest.mark.parametrize("beams", [1, 3])
def test_a_ratio_of_zero_is_the_unpatched_class(adapter: Qwen2AudioRandom, tmp_path: Path, beams: int) -> None:
    inputs = adapter.encode([adapter.prepare(example(tmp_path, 2.0)), adapter.prepare(example(tmp_path, 0.6))])
    plain = adapter.model.generate(**inputs, max_new_tokens=5, num_beams=beams)[:, inputs["input_ids"].shape[1] :]
    with merging(adapter.model, Average(ratio=0.0, layer=1), adapter.audio_mask(inputs)):
        ids, _ = adapter.generate(inputs, Generation(max_new_tokens=5, num_beams=beams))
    assert torch.equal(ids, plain)


@pytest.mark.parametrize("schedule", Schedule)
def test_every_layer_holds_the_tokens_of_the_schedule(
    adapter: Qwen2AudioRandom, tmp_path: Path, schedule: Schedule
) -> None:
    inputs = adapter.encode([adapter.prepare(example(tmp_path, 4.0))])  # 100 audio tokens
    method = Average(layer_ratio=0.2, layer=1, schedule=schedule)
    with merging(adapter.model, method, adapter.audio_mask(inputs)) as trace, torch.no_grad():
        adapter.model(**inputs)
    left = [int(tokens[0]) for tokens in trace.audio_tokens]
    assert left == list(Plan.of(method, 4).audio_tokens(100)[1:])
    assert left[:2] == [100, 80], "a fifth goes at layer 1"


@pytest.mark.parametrize("seconds", [1 / 16_000, 0.02, 0.05, 0.069, 0.07])
def test_the_shortest_audio_still_gives_two_tokens_in_place(
    adapter: Qwen2AudioRandom, tmp_path: Path, seconds: float
) -> None:
    inputs = adapter.encode([adapter.prepare(example(tmp_path, seconds))])
    assert adapter.audio_mask(inputs).sum() == 2
    assert adapter.model(**inputs).logits.shape[1] == inputs["input_ids"].shape[1]  # transformers expanded nothing


def test_long_audio_becomes_clips_that_hold_all_of_it(adapter: Qwen2AudioRandom, tmp_path: Path) -> None:
    prepared = adapter.prepare(example(tmp_path, 70.0))
    frames = prepared["feature_attention_mask"].sum(1)
    assert len(frames) == 3
    assert frames.sum() == pytest.approx(7000, abs=3)  # each clip rounds up to whole 10 ms frames
    assert all(frames[:2] >= 2800)  # the last 2 s are searched for a quiet point
    is_audio = adapter.audio_mask({"input_ids": prepared["input_ids"][None]})[0].int()
    assert (is_audio.diff() == 1).sum() == 3  # runs of audio tokens
    exact = dataclasses.replace(adapter, cut_search_seconds=0.0).prepare(example(tmp_path, 70.0))
    assert exact["feature_attention_mask"].sum(1).tolist() == [3000, 3000, 1000]


def test_several_files_follow_each_other_in_prompt_order(adapter: Qwen2AudioRandom, tmp_path: Path) -> None:
    prepared = adapter.prepare(example(tmp_path, 2.0, 31.0, 0.5))
    assert prepared["feature_attention_mask"].sum(1)[[0, 3]].tolist() == [200, 50]
    alone = adapter.prepare(example(tmp_path, 2.0))
    torch.testing.assert_close(prepared["input_features"][0], alone["input_features"][0])


def test_audio_over_the_limit_is_refused_not_cut(adapter: Qwen2AudioRandom, tmp_path: Path) -> None:
    short = dataclasses.replace(adapter, max_seconds=3.0)
    with pytest.raises(AudioError, match=r"0-3\.1\.wav: 3\.1 s is over the limit of 3 s"):
        short.prepare(example(tmp_path, 3.1))
    with pytest.raises(AudioError, match="its 2 files hold"):
        short.prepare(example(tmp_path, 2.0, 2.0))
    with pytest.raises(AudioError, match=r"prompt has \d+ tokens, the model's limit is 100"):
        Qwen2AudioRandom(positions=100).prepare(example(tmp_path, 3.0))


def test_a_prompt_without_audio_is_refused(adapter: Qwen2AudioRandom) -> None:
    with pytest.raises(AudioError, match="example x has no audio"):
        adapter.prepare(Example(id="x", audio=(), instruction="Hello?", reference=""))


def test_a_model_may_word_a_task_its_own_way(tmp_path: Path) -> None:
    own = Qwen2AudioRandom(instructions={"st": "Into {language}: {instruction}", "asr": "{speaker}"}, chat=False)
    worded = own.prepare(example(tmp_path, 1.0, instruction="Translate.", task="st"))["input_ids"]
    assert own.processor.tokenizer.decode(worded).endswith("<|audio_eos|>Into German: Translate.")
    with pytest.raises(ConfigError, match=r"model\.instructions\.asr='\{speaker\}' .* it may use \{language\}"):
        own.prepare(example(tmp_path, 1.0))
    with pytest.raises(ConfigError, match=r"its instruction holds <\|AUDIO\|>"):
        own.prepare(example(tmp_path, 1.0, instruction="What is <|AUDIO|>?"))


def test_what_a_checkpoint_says_about_decoding_does_not_leak(adapter: Qwen2AudioRandom, tmp_path: Path) -> None:
    habits = GenerationConfig(do_sample=True, top_k=3, repetition_penalty=1.7, eos_token_id=[1, 2], max_length=5)
    talkative = Qwen2AudioRandom(layers=4)
    build = talkative._build_model(device="cpu", dtype="float32", attention="sdpa", device_map=None)
    build.generation_config = habits
    talkative.__dict__["_build_model"] = lambda **_: build
    model = talkative.load(device="cpu", dtype="float32", attention="sdpa")
    assert model.generation_config.eos_token_id == [1, 2]
    rows = [adapter.prepare(example(tmp_path, 1.0))]
    assert talkative.generate(talkative.encode(rows), GREEDY)[1] == adapter.generate(adapter.encode(rows), GREEDY)[1]


def test_random_weights_depend_on_their_seed_alone(adapter: Qwen2AudioRandom) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    again, other = Qwen2AudioRandom(layers=4), Qwen2AudioRandom(layers=4, weight_seed=1)
    for each in (again, other):
        each.load(device="cpu", dtype="float32", attention="sdpa")
    torch.testing.assert_close(torch.random.get_rng_state(), before)
    head, same, different = (each.model.lm_head.weight for each in (adapter, again, other))
    torch.testing.assert_close(head, same, rtol=0, atol=0)
    assert not torch.equal(head, different)


def test_dtype_shape_and_workers(adapter: Qwen2AudioRandom) -> None:
    half = Qwen2AudioRandom(layers=3, heads=8, kv_heads=2, hidden=64)
    with pytest.raises(RuntimeError, match="load"):
        _ = half.model
    assert (half.shape.layers, half.shape.kv_heads, half.shape.head_dim, half.shape.vocab) == (3, 2, 8, 512)
    assert half.load(device="cpu", dtype="bfloat16", attention="eager").dtype == torch.bfloat16
    assert "_model" not in pickle.loads(pickle.dumps(adapter)).__dict__  # workers get no weights


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"heads": 5}, r"model\.hidden must be a multiple of model\.heads, got 64 and 5"),
        ({"vocab": 100}, r"model\.vocab must be at least 262"),
        ({"clip_seconds": 31.0}, r"model\.clip_seconds must lie in \[1, 30\], got 31"),
        ({"cut_search_seconds": 20.0}, r"model\.cut_search_seconds must lie in \[0, 15\]"),
        ({"max_seconds": 0.0}, r"model\.max_seconds must be above 0"),
    ],
)
def test_settings_out_of_range_name_the_key(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Qwen2AudioRandom(**setting)


def test_each_beam_reads_its_own_prompt_though_it_has_several_clips(adapter: Qwen2AudioRandom, tmp_path: Path) -> None:
    beams = Generation(max_new_tokens=4, num_beams=3)
    single = adapter.encode([adapter.prepare(example(tmp_path, 1.0)), adapter.prepare(example(tmp_path, 0.4))])
    plain = adapter.model.generate(**single, max_new_tokens=4, num_beams=3)[:, single["input_ids"].shape[1] :]
    assert torch.equal(adapter.generate(single, beams)[0], plain), "transformers is right about one clip for each row"

    several = adapter.encode([adapter.prepare(example(tmp_path, 1.0, 0.5))])
    read: list[torch.Tensor] = []
    hook = adapter.model.model.language_model.register_forward_pre_hook(
        lambda _, args, kwargs: read.append(kwargs["inputs_embeds"]), with_kwargs=True
    )
    adapter.generate(several, Generation(max_new_tokens=1))
    adapter.generate(several, beams)
    hook.remove()
    prompts = [embeddings for embeddings in read if embeddings.shape[1] > 1]
    assert [len(embeddings) for embeddings in prompts] == [1, 1, 3]
    torch.testing.assert_close(prompts[2], prompts[0].expand(3, -1, -1))
