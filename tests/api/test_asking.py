"""The three lines of a user: load a model, transcribe, ask; on the model that comes with the package."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import fastadasp
from fastadasp import Answer, FastAdaSP, Frame, Generation, NoReduction, SpeechModel, merging
from fastadasp.api.recordings import RecordingError
from fastadasp.config.build import build
from fastadasp.config.paths import PACKAGE
from fastadasp.data.audio import AudioError
from fastadasp.errors import ConfigError, InputError
from fastadasp.models.chat import ChatSpeechLM
from fastadasp.models.pretrained import ModelError
from fastadasp.models.qwen2_audio import Qwen2Audio
from tests.helpers.configs import composed

CLIPS = PACKAGE / "assets" / "benchmark" / "asr"
SHORT = Generation(max_new_tokens=24)


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    return fastadasp.load("tiny", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def clips() -> list[dict]:
    lines = map(json.loads, (CLIPS / "manifest.jsonl").read_text().splitlines())
    return sorted(lines, key=lambda line: line["seconds"])[:6]


def files(clips: list[dict]) -> list[Path]:
    return [CLIPS / clip["audio"] for clip in clips]


def test_recordings_are_transcribed_in_their_order(model: SpeechModel, clips: list[dict]) -> None:
    answers = fastadasp.transcribe(model, files(clips), batch_size=4, progress=False)
    words = [str(answer).lower().strip(".").split() for answer in answers]
    expected = [clip["text"].lower().strip(".").split() for clip in clips]
    right = sum(one == other for one, other in zip(words, expected, strict=True))
    assert right >= 4, "the model makes few errors on its own benchmark"
    assert all(answer.complete and answer.error is None for answer in answers)
    assert [answer.audio_tokens for answer in answers] == [answer.audio_tokens_left for answer in answers]


def test_answers_are_those_of_the_adapter_and_transformers(model: SpeechModel, clips: list[dict]) -> None:
    """Against the same prompts one by one, with transformers' own generate()."""
    answers = fastadasp.ask(model, files(clips), "Transcribe the speech.", generation=SHORT, progress=False)
    for file, answer in list(zip(files(clips), answers, strict=True))[::2]:
        inputs = model.inputs(file, "Transcribe the speech.")
        ids = model.generate(inputs, max_new_tokens=24, do_sample=False)
        assert answer.text == model.texts(ids)[0].strip()
        assert answer.audio_tokens == int(model.audio_mask(inputs).sum())


def test_a_method_removes_what_it_is_asked_to_and_the_answer_is_that_of_merging(
    model: SpeechModel, clips: list[dict]
) -> None:
    method = FastAdaSP(ratio=0.5, layer=1)
    answers = fastadasp.ask(model, files(clips)[:4], "Transcribe the speech.", method=method, progress=False)
    assert all(0.4 < answer.audio_tokens_left / answer.audio_tokens < 0.62 for answer in answers)
    inputs = model.inputs(files(clips)[:2], "Transcribe the speech.")
    with merging(model, method, model.audio_mask(inputs)) as trace:
        ids = model.generate(inputs, max_new_tokens=256, do_sample=False)
    assert [text.strip() for text in model.texts(ids)] == [answer.text for answer in answers[:2]]
    assert trace.audio_tokens[-1].tolist() == [answer.audio_tokens_left for answer in answers[:2]]
    beams = fastadasp.ask(
        model, files(clips)[:1], "Transcribe the speech.", generation=replace(SHORT, num_beams=3), progress=False
    )
    inputs = model.inputs(files(clips)[0], "Transcribe the speech.")
    assert beams[0].text == model.texts(model.generate(inputs, max_new_tokens=24, num_beams=3))[0].strip()


