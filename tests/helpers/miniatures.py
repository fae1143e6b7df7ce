"""Each corpus and format in miniature: its makers' layout with a few short tones, and what must be read from it."""

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE = 16_000


def tone(path: Path, seconds: float = 0.5, hertz: float = 220.0, rate: int = RATE) -> Path:
    """A file with a tone that rises, so that no two stretches of it are alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * time_s * (1 + time_s)), rate)
    return path


def text(path: Path, content: str) -> Path:
    """A file with a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def tsv(path: Path, rows: Sequence[Sequence[object]], escaped: bool = False) -> Path:
    """A table as pandas writes it without quotes, with a backslash before special signs if `escaped`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        if escaped:
            writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\", lineterminator="\n")
            writer.writerows(rows)
        else:
            file.writelines("\t".join(map(str, row)) + "\n" for row in rows)
    return path


@dataclass(frozen=True)
class Miniature:
    """A corpus in miniature."""

    root: Path
    task: str
    """The task that reads it."""
    expected: dict[str, dict[str, Any]]
    """By id, some of the fields; `seconds` among them."""
    settings: list[str] = field(default_factory=list)
    """Of the corpus, besides its root."""
    run: list[str] = field(default_factory=list)
    """Of a run, besides the task."""
    left_out: dict[str, int] = field(default_factory=dict)


def librispeech(root: Path) -> Miniature:
    chapter = root / "LibriSpeech" / "test-clean" / "61" / "70968"
    tone(chapter / "61-70968-0000.flac", 1.25)
    tone(chapter / "61-70968-0001.flac")
    text(chapter / "61-70968.trans.txt", "61-70968-0000 HE BEGAN\n61-70968-0001 A CONFUSED COMPLAINT\n")
    expected = {
        "61-70968-0000": {"text": "HE BEGAN", "speaker": "61", "chapter": "70968", "seconds": 1.25},
        "61-70968-0001": {"text": "A CONFUSED COMPLAINT", "seconds": 0.5},
    }
    return Miniature(root, "asr", expected)


def mls(root: Path) -> Miniature:
    for id in ("2422_2344_000000", "2422_2344_000001"):
        tone(root / "test" / "audio" / "2422" / "2344" / f"{id}.flac")
    text(root / "test" / "transcripts.txt", '2422_2344_000000\tguten tag\n2422_2344_000001\ter sagte "nein"\n')
    expected = {
        "2422_2344_000000": {"text": "guten tag", "speaker": "2422", "book": "2344", "language": "de"},
        "2422_2344_000001": {"text": 'er sagte "nein"'},
    }
    return Miniature(root, "asr", expected, ["language=de"], ["task.normalizer=basic"])


def covost2(root: Path) -> Miniature:
    rows = [
        ("path", "sentence", "translation", "client_id"),
        ("c_1.mp3", 'He said "stop" and left.', 'Er sagte "halt" und ging.', "u1"),
        ("c_2.mp3", "C:\\temp", "C:\\temp\tdort", "u2"),
        ("c_3.mp3", "Unusable", "REMOVE", "u3"),
        ("c_4.mp3", "Empty", "", "u4"),
    ]
    tsv(root / "covost_v2.en_de.test.tsv", rows, escaped=True)
    for name in ("c_1", "c_2"):
        tone(root / "clips" / f"{name}.mp3")
    expected = {
        "c_1": {"text": rows[1][1], "translation": rows[1][2], "speaker": "u1", "language": "en", "target": "de"},
        "c_2": {"text": "C:\\temp", "translation": "C:\\temp\tdort"},
    }
    return Miniature(root, "st", expected, left_out={"translation REMOVE": 1, "translation empty": 1})


def common_voice(root: Path) -> Miniature:
    rows = [
        ("client_id", "path", "sentence", "up_votes", "age", "gender", "locale"),
        ("u1", "common_voice_de_1.mp3", '„Hallo“, sagte er: "ja\\nein".', 2, "twenties", "", "de"),
        ("u2", "common_voice_de_2", "Gut.", 2, "", "male", "de"),
        ("u3", "common_voice_de_3.mp3", " ", 2, "", "male", "de"),
    ]
    tsv(root / "de" / "test.tsv", rows)
    for number in (1, 2):
        tone(root / "de" / "clips" / f"common_voice_de_{number}.mp3")
    expected = {
        "common_voice_de_1": {"text": rows[1][2], "speaker": "u1", "age": "twenties", "language": "de"},
        "common_voice_de_2": {"text": "Gut.", "gender": "male"},
    }
    return Miniature(root / "de", "asr", expected, [], ["task.normalizer=basic"], {"sentence empty": 1})


def mustc(root: Path) -> Miniature:
    folder = root / "en-de" / "data" / "tst-COMMON"
    tone(folder / "wav" / "ted_1.wav", 3)
    tone(folder / "wav" / "ted_2.wav", 1)
    segments = [("ted_1", 0.25, 0.5, 1), ("ted_1", 1.5, 1.5, 1), ("ted_2", 0.1, 0.8, 2)]
    lines = [
        f"- {{duration: {length}, offset: {start}, rW: 4, uW: 0, speaker_id: spk.{who}, wav: {talk}.wav}}\n"
        for talk, start, length, who in segments
    ]
    text(folder / "txt" / "tst-COMMON.yaml", "".join(lines))
    text(folder / "txt" / "tst-COMMON.en", "One.\nTwo.\nThree.\n")
    text(folder / "txt" / "tst-COMMON.de", "Eins.\nZwei.\nDrei.\n")
    expected = {
        "ted_1_0": {"text": "One.", "translation": "Eins.", "speaker": "spk.1", "seconds": 0.5},
        "ted_1_1": {"translation": "Zwei.", "seconds": 1.5, "audio": (str(folder / "wav" / "ted_1.wav"), 1.5, 1.5)},
        "ted_2_0": {"translation": "Drei.", "talk": "ted_2"},
    }
    return Miniature(root, "st", expected)


def europarl_st(root: Path) -> Miniature:
    tone(root / "en" / "audios" / "en.20081120.1.wav", 3)
    folder = root / "en" / "de" / "test"
    text(folder / "segments.lst", "en.20081120.1 0.0 1.25\nen.20081120.1 1.25 2.0\nen.20081120.1 2.0 3.0\n")
    text(folder / "segments.en", "Madam President.\nThank you.\nGood.\n")
    text(folder / "segments.de", "Frau Präsidentin.\n\nGut.\n")
    audio = str(root / "en" / "audios" / "en.20081120.1.wav")
    expected = {
        "en.20081120.1_000001": {"text": "Madam President.", "translation": "Frau Präsidentin.", "seconds": 1.25},
        "en.20081120.1_000003": {"translation": "Gut.", "audio": (audio, 2.0, 1.0)},
    }
    return Miniature(root, "st", expected, left_out={"translation empty": 1})


def fleurs(root: Path) -> Miniature:
    rows = {
        "en_us": [
            (7, "a1.wav", 'The "fox".', "the fox", "t h e | f o x |", 8000, "MALE"),
            (7, "a2.wav", 'The "fox".', "the fox", "t h e | f o x |", 8000, "FEMALE"),
            (9, "a3.wav", "A cat.", "a cat", "a | c a t |", 8000, "MALE"),
        ],
        "de_de": [(7, "b.wav", "Der „Fuchs“.", "der fuchs", "d e r |", 8000, "MALE")],
    }
    for language, lines in rows.items():
        tsv(root / language / "test.tsv", lines)
        for line in lines:
            tone(root / language / "audio" / "test" / str(line[1]))
    expected = {
        "a1": {"text": 'The "fox".', "translation": "Der „Fuchs“.", "normalized": "the fox", "gender": "male"},
        "a2": {"translation": "Der „Fuchs“.", "gender": "female", "sentence": "7", "seconds": 0.5},
    }
    return Miniature(root, "st", expected, ["target=de_de"], left_out={"sentence not in de_de": 1})


def iemocap(root: Path) -> Miniature:
    session = root / "IEMOCAP_full_release" / "Session5"
    codes = {"F000": "neu", "M001": "exc", "F002": "fru"}
    for turn in codes:
        tone(session / "sentences" / "wav" / "Ses05F_impro01" / f"Ses05F_impro01_{turn}.wav")
    lines = [f"[6.29 - 8.23]\tSes05F_impro01_{turn}\t{code}\t[2.5, 2.5, 2.5]\n" for turn, code in codes.items()]
    head = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
    evaluation = [head, *(f"{line}C-E2:\tNeutral;\t()\n" for line in lines)]
    text(session / "dialog" / "EmoEvaluation" / "Ses05F_impro01.txt", "".join(evaluation))
    said = "Ses05F_impro01_F000 [006.2901-008.2357]: Excuse me.\nF: (laughter)\n"
    text(session / "dialog" / "transcriptions" / "Ses05F_impro01.txt", said)
    expected = {
        "Ses05F_impro01_F000": {"label": "neutral", "text": "Excuse me.", "speaker": "Ses05F"},
        "Ses05F_impro01_M001": {"label": "happy", "code": "exc", "speaker": "Ses05M", "dialogue": "Ses05F_impro01"},
    }
    return Miniature(root, "er", expected, left_out={"label frustrated": 1})


def meld(root: Path) -> Miniature:
    rows = [
        ["Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID", "Season"],
        [1, 'Why, "do" all\nthe coffee mugs', "Mark", "surprise", "positive", 0, 0, 3],
        [2, "Oh.", "Chandler", "anger", "negative", 0, 1, 3],
        [3, "Yes.", "Ross", "sadness", "negative", 1, 0, 3],
    ]
    path = root / "test_sent_emo.csv"
    root.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)
    for name in ("dia0_utt0", "dia0_utt1", "dia1_utt0"):
        tone(root / "output_repeated_splits_test" / f"{name}.wav")
    text(root / "output_repeated_splits_test" / "._dia0_utt0.mp4", "resource fork of a Mac")
    expected = {
        "dia0_utt1": {"label": "anger", "text": "Oh.", "speaker": "Chandler", "dialogue": "0"},
        "dia1_utt0": {"label": "sadness", "sentiment": "negative"},
    }
    return Miniature(root, "er", expected, ["labels=[anger,sadness]"], left_out={"label surprise": 1})


def ravdess(root: Path) -> Miniature:
    for name in ("03-01-05-02-01-01-12", "03-01-04-01-02-02-01", "03-02-05-01-01-01-12"):
        tone(root / f"Actor_{name[-2:]}" / f"{name}.wav")
    expected = {
        "03-01-05-02-01-01-12": {"label": "angry", "speaker": "12", "gender": "female", "intensity": "strong"},
        "03-01-04-01-02-02-01": {"label": "sad", "text": "Dogs are sitting by the door.", "gender": "male"},
    }
    return Miniature(root, "er", expected, left_out={"sung": 1})


def crema_d(root: Path) -> Miniature:
    for name in ("1001_DFA_ANG_XX", "1002_IEO_SAD_HI", "1002_IEO_FEA_HI"):
        tone(root / "AudioWAV" / f"{name}.wav")
    expected = {
        "1001_DFA_ANG_XX": {"label": "angry", "text": "Don't forget a jacket.", "speaker": "1001"},
        "1002_IEO_SAD_HI": {"label": "sad", "level": "high"},
    }
    return Miniature(root, "er", expected, ["labels=[angry,sad]"], left_out={"label fearful": 1})


def esd(root: Path) -> Miniature:
    for speaker, emotion, number in (("0011", "Angry", 371), ("0011", "Happy", 730), ("0011", "Sad", 1101)):
        tone(root / speaker / emotion / f"{speaker}_{number:06}.wav")
    tone(root / "0012" / "Sad" / "test" / "0012_001051.wav")
    tone(root / "0001" / "Sad" / "0001_001071.wav")
    text(root / "0011" / "0011.txt", "0011_000371\tHe is here.\tAngry\n0011_000730\tWell.\tHappy\n")
    (root / "0012" / "0012.txt").write_bytes(b"0012_001051\t\xff\xff\tSad\n")
    expected = {
        "0011_000371": {"label": "angry", "text": "He is here.", "speaker": "0011", "language": "en"},
        "0011_000730": {"label": "happy"},
        "0012_001051": {"label": "sad"},
    }
    left_out = {"another part": 1, "another speaker or language": 1}
    return Miniature(root, "er", expected, left_out=left_out)


def voxceleb(root: Path) -> Miniature:
    files = ("id1/a/00001.wav", "id1/b/00002.wav", "id2/c/00003.wav")
    for number, name in enumerate(files):
        tone(root / "wav" / name, 0.5 + number / 4)
    text(root / "veri_test.txt", f"1 {files[0]} {files[1]}\n0 {files[0]} {files[2]}\n")
    expected = {
        "veri_test-00001": {"label": "yes", "speakers": ["id1", "id1"], "seconds": 1.5},
        "veri_test-00002": {"label": "no", "seconds": 1.75},
    }
    return Miniature(root, "sv", expected, ["gap=0.25"])


def wavllm(root: Path) -> Miniature:
    tone(root / "wavs" / "a.wav", 2)
    prompt = "What will he do next? A. Start to exercise; B. Do as he does; C. Change his mind."
    head = ("id", "audio", "n_frames", "prompt", "tgt_text", "with_speech", "start_frame", "end_frame")
    rows = [head, ("s_1", "wavs/a.wav", 111111, prompt, "C", "True", "", "")]
    rows.append(("s_2", "wavs/a.wav", 12345, "Who? A. He; B. She.", "A", "True", "8000", "24000"))
    file = tsv(root / "gaokao.tsv", rows)
    choices = ["Start to exercise", "Do as he does", "Change his mind"]
    expected = {
        "s_1": {"question": "What will he do next?", "choices": choices, "answer": "C", "seconds": 2.0},
        "s_2": {"choices": ["He", "She"], "audio": (str(root / "wavs" / "a.wav"), 0.5, 1.0)},
    }
    return Miniature(file, "sqa", expected)


SHARED = {"a": ("first sentence", "s1"), "b": ("second one", "s2")}
"""What each tool's manifest says of the same two utterances: all of a.wav, and a stretch of long.wav."""


