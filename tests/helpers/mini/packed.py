"""The two utterances of `formats` inside archives and tables."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import soundfile

from tests.helpers.mini.formats import SHARED, shared, shared_expected
from tests.helpers.mini.parts import Miniature


def _clips(root: Path) -> dict[str, bytes]:
    """Both utterances as WAV files of their own."""
    shared(root)
    found = {}
    for id, (name, start, length) in {"a": ("a", 0.0, 1.0), "b": ("long", 1.5, 0.75)}.items():
        samples, rate = soundfile.read(root / "audio" / f"{name}.wav")
        file = io.BytesIO()
        soundfile.write(file, samples[round(start * rate) :][: round(length * rate)], rate, format="WAV")
        found[id] = file.getvalue()
    return found


def _expected(root: Path, first: str = "a", second: str = "b") -> dict[str, dict[str, Any]]:
    expected = shared_expected(root, second, first)
    del expected[second]["audio"]
    return expected


def tar(path: Path, files: dict[str, bytes]) -> Path:
    """A tar archive, compressed where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    """A ZIP archive whose members are deflated."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def webdataset(root: Path) -> Miniature:
    clips = _clips(root)
    first = {"./a.wav": clips["a"], "./a.txt": b"first sentence\n", "./a.json": b'{"speaker": "s1"}'}
    about = json.dumps({"text": "second one", "speaker": "s2"}).encode()
    tar(root / "shards" / "clips-0008.tar", first)
    tar(root / "shards" / "clips-0009.tar.gz", {"x/b.wav": clips["b"], "x/b.json": about, "x/c.txt": b"no recording"})
    expected = _expected(root, second="x/b")
    return Miniature(root / "shards", "asr", expected, left_out={"no recording": 1})


def huggingface(root: Path) -> Miniature:
    from datasets import Audio, ClassLabel, Dataset, DatasetDict

    clips = _clips(root)
    columns = {
        "audio": [{"path": f"{id}.wav", "bytes": content} for id, content in clips.items()],
        "sentence": [SHARED[id][0] for id in clips],
        "speaker": [SHARED[id][1] for id in clips],
        "gender": [1, 0],
    }
    whole = Dataset.from_dict(columns).cast_column("audio", Audio(decode=False))
    whole = whole.cast_column("gender", ClassLabel(names=["female", "male"]))
    DatasetDict({"train": whole.select([0]), "test": whole}).save_to_disk(
        root / "saved", num_shards={"train": 1, "test": 2}
    )
    expected = _expected(root)
    expected["a"]["gender"], expected["b"]["gender"] = "male", "female"
    return Miniature(root / "saved", "asr", expected, ["part=test", "+rename.sentence=text"])


def ark(path: Path, clips: dict[str, bytes], by_kaldiio: bool = False) -> dict[str, int]:
    """A Kaldi archive of recordings, and the byte at which each begins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content, places = b"", {}
    for id, clip in clips.items():
        content += f"{id} ".encode()
        places[id] = len(content)
        size = len(clip).to_bytes((len(clip).bit_length() + 7) // 8, "little")
        content += b"AUDIO" + bytes([len(size)]) + size + clip if by_kaldiio else clip
    path.write_bytes(content)
    return places


def kaldi_arks(root: Path) -> Path:
    """A Kaldi folder whose recordings lie in archives of both kinds."""
    clips = _clips(root)
    places = ark(root / "a.ark", {"a": clips["a"]}) | ark(root / "data" / "b.ark", {"b": clips["b"]}, by_kaldiio=True)
    (root / "wav.scp").write_text(f"a a.ark:{places['a']}\nb {root}/data/b.ark:{places['b']}\n")
    (root / "text").write_text("".join(f"{id} {said}\n" for id, (said, _) in SHARED.items()))
    return root


def nemo_tarred(root: Path) -> Path:
    """A tarred NeMo data set of two shards; the second utterance is a stretch of its recording."""
    clips = _clips(root)
    long = (root / "audio" / "long.wav").read_bytes()
    tar(root / "audio_0.tar", {"a.wav": clips["a"]})
    tar(root / "audio_1.tar", {"sub-long.wav": long})
    lines = [
        {"audio_filepath": "a.wav", "duration": 1.0, "text": SHARED["a"][0], "shard_id": 0},
        {"audio_filepath": "sub-long.wav", "duration": 0.75, "offset": 1.5, "text": SHARED["b"][0], "shard_id": 1},
    ]
    file = root / "tarred_audio_manifest.json"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def audiofolder_zip(root: Path, suffix: str = ".zip") -> Path:
    """An audiofolder in an archive."""
    clips = _clips(root)
    table = "file_name,text\n" + "".join(f"{id}.wav,{said}\n" for id, (said, _) in SHARED.items())
    files = {"test/metadata.csv": table.encode(), **{f"test/{id}.wav": clip for id, clip in clips.items()}}
    return (zipped if suffix == ".zip" else tar)(root / f"clips{suffix}", files)