def test_arrays_files_and_several_recordings_mix(model: SpeechModel, clips: list[dict]) -> None:
    path = files(clips)[0]
    samples, rate = soundfile.read(path, dtype="float32")
    given = [path, str(path), (samples, rate), {"array": samples, "sampling_rate": rate}, [path, (samples, rate)]]
    answers = fastadasp.transcribe(model, given, batch_size=2, progress=False)
    assert len({answer.text for answer in answers[:4]}) == 1
    assert answers[4].audio_tokens == 2 * answers[0].audio_tokens
    (alone,) = fastadasp.transcribe(model, path, progress=False)
    assert alone == answers[0]
    assert fastadasp.transcribe(model, [], progress=False) == []


def test_each_recording_may_have_a_question_of_its_own(model: SpeechModel) -> None:
    lines = [
        json.loads(line)
        for line in (PACKAGE / "assets" / "benchmark" / "sqa" / "manifest.jsonl").read_text().splitlines()[:3]
    ]
    paths = [PACKAGE / "assets" / "benchmark" / "sqa" / line["audio"] for line in lines]
    questions = [f"{line['question']} A. {line['choices'][0]}; B. {line['choices'][1]}." for line in lines]
    together = fastadasp.ask(model, paths, questions, method=Frame(ratio=0.3), generation=SHORT, progress=False)
    single = [
        fastadasp.ask(model, path, question, method=Frame(ratio=0.3), generation=SHORT, progress=False)[0]
        for path, question in zip(paths, questions, strict=True)
    ]
    assert together == single
    with pytest.raises(ConfigError, match="2 questions are given for 3 recordings"):
        fastadasp.ask(model, paths, questions[:2], progress=False)


def test_an_answer_that_the_limit_ends_says_so(model: SpeechModel, clips: list[dict]) -> None:
    (answer,) = fastadasp.transcribe(model, files(clips)[0], generation=Generation(max_new_tokens=2), progress=False)
    assert not answer.complete


def test_a_recording_that_cannot_be_read_stops_or_is_kept(
    model: SpeechModel, clips: list[dict], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    given = [files(clips)[0], broken, np.full(1600, np.nan, np.float32), files(clips)[1], "lost.wav"]
    with pytest.raises(RecordingError, match=r"audio\[4\]: lost\.wav is no file"):
        fastadasp.transcribe(model, given, progress=False)
    with pytest.raises(AudioError, match=r"broken\.wav"):
        fastadasp.transcribe(model, given[:4], progress=False)
    answers = fastadasp.transcribe(model, given, keep_going=True, progress=False)
    assert [answer.error is None for answer in answers] == [True, False, False, True, False]
    assert str(broken) in answers[1].error
    assert answers[2].error.startswith("audio[2].wav: ")
    assert answers[2] == Answer("", error=answers[2].error)
    assert str(answers[0])


def test_memory_that_runs_out_halves_the_batch(
    model: SpeechModel, clips: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fastadasp.transcribe(model, files(clips)[:5], generation=SHORT, progress=False)
    encode, sizes = type(model.adapter).encode, []
    limit = 2

    def small(self, prepared):
        sizes.append(len(prepared))
        if len(prepared) > limit:
            raise torch.OutOfMemoryError("no room\nmore")
        return encode(self, prepared)

    monkeypatch.setattr(type(model.adapter), "encode", small)
    assert fastadasp.transcribe(model, files(clips)[:5], generation=SHORT, progress=False) == expected
    assert sizes == [5, 2, 3, 1, 2]
    limit = 0
    with pytest.raises(InputError, match=r"out of memory with a single prompt: no room\. Use a smaller dtype"):
        fastadasp.transcribe(model, files(clips)[:2], generation=SHORT, progress=False)


def test_a_bar_is_shown_on_the_error_stream_only(
    model: SpeechModel, clips: list[dict], capfd: pytest.CaptureFixture[str]
) -> None:
    fastadasp.transcribe(model, files(clips)[:2], generation=SHORT)
    shown = capfd.readouterr()
    assert "2/2" in shown.err
    assert shown.out == ""
    fastadasp.transcribe(model, files(clips)[:2], generation=SHORT, progress=False)
    assert capfd.readouterr().err == ""


def test_no_method_is_no_reduction(model: SpeechModel, clips: list[dict]) -> None:
    plain = fastadasp.transcribe(model, files(clips)[:2], progress=False)
    assert plain == fastadasp.transcribe(model, files(clips)[:2], method=NoReduction(), progress=False)
    with pytest.raises(ConfigError, match="batch_size must be a whole number from 1 up, got 0"):
        fastadasp.transcribe(model, files(clips)[:2], batch_size=0)


def test_a_folder_is_loaded_by_the_family_that_its_config_names(tmp_path: Path, clips: list[dict]) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(PACKAGE / "assets" / "tiny", folder)
    loaded = fastadasp.load(folder, device="cpu", dtype="float32", max_seconds=20.0)
    assert isinstance(loaded.adapter, Qwen2Audio)
    assert (loaded.adapter.chat, loaded.adapter.max_seconds) == (True, 20.0)
    assert repr(loaded) == "SpeechModel(Qwen2AudioForConditionalGeneration, torch.float32, cpu)"
    base = fastadasp.load(folder, like="qwen2_audio_7b", device="cpu", dtype="bfloat16")
    assert base.adapter.instructions["asr"] == "Detect the language and recognize the speech: <|en|>"
    assert base.transformers_model.dtype == torch.bfloat16
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**described, "model_type": "unheard_of"}))
    with pytest.raises(ModelError, match="cannot be loaded"):
        fastadasp.load(folder, device="cpu")