def _shared(root: Path) -> None:
    tone(root / "audio" / "a.wav", 1.0)
    tone(root / "audio" / "long.wav", 4.0, 330)


def _shared_expected(root: Path, second: str = "b", first: str = "a") -> dict[str, dict[str, Any]]:
    audio = (str(root / "audio" / "long.wav"), 1.5, 0.75)
    return {
        first: {"text": "first sentence", "speaker": "s1", "seconds": 1.0},
        second: {"text": "second one", "speaker": "s2", "seconds": 0.75, "audio": audio},
    }


def nemo(root: Path) -> Miniature:
    _shared(root)
    lines = [
        {"audio_filepath": "audio/a.wav", "duration": 1.0, "text": "first sentence", "speaker": "s1", "offset": None},
        {"audio_filepath": str(root / "audio" / "long.wav"), "duration": 0.75, "offset": 1.5, "text": "second one",
         "speaker": "s2"},
    ]  # fmt: skip
    file = text(root / "manifest.json", "".join(json.dumps(line) + "\n" for line in lines))
    return Miniature(file, "asr", _shared_expected(root, "long@1.5"))


def kaldi(root: Path) -> Miniature:
    _shared(root)
    text(root / "wav.scp", f"rec-a audio/a.wav\nrec-long {root}/audio/long.wav\n")
    text(root / "segments", "a rec-a 0.0 -1\nb rec-long 1.5 2.25\nc rec-long 3 3.5\n")
    text(root / "text", "".join(f"{id} {said}\n" for id, (said, _) in SHARED.items()))
    text(root / "utt2spk", "a s1\nb s2\nc s2\n")
    return Miniature(root, "asr", _shared_expected(root), left_out={"no line in text": 1})


