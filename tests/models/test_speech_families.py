"""All families that need a YAML alone: tiny random instances of the shipped classes with the shipped processors."""

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import transformers
from hydra.utils import instantiate
from omegaconf import OmegaConf

from fastadasp import FastAdaSP, NoReduction, Schedule, merging
from fastadasp.config.paths import options
from fastadasp.errors import ConfigError
from fastadasp.evaluation.answering import answer
from fastadasp.models.base import Engine, Generation
from fastadasp.models.chat import ChatSpeechLM, PreparedChat
from fastadasp.models.pretrained import ModelError
from fastadasp.tasks.base import Example
from tests.helpers.speech_families import FAMILIES

OPTIONS = {"audioflamingo3": "audio_flamingo_3", "musicflamingo": "music_flamingo", "glmasr": "glm_asr_nano"}
WORDS = "Transcribe the speech."
ASKED = {**dict.fromkeys(FAMILIES, True), "qwen3_asr": False}
"""Whether the family's chat template writes what the user asks."""
PROMPTS = {
    "audioflamingo3": "<|im_start|>user\nTranscribe the input speech.<sound><|im_end|>\n<|im_start|>assistant\n",
    "musicflamingo": "<|im_start|>user\nTranscribe the input speech.<|sound_bos|><sound><|sound_eos|><|im_end|>\n"
    "<|im_start|>assistant\n",
    "glmasr": "<|im_start|>user\n<|begin_of_audio|><|pad|><|end_of_audio|>Please transcribe this audio into text"
    "<|im_end|>\n<|im_start|>assistant\n",
    "voxtral": "<s>[INST][BEGIN_AUDIO][AUDIO]Transcribe this audio.[/INST]",
    "qwen3_asr": "<|im_start|>system\n<|im_end|>\n<|im_start|>user\n<|audio_start|><|audio_pad|><|audio_end|>"
    "<|im_end|>\n<|im_start|>assistant\n",
    "fun_asr_nano": "<|im_start|>user\n<|object_ref_start|><|im_end|>\n<|im_start|>assistant\n",
    "vibevoice_asr": "<|im_start|>user\n<|object_ref_start|><|box_start|><|object_ref_end|>\nThis is a "
    "<|AUDIO_DURATION|> seconds audio.<|im_end|>\n<|im_start|>assistant\n",
    "moss_transcribe_diarize": "<|im_start|>user\n<|audio_start|><|audio_pad|><|audio_end|><|im_end|>\n"
    "<|im_start|>assistant\n",
    "granite_speech": "<|start_of_role|>user<|end_of_role|><|audio|>can you transcribe the speech into a written "
    "format?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
    "granite_speech_plus": "<|start_of_role|>user<|end_of_role|><|audio|>can you transcribe the speech into a written "
    "format?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
    "qwen2_5_omni": "<|im_start|>system\nYou are a speech recognition model.<|im_end|>\n<|im_start|>user\n"
    "<|audio_bos|><|AUDIO|><|audio_eos|>Transcribe the English audio into text without any punctuation marks."
    "<|im_end|>\n<|im_start|>assistant\n",
    "qwen3_omni": "<|im_start|>user\n<|audio_bos|><|audio_pad|><|audio_eos|>Transcribe the English audio into text."
    "<|im_end|>\n<|im_start|>assistant\n",
    "phi4_multimodal": "<|user|><|audio|>Transcribe the audio clip into text.<|end|><|assistant|>",
}
"""What each family's option makes of the task asr, in the template of the tiny checkpoint."""
PER_SECOND = {
    "audioflamingo3": 25,
    "musicflamingo": 25,
    "glmasr": 12.5,
    "voxtral": 12.5,
    "qwen3_asr": 13,
    "fun_asr_nano": 100 / 6,
    "vibevoice_asr": 7.5,
    "moss_transcribe_diarize": 12.5,
    "granite_speech": 10,
    "granite_speech_plus": 10,
    "qwen2_5_omni": 25,
    "qwen3_omni": 13,
    "phi4_multimodal": 12.5,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


@cache
def loaded(name: str, folders: Path) -> ChatSpeechLM:
    """The family's option on a tiny checkpoint."""
    folder = FAMILIES[name].save(folders / name)
    settings = OmegaConf.load(options("model")[OPTIONS.get(name, name)])
    adapter: ChatSpeechLM = instantiate(settings, path=str(folder), revision=None, adapter=None)
    adapter.load(device="cpu", dtype="float32", attention="sdpa")
    return adapter


@pytest.fixture(params=list(FAMILIES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def adapter(name: str, folders: Path) -> ChatSpeechLM:
    transformers.logging.set_verbosity_error()
    return loaded(name, folders)


def example(folder: Path, seconds: float, task: str = "asr") -> Example:
    path = folder / f"{seconds}.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(round(seconds * 16_000)), 16_000)
    return Example(id="x", audio=(path,), instruction=WORDS, reference="", task=task)


def answers(adapter: ChatSpeechLM, rows: list, method: FastAdaSP | NoReduction, beams: int) -> list[list[int]]:
    inputs = adapter.encode(rows)
    with merging(adapter.model, method, adapter.audio_mask(inputs)):
        ids: list[list[int]] = adapter.generate(inputs, Generation(max_new_tokens=4, num_beams=beams))[0].tolist()
    return ids


MERGED = FastAdaSP(ratio=0.3, layer=1, schedule=Schedule.constant)


def written(adapter: ChatSpeechLM, prepared: PreparedChat) -> str:
    """The prompt, also where the processor makes its ids from the turns; one mark for the recording."""
    if prepared.prompt is not None:
        return prepared.prompt
    ids = adapter._process([prepared])["input_ids"][0].tolist()
    text: str = adapter.processor.tokenizer.decode(ids)
    tokens = text.count(adapter.placeholder)
    return text.replace(adapter.placeholder * tokens, adapter.placeholder)


def test_the_prompt_of_a_task_stays_as_it_is(adapter: ChatSpeechLM, name: str, tmp_path: Path) -> None:
    prepared = adapter.prepare(example(tmp_path, 1.0))
    assert written(adapter, prepared) == PROMPTS[name]


def test_audio_tokens_are_found_at_the_familys_rate(adapter: ChatSpeechLM, name: str, tmp_path: Path) -> None:
    assert adapter.placeholder == FAMILIES[name].audio
    seconds = 30.0 if name == "voxtral" else 8.0  # Voxtral fills whole windows
    prepared = adapter.prepare(example(tmp_path, seconds))
    inputs = adapter.encode([prepared])
    tokens = int(adapter.audio_mask(inputs).sum())
    assert tokens == adapter.prompt_tokens(prepared)[0]
    assert tokens == pytest.approx(seconds * PER_SECOND[name], abs=2)
    assert adapter.listening.per_second == pytest.approx(PER_SECOND[name], abs=0.5)


@pytest.mark.slow
def test_without_a_reduction_the_answers_are_those_of_the_unpatched_class(
    adapter: ChatSpeechLM, tmp_path: Path
) -> None:
    rows = [adapter.prepare(example(tmp_path, seconds)) for seconds in (2.0, 2.0)]
    for beams in (1, 2):
        inputs = adapter.encode(rows)
        plain = adapter.model.generate(
            **(adapter.beam_prompt(inputs) if beams > 1 else inputs), max_new_tokens=4, num_beams=beams
        )
        assert (
            answers(adapter, rows, FastAdaSP(ratio=0.0, layer=1), beams)
            == plain[:, inputs.input_ids.shape[1] :].tolist()
        )


@pytest.mark.slow
def test_a_row_of_a_reduced_batch_answers_as_it_does_alone(adapter: ChatSpeechLM, tmp_path: Path) -> None:
    lengths = (3.0, 3.0) if adapter.equal_lengths else (3.0, 1.0)
    rows = [adapter.prepare(example(tmp_path, seconds)) for seconds in lengths]
    for beams in (1, 2):
        assert answers(adapter, rows, MERGED, beams) == [answers(adapter, [row], MERGED, beams)[0] for row in rows]


@pytest.mark.slow
def test_both_engines_decode_the_reduced_prompt_alike(adapter: ChatSpeechLM, tmp_path: Path) -> None:
    inputs = adapter.encode([adapter.prepare(example(tmp_path, 3.0))])
    said = [
        answer(adapter, MERGED, Generation(engine=engine, max_new_tokens=4, num_beams=2), inputs).ids.tolist()
        for engine in (Engine.auto, Engine.transformers)
    ]
    assert said[0] == said[1]


def test_each_layer_keeps_the_tokens_that_the_schedule_says(adapter: ChatSpeechLM, tmp_path: Path) -> None:
    inputs = adapter.encode([adapter.prepare(example(tmp_path, 4.0))])
    mask = adapter.audio_mask(inputs)
    with merging(adapter.model, FastAdaSP(ratio=0.5, layer=1), mask) as trace, torch.no_grad():
        adapter.model(**inputs)
    audio = int(mask.sum())
    runs = int((mask[0, 1:] & ~mask[0, :-1]).sum())
    kept = [int(left[0]) for left in trace.audio_tokens]
    assert kept[0] == audio
    assert kept[1:] == [kept[1]] * 3
    assert audio - audio // 2 <= kept[1] <= audio - audio // 2 + runs


def test_recordings_of_unlike_length_stay_apart_where_padding_changes_the_encoder(
    folders: Path, tmp_path: Path
) -> None:
    adapter = loaded("phi4_multimodal", folders)
    rows = [adapter.prepare(example(tmp_path, seconds)) for seconds in (1.0, 2.0)]
    assert adapter.batch_key(rows[0]) != adapter.batch_key(rows[1])
    free = dataclasses.replace(adapter, equal_lengths=False)
    assert free.batch_key(rows[0]) == free.batch_key(rows[1])


def test_a_recogniser_is_not_asked_other_things(folders: Path, tmp_path: Path) -> None:
    adapter = loaded("qwen3_asr", folders)
    with pytest.raises(ConfigError, match=r"leaves the instruction out, so this model only transcribes \(task=asr\)"):
        adapter.prepare(example(tmp_path, 1.0, task="er"))


def test_audio_that_the_processor_would_cut_off_is_an_error(folders: Path, tmp_path: Path) -> None:
    from fastadasp.data.audio import AudioError

    adapter = loaded("qwen2_5_omni", folders)
    with pytest.raises(AudioError, match=r"750 audio tokens of 45\.0 s, which need 1125: its processor drops what"):
        adapter.prepare(example(tmp_path, 45.0))


def test_the_transcript_is_taken_out_of_what_recognisers_write_around_it(folders: Path) -> None:
    said = {
        "qwen3_asr": "language English<asr_text>good morning",
        "vibevoice_asr": '[{"Start":0,"End":1.2,"Speaker":0,"Content":"good"},{"Start":1.2,"End":2,"Speaker":1,'
        '"Content":"morning"}]',
        "moss_transcribe_diarize": "[0.00][S01]good[1.20][1.20][S02]morning[2.00]",
    }
    for name, text in said.items():
        adapter = loaded(name, folders)
        ids = torch.tensor([adapter.processor.tokenizer(text, add_special_tokens=False).input_ids])
        assert adapter.texts(ids) == ["good morning"]


HUB = ("hf", "qwen2_audio_7b", "qwen2_audio_7b_instruct")


@pytest.mark.parametrize("option", [*HUB, *dict.fromkeys(OPTIONS.get(name, name) for name in FAMILIES)])
def test_absent_weights_are_told_with_the_id_and_how_to_get_them(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    settings = OmegaConf.load(options("model")[option])
    settings.path = "nobody/nothing" if option == "hf" else settings.path
    adapter = instantiate(settings)
    with pytest.raises(ModelError, match=rf"(?s){settings.path} cannot be loaded: .*hf download {settings.path}"):
        adapter.load(device="cpu", dtype="float32", attention="sdpa")


def test_weights_that_a_folder_lacks_are_named(folders: Path, tmp_path: Path) -> None:
    folder = FAMILIES["glmasr"].save(tmp_path / "glmasr")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        ChatSpeechLM(path=str(folder)).load(device="cpu", dtype="float32", attention="sdpa")


def test_lora_weights_inside_the_checkpoint_are_put_on(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    folder = FAMILIES["glmasr"].save(tmp_path / "glmasr")
    plain = ChatSpeechLM(path=str(folder))
    model = plain.load(device="cpu", dtype="float32", attention="sdpa")
    inputs = plain.encode([plain.prepare(example(tmp_path, 1.0))])
    with torch.no_grad():
        before = model(**inputs).logits
        adapted = get_peft_model(model, LoraConfig(r=2, target_modules=r".*language_model.*\.v_proj"))
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.1)
        wanted = adapted(**inputs).logits
    adapted.save_pretrained(folder / "speech")
    loaded = ChatSpeechLM(path=str(folder), adapter="speech")
    loaded.load(device="cpu", dtype="float32", attention="sdpa")
    with torch.no_grad():
        given = loaded.model(**inputs).logits
    torch.testing.assert_close(given, wanted)
    assert not torch.allclose(given, before, atol=1e-3)
    with merging(loaded.model, FastAdaSP(ratio=0.4, layer=1), loaded.audio_mask(inputs)):
        beams = loaded.generate(inputs, Generation(max_new_tokens=3, num_beams=2))[0]
    assert beams.shape == (1, 3)
    with pytest.raises(ModelError, match=r"model\.adapter=nowhere cannot be put on"):
        ChatSpeechLM(path=str(folder), adapter="nowhere").load(device="cpu", dtype="float32", attention="sdpa")
