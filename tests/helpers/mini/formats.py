"""The same two utterances in the formats of tools: all of a.wav, and a stretch of long.wav."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import soundfile

from tests.helpers.mini.parts import RATE, Miniature, text, tone

SHARED = {"a": ("first sentence", "s1"), "b": ("second one", "s2")}
"""What each tool's manifest says of the same two utterances: all of a.wav, and a stretch of long.wav."""


def shared(root: Path) -> None:
    tone(root / "audio" / "a.wav", 1.0)
    tone(root / "audio" / "long.wav", 4.0, 330)


def shared_expected(root: Path, second: str = "b", first: str = "a") -> dict[str, dict[str, Any]]:
    audio = (str(root / "audio" / "long.wav"), 1.5, 0.75)
    return {
        first: {"text": "first sentence", "speaker": "s1", "seconds": 1.0},
        second: {"text": "second one", "speaker": "s2", "seconds": 0.75, "audio": audio},
    }


def nemo(root: Path) -> Miniature:
    shared(root)
    lines = [
        {"audio_filepath": "audio/a.wav", "duration": 1.0, "text": "first sentence", "speaker": "s1", "offset": None},
        {"audio_filepath": str(root / "audio" / "long.wav"), "duration": 0.75, "offset": 1.5, "text": "second one",
         "speaker": "s2"},
    ]  # fmt: skip
    file = text(root / "manifest.json", "".join(json.dumps(line) + "\n" for line in lines))
    return Miniature(file, "asr", shared_expected(root, "long@1.5"))


def kaldi(root: Path) -> Miniature:
    shared(root)
    text(root / "wav.scp", f"rec-a audio/a.wav\nrec-long {root}/audio/long.wav\n")
    text(root / "segments", "a rec-a 0.0 -1\nb rec-long 1.5 2.25\nc rec-long 3 3.5\n")
    text(root / "text", "".join(f"{id} {said}\n" for id, (said, _) in SHARED.items()))
    text(root / "utt2spk", "a s1\nb s2\nc s2\n")
    return Miniature(root, "asr", shared_expected(root), left_out={"no line in text": 1})


def lhotse(root: Path) -> Miniature:
    shared(root)

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
    return Miniature(root / "cuts.jsonl.gz", "asr", shared_expected(root))


def espnet(root: Path) -> Miniature:
    shared(root)
    utts = {
        "a": {"utt2spk": "s1", "input": [{"name": "input1", "feat": "audio/a.wav", "filetype": "sound"}],
              "output": [{"name": "target1", "text": "first sentence", "token": "f i"}]},
    }  # fmt: skip
    file = text(root / "data.json", json.dumps({"utts": utts}))
    return Miniature(file, "asr", {"a": shared_expected(root)["a"]})


def audiofolder(root: Path) -> Miniature:
    shared(root)
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
    expected = shared_expected(root, "x/b", "x/a")
    del expected["x/b"]["audio"]
    return Miniature(root, "asr", expected, ["part=test", "+rename.transcription=text"])