def lhotse(root: Path) -> Miniature:
    _shared(root)

    def cut(id: str, name: str, start: float, length: float, whole: float) -> dict[str, Any]:
        source = {"type": "file", "channels": [0], "source": name}
        recording = {"id": Path(name).stem, "sources": [source], "sampling_rate": RATE, "duration": whole}
        said, speaker = SHARED[id]
        words = said.split()
        spoken = [
            {"id": f"{id}1", "start": 0.3, "duration": 0.1, "text": words[1], "speaker": speaker},
            {"id": f"{id}0", "start": 0.0, "duration": 0.3, "text": words[0], "speaker": speaker},
        ]
        return {"id": id, "start": start, "duration": length, "channel": 0, "supervisions": spoken,
                "recording": {**recording, "num_samples": round(whole * RATE)}, "type": "MonoCut"}  # fmt: skip

    cuts = [cut("a", "audio/a.wav", 0.0, 1.0, 1.0), cut("b", str(root / "audio" / "long.wav"), 1.5, 0.75, 4.0)]
    content = "".join(json.dumps(one) + "\n" for one in cuts).encode()
    (root / "cuts.jsonl.gz").write_bytes(gzip.compress(content))
    return Miniature(root / "cuts.jsonl.gz", "asr", _shared_expected(root))