def test_every_family_says_which_option_suits_a_checkpoint() -> None:
    from fastadasp.api.loading import _option_of, _settings

    nodes = {
        name: dict(composed(f"model={name}").model) for name in ("tiny", "qwen_audio", "audio_flamingo_3", "wavllm")
    }

    def option(**described: object) -> str | None:
        return _option_of(described, nodes)

    first = {"use_logn_attn": True, "pad_token_id": 3}
    assert option(model_type="qwen2_audio", text_config={}) == "qwen2_audio_7b_instruct"
    assert option(model_type="qwen2_audio", text_config={**first, "eos_token_id": [3]}) == "qwen_audio"
    assert option(model_type="qwen2_audio", text_config={**first, "eos_token_id": [5, 4, 3]}) == "qwen_audio_chat"
    assert option(model_type="wavllm") == "wavllm"
    assert option(model_type="audioflamingo3") == "audio_flamingo_3"
    assert option(model_type="something_new") is None
    assert _settings("Qwen/Qwen2-Audio-7B", None, None)["chat"] is False
    assert _settings("tiny", None, None)["path"].endswith("assets/tiny")


def test_a_family_that_no_option_names_is_loaded_through_its_processor(tmp_path: Path) -> None:
    from fastadasp.api.loading import _settings

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "voxtral"}))
    adapter = build(composed("model=tiny").model, "model")
    assert isinstance(adapter, Qwen2Audio)
    node = _settings(str(tmp_path), None, None)
    assert node["_target_"] == f"{ChatSpeechLM.__module__}.ChatSpeechLM"
    assert node["path"] == str(tmp_path)


def test_what_cannot_be_loaded_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"(?s)'tinny' is no option of conf/model.*did you mean tiny\?"):
        fastadasp.load("tinny")
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        fastadasp.load(tmp_path)
    with pytest.raises(ConfigError, match=r"like='qwen' is no option of conf/model; .*Allowed: .*tiny"):
        fastadasp.load("tiny", like="qwen")
    with pytest.raises(ConfigError, match=r"model\.max_second does not exist; did you mean max_seconds"):
        fastadasp.load("tiny", max_second=3)
    with pytest.raises(ConfigError, match=r"hardware\.dtype must be one of auto, float32"):
        fastadasp.load("tiny", dtype="float8")


