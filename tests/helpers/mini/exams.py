"""Benchmarks of multiple-choice questions in miniature."""

import json
from pathlib import Path
from typing import Any

from tests.helpers.mini.parts import Miniature, text, tone


def _table(path: Path, entries: Any) -> Path:
    return text(path, json.dumps(entries, ensure_ascii=False))


def air_bench(root: Path) -> Miniature:
    folder = root / "Foundation"
    tone(folder / "Speaker_Gender_Recognition_common_voice" / "cv_1.wav")
    tone(folder / "Audio_Grounding_AudioGrounding" / "x_2.flac", 1.0)
    tone(folder / "Music_AQA_MusicAVQA" / "m.wav")
    gender = {"task_name": "Speaker_Gender_Recognition", "dataset_name": "common_voice", "path": "cv_1.wav"}
    asked = {"question": "Which gender?", "choice_a": "male", "choice_b": "female", "choice_c": None}
    entries = [
        {**gender, **asked, "answer_gt": "female", "uniq_id": 0},
        {"path": "x_2.wav", "question": "When?", "choice_a": "[0.1, 2.0]", "choice_b": "[3, 4]", "choice_c": "[5, 6]",
         "choice_d": "never", "answer_gt": "[3, 4]", "task_name": "Audio_Grounding", "dataset_name": "AudioGrounding",
         "uniq_id": 1},
        {"path": "m.wav", "question": "How many?", "choice_a": "one", "choice_b": "two", "answer_gt": "three",
         "task_name": "Music_AQA", "dataset_name": "MusicAVQA", "uniq_id": 2},
    ]  # fmt: skip
    _table(folder / "Foundation_meta.json", entries)
    document = "Speaker_Gender_Recognition_common_voice/cv_1.wav"
    expected = {
        "Speaker_Gender_Recognition_common_voice-0": {
            "choices": ["male", "female"], "answer": "female", "document": document,
        },
        "Audio_Grounding_AudioGrounding-1": {"question": "When?", "answer": "[3, 4]", "seconds": 1.0},
    }  # fmt: skip
    return Miniature(root, "sqa", expected, left_out={"answer is none of the choices": 1})


def mmau(root: Path) -> Miniature:
    for name in ("3fe6", "72fb"):
        tone(root / "test-mini-audios" / f"{name}.wav")
    more = {"dataset": "AudioSet", "task": "sound", "split": "test-mini", "category": "Reasoning",
            "sub-category": "Acoustic Source Inference", "difficulty": "medium"}  # fmt: skip
    choices = ["Man", "Woman", "Child", "Robot"]
    entries = [
        {"id": "3fe6", "audio_id": "./test-mini-audios/3fe6.wav", "question": "Who?", "choices": choices,
         "answer": "Man", **more},
        {"audio_id": "./test-mini-audios/72fb.wav", "question": "Who?", "choices": ["(A) cat", "(B) dog"],
         "answer": "dog", **more},
        {"audio_id": "./test-mini-audios/72fb.wav", "question": "Why?", "choices": choices, "answer": "Child", **more},
        {"audio_id": "./test-mini-audios/72fb.wav", "question": "What?", "choices": choices, "answer": "", **more},
    ]  # fmt: skip
    _table(root / "mmau-test-mini.json", entries)
    expected = {
        "3fe6": {"choices": choices, "answer": "Man", "kind": "sound", "difficulty": "medium", "document": "3fe6"},
        "72fb": {"answer": "(B) dog"},
        "72fb-3": {"question": "Why?", "document": "72fb"},
    }
    return Miniature(root, "sqa", expected, left_out={"no answer published": 1})


def mmsu(root: Path) -> Miniature:
    for name in ("pause_1", "tone_2"):
        tone(root / "audio" / f"{name}.wav")
    entries = [
        {"id": "p1", "task_name": "pause_detection", "audio_path": "audio/pause_1.wav", "question": "Where?",
         "choice_a": "start", "choice_b": "middle", "choice_c": "end", "choice_d": "Nowhere", "answer_gt": "nowhere.",
         "category": "Perception", "sub-category": "Linguistics", "sub-sub-category": "Phonology"},
        {"id": "p2", "task_name": "intonation", "audio_path": "/other/machine/audio/tone_2.wav", "question": "How?",
         "choice_a": 1, "choice_b": 2, "choice_c": 3, "choice_d": 4, "answer_gt": "B"},
    ]  # fmt: skip
    text(root / "question" / "mmsu.jsonl", "".join(json.dumps(entry) + "\n" for entry in entries))
    expected = {
        "p1": {"answer": "Nowhere", "sub-sub-category": "Phonology", "document": "pause_1"},
        "p2": {"choices": ["1", "2", "3", "4"], "answer": "2", "task_name": "intonation"},
    }
    return Miniature(root, "sqa", expected)


def audio_marathon(root: Path) -> Miniature:
    folder = root / "VESUS"
    for name in ("one.wav", "two.wav", "three.wav"):
        tone(folder / "long" / name, 1.5)
    asked = {
        "question": "Which emotion?",
        "choice_a": "happy",
        "choice_b": "sad",
        "choice_c": "angry",
        "choice_d": "fearful",
    }
    entries = [
        {"path": "long/one.wav", **asked, "answer_gt": "A", "emotion_label": "happy", "person_id": 1},
        {"path": "long/two.wav", **asked, "answer_gt": "A", "emotion_label": "Happy", "person_id": "person2"},
        {"path": "long/three.wav", **asked, "answer_gt": "B", "emotion_label": "sad", "person_id": 10, "uniq_id": 7},
    ]
    _table(folder / "audio_emotion_dataset.json", entries)
    expected = {
        "vesus-1": {"answer": "happy", "speaker": "1", "document": "one", "seconds": 1.5},
        "vesus-7": {"answer": "sad", "speaker": "10"},
    }
    return Miniature(root, "sqa", expected, ["part=vesus"], left_out={"happy, of speaker 2 or 10": 1})