def espnet(root: Path) -> Miniature:
    _shared(root)
    utts = {
        "a": {"utt2spk": "s1", "input": [{"name": "input1", "feat": "audio/a.wav", "filetype": "sound"}],
              "output": [{"name": "target1", "text": "first sentence", "token": "f i"}]},
    }  # fmt: skip
    file = text(root / "data.json", json.dumps({"utts": utts}))
    return Miniature(file, "asr", {"a": _shared_expected(root)["a"]})


def audiofolder(root: Path) -> Miniature:
    _shared(root)
    for name, (start, length) in {"a": (0, 1), "b": (1.5, 0.75)}.items():
        samples, rate = soundfile.read(root / "audio" / ("a.wav" if name == "a" else "long.wav"))
        (root / "test" / "x").mkdir(parents=True, exist_ok=True)
        soundfile.write(
            root / "test" / "x" / f"{name}.wav", samples[round(start * rate) :][: round(length * rate)], rate
        )
    with (root / "test" / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("file_name", "transcription", "speaker"), *((f"x/{id}.wav", *SHARED[id]) for id in SHARED)]
        )
    expected = _shared_expected(root, "x/b", "x/a")
    del expected["x/b"]["audio"]
    return Miniature(root, "asr", expected, ["part=test", "+rename.transcription=text"])


MINIATURES: dict[str, Callable[[Path], Miniature]] = {
    build.__name__: build
    for build in (
        librispeech, mls, covost2, common_voice, mustc, europarl_st, fleurs, iemocap, meld, ravdess, crema_d, esd,
        voxceleb, wavllm, nemo, kaldi, lhotse, espnet, audiofolder,
    )
}  # fmt: skip
SAME_CLIPS = ("nemo", "kaldi", "lhotse", "audiofolder")
"""Formats whose miniatures hold the same two clips."""