def test_the_package_is_typed_and_its_face_is_named_in_the_stub() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert {"load", "transcribe", "ask", "Answer", "SpeechModel", "Generation"} <= set(dir(fastadasp))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"method": "fastadasp"},
            r"method must be a method with its settings, such as FastAdaSP\(ratio=0.3\), got 'fast",
        ),
        ({"method": FastAdaSP}, "got the class FastAdaSP"),
        ({"generation": {"max_new_tokens": 3}}, r"generation must be a Generation\(\.\.\.\)"),
        ({"model": "tiny"}, r"model must be what fastadasp\.load\(\.\.\.\) gives, got a str"),
        ({"question": None}, "0 questions are given for 1 recordings"),
        ({"question": [3]}, "question must be a text, or a list with a text for each recording"),
        ({"task": "ast"}, "task='ast' is no task; did you mean "),
        ({"audio": [0.1, 0.2]}, r"audio\[0\] is a float; .*a list is one of recordings, so give numbers as numpy"),
        ({"audio": b"RIFF"}, r"audio\[0\] is a bytes; a recording is a file's path"),
        ({"audio": (np.zeros(9), 16000.0)}, r"must be a whole number of Hz, got 16000\.0; a pair is \(samples, rate\)"),
        ({"audio": (16000, np.zeros(9))}, "must be a whole number of Hz, got a ndarray"),
    ],
)
def test_arguments_of_another_kind_are_told_at_once(
    model: SpeechModel, clips: list[dict], wrong: dict, message: str
) -> None:
    given = {"model": model, "audio": files(clips)[0], "question": "What?", "progress": False, **wrong}
    with pytest.raises(InputError, match=message):
        fastadasp.ask(**given)


def test_an_open_file_is_refused_as_one(model: SpeechModel, clips: list[dict]) -> None:
    with files(clips)[0].open("rb") as opened, pytest.raises(RecordingError, match=r"audio\[0\] is a BufferedReader"):
        fastadasp.transcribe(model, opened, progress=False)


def test_a_long_recording_is_transcribed_window_by_window(
    model: SpeechModel, clips: list[dict], tmp_path: Path
) -> None:
    """Three clips with silence between them: windows end in the silence, and hold what each clip holds."""
    parts = [np.pad(soundfile.read(file)[0], (0, 16000)) for file in files(clips)[:3]]
    soundfile.write(tmp_path / "long.wav", np.concatenate(parts), 16000)
    alone = fastadasp.transcribe(model, files(clips)[:3], progress=False)
    seconds = max(len(part) for part in parts) / 16000 + 0.5
    cut, whole = fastadasp.transcribe(
        model, [tmp_path / "long.wav", files(clips)[0]], window_seconds=seconds, batch_size=2, progress=False
    )
    assert len(cut.text.split()) > 0.6 * len(" ".join(answer.text for answer in alone).split())
    assert whole.text == alone[0].text and cut.complete and cut.error is None
    assert cut.audio_tokens > max(answer.audio_tokens for answer in alone)


def test_windows_need_one_recording_and_a_length(model: SpeechModel, clips: list[dict], tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"audio\[0\] is a prompt of 2 recordings.*window_seconds=None"):
        fastadasp.transcribe(model, [files(clips)[:2]], window_seconds=10, progress=False)
    with pytest.raises(ConfigError, match="window_seconds must be at least 1"):
        fastadasp.transcribe(model, files(clips)[0], window_seconds=0.1, progress=False)
    (tmp_path / "empty.wav").touch()
    (answer,) = fastadasp.transcribe(model, tmp_path / "empty.wav", window_seconds=10, keep_going=True, progress=False)
    assert answer.error is not None and answer.text == ""


def test_a_model_behind_a_server_is_not_loaded() -> None:
    with pytest.raises(ConfigError, match="model=openai has no weights that this process could load"):
        fastadasp.load("openai")
