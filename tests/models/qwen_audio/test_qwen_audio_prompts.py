"""What Qwen-Audio and Qwen2-Audio read for each task, word for word: a changed prompt makes scores incomparable."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from omegaconf import OmegaConf

from fastadasp.config.build import build
from fastadasp.errors import ConfigError
from fastadasp.models.base import Generation
from fastadasp.models.pretrained import ModelError
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.models.qwen_audio.adapter import QwenAudio
from fastadasp.models.qwen_audio.processor import expanded
from fastadasp.models.qwen_audio.random import QwenAudioRandom
from fastadasp.tasks.base import Example
from tests.helpers.configs import composed

LINE = {
    "id": "1",
    "audio": "a.wav",
    "text": "hello",
    "translation": "Hallo.",
    "label": "happy",
    "question": "Where is she?",
    "choices": ["home", "away"],
    "answer": "home",
}
QUESTION = "Where is she? A. home; B. away."
EMOTION = "What is the speaker's emotion? Answer happy, sad, angry or neutral."
FIRST = "<audio>[[[AUDIO:modality]]]</audio>"
CHAT_HEAD = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
CHAT_TAIL = "<|im_end|>\n<|im_start|>assistant\n"
SECOND = "<|audio_bos|><|AUDIO|><|audio_eos|>"
PROMPTS = {
    ("qwen_audio", "asr"): f"{FIRST}<|startoftranscript|><|en|><|transcribe|><|en|><|notimestamps|><|wo_itn|>",
    ("qwen_audio", "st"): f"{FIRST}<|startoftranscript|><|en|><|translate|><|de|><|notimestamps|><|itn|>",
    ("qwen_audio", "er"): (f"{FIRST}<|startofanalysis|><|en|><|keyword|><|en|><|notimestamps|><|emotion_recognition|>"),
    ("qwen_audio", "sqa"): f"{FIRST}<|startofanalysis|><|en|><|question|>{QUESTION}<|answer|>",
    ("qwen_audio", "sv"): (
        f"{FIRST}<|startofanalysis|><|en|><|question|>Is there only one speaker in the audio?<|answer|>"
    ),
    ("qwen_audio_chat", "asr"): f"{CHAT_HEAD}Audio 1:{FIRST}\nRecognize the speech{CHAT_TAIL}",
    ("qwen_audio_chat", "st"): f"{CHAT_HEAD}Audio 1:{FIRST}\nTranslate the speech into German.{CHAT_TAIL}",
    ("qwen_audio_chat", "er"): f"{CHAT_HEAD}Audio 1:{FIRST}\n{EMOTION}{CHAT_TAIL}",
    ("qwen_audio_chat", "sqa"): f"{CHAT_HEAD}Audio 1:{FIRST}\n{QUESTION}{CHAT_TAIL}",
    ("qwen_audio_chat", "sv"): f"{CHAT_HEAD}Audio 1:{FIRST}\nIs there only one speaker in the audio?{CHAT_TAIL}",
    ("qwen2_audio_7b", "asr"): f"{SECOND}Detect the language and recognize the speech: <|en|>",
    ("qwen2_audio_7b", "st"): f"{SECOND}Detect the language and translate the speech into German: <|en|>",
    ("qwen2_audio_7b", "er"): f"{SECOND}Recognize the emotion with keywords in English:",
    ("qwen2_audio_7b", "sqa"): f"{SECOND}{QUESTION} The answer is:",
    ("qwen2_audio_7b", "sv"): f"{SECOND}Is there only one speaker in the audio? The answer is:",
    ("qwen2_audio_7b_instruct", "asr"): f"{CHAT_HEAD}Audio 1: {SECOND}\nTranscribe the speech.{CHAT_TAIL}",
    ("qwen2_audio_7b_instruct", "st"): f"{CHAT_HEAD}Audio 1: {SECOND}\nTranslate the speech into German.{CHAT_TAIL}",
    ("qwen2_audio_7b_instruct", "er"): f"{CHAT_HEAD}Audio 1: {SECOND}\n{EMOTION}{CHAT_TAIL}",
    ("qwen2_audio_7b_instruct", "sqa"): f"{CHAT_HEAD}Audio 1: {SECOND}\n{QUESTION}{CHAT_TAIL}",
    ("qwen2_audio_7b_instruct", "sv"): (
        f"{CHAT_HEAD}Audio 1: {SECOND}\nIs there only one speaker in the audio?{CHAT_TAIL}"
    ),
}


def adapter_of(model: str, *overrides: str) -> QwenAudioRandom | Qwen2AudioRandom:
    """The settings of conf/model/<model>.yaml on random weights."""
    settings = OmegaConf.to_container(composed(f"model={model}", *overrides).model)
    wording = {name: settings[name] for name in ("chat", "instructions")}
    if model.startswith("qwen2"):
        return Qwen2AudioRandom(**wording)
    return QwenAudioRandom(**wording, spoken_language=settings["spoken_language"])


def example_of(task: str, folder: Path, *overrides: str, **fields: object) -> Example:
    soundfile.write(folder / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(16_000), 16_000)
    line = {**LINE, **({"label": "yes"} if task == "sv" else {}), **fields}
    (folder / "manifest.jsonl").write_text(json.dumps(line))
    cfg = composed(f"task={task}", f"task.manifest={folder}/manifest.jsonl", *overrides)
    (example,) = build(cfg.task, "task").examples()
    return example


@pytest.mark.parametrize(("model", "task"), PROMPTS)
def test_every_prompt_is_frozen(model: str, task: str, tmp_path: Path) -> None:
    adapter, example = adapter_of(model), example_of(task, tmp_path)
    assert adapter._prompt(1, adapter.wording(example)) == PROMPTS[model, task]
    ids = adapter.prepare(example)["input_ids"].tolist()
    tokens = adapter.processor.tokenizer
    text = PROMPTS[model, task]
    filled = expanded(text, [25]) if model.startswith("qwen_") else text.replace("<|AUDIO|>", "<|AUDIO|>" * 25)
    assert tokens.decode(ids) == filled
    assert ids.count(adapter.config.audio_token_id) == 25
    if model == "qwen_audio":
        tags = [token for token in tokens.convert_ids_to_tokens(ids) if token.startswith("<|")]
        assert "".join(tags) == "".join(part for part in ("<|" + rest for rest in tags_in(text)))


def tags_in(text: str) -> list[str]:
    """What follows each `<|` up to its end."""
    return [part.split("|>")[0] + "|>" for part in text.split("<|")[1:]]


def test_languages_are_told_by_code_or_name_and_line_by_line(tmp_path: Path) -> None:
    spanish = adapter_of("qwen_audio", "model.spoken_language=Spanish")
    example = example_of("st", tmp_path, "task.language=Traditional Chinese")
    assert spanish.wording(example) == ("<|startoftranscript|><|es|><|translate|><|zh_tr|><|notimestamps|><|itn|>")
    line = example_of("asr", tmp_path, spoken_language="ja")
    assert adapter_of("qwen_audio").wording(line).startswith("<|startoftranscript|><|ja|><|transcribe|><|ja|>")


def test_languages_without_a_tag_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.spoken_language: Qwen-Audio has no tag for 'Dutch'; it knows en \("):
        QwenAudioRandom(spoken_language="Dutch")
    with pytest.raises(ConfigError, match=r"task\.language: Qwen-Audio has no tag for 'Dutch'"):
        adapter_of("qwen_audio").wording(example_of("st", tmp_path, "task.language=Dutch"))
    adapter_of("qwen_audio_chat").wording(example_of("st", tmp_path, "task.language=Dutch"))  # told in words


@pytest.mark.parametrize("model", ["qwen_audio", "qwen_audio_chat", "qwen2_audio_7b_instruct"])
def test_an_instruction_cannot_smuggle_in_marks_of_the_prompt(model: str, tmp_path: Path) -> None:
    adapter, example = adapter_of(model), example_of("sqa", tmp_path)
    for token in adapter.reserved:
        with pytest.raises(ConfigError, match=r"its instruction holds .*, which marks a part of the prompt"):
            adapter.wording(replace(example, instruction=f"What is {token}?"))
    assert ("<|im_end|>" in adapter.reserved) == (model != "qwen_audio")


def test_several_clips_are_numbered_in_a_chat(tmp_path: Path) -> None:
    chat = adapter_of("qwen_audio_chat")
    assert chat._prompt(2, "Who?") == f"{CHAT_HEAD}Audio 1:{FIRST}\nAudio 2:{FIRST}\nWho?{CHAT_TAIL}"
    assert adapter_of("qwen_audio")._prompt(2, "Who?") == f"{FIRST}{FIRST}Who?"


def test_weights_that_are_not_there_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    for model in ("qwen_audio", "qwen_audio_chat"):
        adapter = build(composed(f"model={model}").model, "model")
        assert isinstance(adapter, QwenAudio)
        expected = rf"(?s)model\.path={adapter.path} cannot be loaded: there is no such folder.*convert qwen_audio"
        with pytest.raises(ModelError, match=expected):
            adapter.load(device="cpu", dtype="float32", attention="sdpa")
    instruct = build(composed("model=qwen2_audio_7b_instruct").model, "model")
    with pytest.raises(ModelError, match="hf download Qwen/Qwen2-Audio-7B-Instruct"):
        instruct.load(device="cpu", dtype="float32", attention="sdpa")


def test_a_checkpoint_of_the_second_generation_is_not_taken_for_the_first(tmp_path: Path) -> None:
    second = Qwen2AudioRandom(layers=1)
    second.load(device="cpu", dtype="float32", attention="sdpa").save_pretrained(tmp_path / "second")
    with pytest.raises(ModelError, match="holds Qwen2-Audio, the second generation; choose model=qwen2_audio_7b"):
        QwenAudio(path=str(tmp_path / "second")).load(device="cpu", dtype="float32", attention="sdpa")


@pytest.mark.parametrize("chat", [False, True])
def test_the_random_option_answers(chat: bool, tmp_path: Path) -> None:
    adapter = build(composed("model=qwen_audio_random", f"model.chat={chat}").model, "model")
    adapter.load(device="cpu", dtype="float32", attention="sdpa")
    inputs = adapter.encode([adapter.prepare(example_of("sqa", tmp_path))])
    ids, texts = adapter.generate(inputs, Generation(max_new_tokens=3))
    assert (ids.shape, len(texts)) == ((1, 3), 1)
    end = adapter.processor.tokenizer.convert_ids_to_tokens(adapter.model.generation_config.eos_token_id)
    assert end == ("<|im_end|>" if chat else "<|endoftext|>")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"vocab": 3777}, r"model\.vocab must be at least 3778"),
        ({"seq_length": 1}, r"model\.seq_length must be at least 2"),
    ],
)
def test_settings_out_of_range_name_the_key(setting: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        QwenAudioRandom(**setting)
