"""Recordings inside archives are read as the same samples as the files that were packed, and damage is told."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from fastadasp.cli.data import main
from fastadasp.data.archives import ArchiveError, Member, names_in, problem_of, read_member
from fastadasp.data.audio import AudioError
from fastadasp.data.audio_options import AudioOptions
from fastadasp.data.corpora.audiofolder import AudioFolder
from fastadasp.data.corpora.espnet import ESPnet
from fastadasp.data.corpora.huggingface import HuggingFace
from fastadasp.data.corpora.kaldi import Kaldi
from fastadasp.data.corpora.nemo import NeMo
from fastadasp.data.corpora.webdataset import WebDataset
from fastadasp.data.corpus import Corpus
from fastadasp.data.listen import listen
from fastadasp.data.manifest import ManifestError, read_manifest
from fastadasp.data.rows import CorpusError
from fastadasp.data.sources import Cut, SourceError, sources
from tests.helpers.mini import packed
from tests.helpers.mini.parts import RATE, tone


def heard(source: Any) -> Any:
    return listen(source, 100, RATE, AudioOptions()).samples


def converted(corpus: Corpus, folder: Path) -> dict[str, Any]:
    """By id, the samples and the text of each example, through the written manifest."""
    manifest = folder / "out" / "manifest.jsonl"
    corpus.convert(manifest)
    return {one.id: (heard(one.audio[0]), one.fields["text"]) for one in read_manifest(manifest, {})}


def wanted(root: Path) -> list[tuple[Any, str]]:
    """What the two utterances are, read from their files by another library."""
    a, _ = soundfile.read(root / "audio" / "a.wav", dtype="float32")
    long, _ = soundfile.read(root / "audio" / "long.wav", dtype="float32")
    return [(a, "first sentence"), (long[24000:36000], "second one")]


BUILT = {
    "a Kaldi folder with archives": lambda root: Kaldi(packed.kaldi_arks(root)),
    "a tarred NeMo data set": lambda root: NeMo(packed.nemo_tarred(root)),
    "NeMo's own way to name shards": lambda root: NeMo(packed.nemo_tarred(root), shards="audio__OP_0..1_CL_.tar"),
    "an audiofolder in a ZIP archive": lambda root: AudioFolder(packed.audiofolder_zip(root), part="test"),
    "an audiofolder in a compressed tar archive": lambda root: AudioFolder(packed.audiofolder_zip(root, ".tar.gz")),
    "WebDataset shards": lambda root: WebDataset(packed.webdataset(root).root),
}


@pytest.mark.parametrize("what", BUILT)
def test_what_lies_in_an_archive_is_read_as_the_same_samples(tmp_path: Path, what: str) -> None:
    found = converted(BUILT[what](tmp_path), tmp_path)
    for (samples, text), (right, said) in zip(found.values(), wanted(tmp_path), strict=True):
        assert text == said
        np.testing.assert_allclose(samples, right, atol=1e-4)


def test_espnets_archives_are_read(tmp_path: Path) -> None:
    places = packed.ark(tmp_path / "x.ark", {"a": tone(tmp_path / "a.wav").read_bytes()}, by_kaldiio=True)
    entry = {
        "input": [{"feat": f"x.ark:{places['a']}", "filetype": "flac.ark"}],
        "output": [{"text": "first sentence"}],
    }
    (tmp_path / "data.json").write_text(json.dumps({"utts": {"a": entry}}))
    samples, _ = converted(ESPnet(tmp_path / "data.json"), tmp_path)["a"]
    np.testing.assert_array_equal(samples, heard(tmp_path / "a.wav"))


def test_every_recording_of_an_ark_is_found(tmp_path: Path) -> None:
    clips = {id: tone(tmp_path / f"{id}.wav", length).read_bytes() for id, length in (("a", 0.5), ("b", 1.0))}
    for by_kaldiio in (False, True):
        places = packed.ark(tmp_path / f"{by_kaldiio}.ark", clips, by_kaldiio)
        assert list(names_in(tmp_path / f"{by_kaldiio}.ark")) == list(map(str, places.values()))
        for id, place in places.items():
            assert read_member(Member(tmp_path / f"{by_kaldiio}.ark", str(place))) == clips[id]


def saved(root: Path, kind: str) -> HuggingFace:
    from datasets import load_from_disk

    small = packed.huggingface(root)
    if kind == "saved":
        return HuggingFace(small.root, part="test", rename={"sentence": "text"})
    whole = load_from_disk(str(small.root))
    folder = root / "parquet" / "en_us"
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        whole[split].to_parquet(folder / f"{split}-00000-of-00001.parquet")
    return HuggingFace(root / "parquet", part="test", rename={"sentence": "text"})


@pytest.mark.parametrize("kind", ["saved", "parquet"])
def test_hugging_face_data_are_read_where_they_lie(tmp_path: Path, kind: str) -> None:
    corpus = saved(tmp_path, kind)
    found = converted(corpus, tmp_path)
    for (samples, text), (right, said) in zip(found.values(), wanted(tmp_path), strict=True):
        assert text == said
        np.testing.assert_allclose(samples, right, atol=1e-4)
    for given, key, allowed in (({"part": "dev"}, "part", "train"), ({"audio": "text"}, "audio", "audio")):
        with pytest.raises(CorpusError, match=rf"data\.{key} must be .*{allowed}"):
            list(HuggingFace(**{"root": corpus.root, "part": "test", **given}).rows())


def test_a_manifest_names_members_and_cuts_of_members(tmp_path: Path) -> None:
    clip = tone(tmp_path / "a.wav", 2.0).read_bytes()
    packed.zipped(tmp_path / "x.zip", {"in/a.wav": clip, "in/notes.txt": b"x"})
    whole, cut = (
        {"file": "x.zip", "member": "in/a.wav"},
        {"file": "x.zip", "member": "in/a.wav", "start": 0.5, "seconds": 1.0},
    )
    lines = [{"id": number, "audio": audio} for number, audio in enumerate([whole, cut, [whole, "a.wav"]])]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    records = read_manifest(manifest, {})
    assert [record.seconds for record in records] == [2.0, 1.0, 4.0]
    assert records[1].audio == (Cut(Member(tmp_path / "x.zip", "in/a.wav"), 0.5, 1.0),)
    np.testing.assert_array_equal(heard(records[0].audio[0]), heard(tmp_path / "a.wav"))
    np.testing.assert_array_equal(heard(records[1].audio[0]), heard(Cut(tmp_path / "a.wav", 0.5, 1.0)))
    with pytest.raises(AudioError, match=r"x\.zip:in/notes\.txt: cannot be read as audio"):
        heard(Member(tmp_path / "x.zip", "in/notes.txt"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"file": "x.zip", "member": "b.wav"}, r"x\.zip holds no b\.wav"),
        ({"file": "x.zip", "member": 3}, "'member' must be a path within the archive, got 3"),
        ({"file": "a.wav", "member": "b.wav"}, r"'file' must end in \.tar, .*where 'member' is given"),
        ({"file": "broken.zip", "member": "a.wav"}, r"broken\.zip: the archive cannot be read"),
        ({"file": "broken.tar", "member": "a.wav"}, r"broken\.tar: the archive cannot be read"),
        ({"file": "broken.ark", "member": "0"}, "no recording stands at byte 0"),
        ({"file": "broken.parquet", "member": "audio/0"}, r"broken\.parquet: the archive cannot be read"),
        ({"file": "gone.tar", "member": "a.wav"}, r"no file .*gone\.tar"),
    ],
)
def test_what_names_no_member_is_refused(tmp_path: Path, value: Any, message: str) -> None:
    packed.zipped(tmp_path / "x.zip", {"a.wav": tone(tmp_path / "a.wav").read_bytes()})
    for ending in ("zip", "tar", "ark", "parquet"):
        (tmp_path / f"broken.{ending}").write_bytes(b"this is no archive" * 100)
    with pytest.raises(SourceError, match=message):
        sources(value, tmp_path)


def test_archives_that_are_cut_off_or_encrypted_are_told(tmp_path: Path) -> None:
    clip = tone(tmp_path / "a.wav", 2.0).read_bytes()
    whole = packed.tar(tmp_path / "x.tar", {"a.wav": clip})
    (tmp_path / "y.tar").write_bytes(whole.read_bytes()[: len(clip) // 2])
    with pytest.raises(ArchiveError, match=r"y\.tar"):
        read_member(Member(tmp_path / "y.tar", "a.wav"))
    packed.ark(tmp_path / "x.ark", {"a": clip})
    (tmp_path / "y.ark").write_bytes((tmp_path / "x.ark").read_bytes()[:-10])
    with pytest.raises(ArchiveError, match="cut off within the recording at byte 2"):
        read_member(Member(tmp_path / "y.ark", "2"))
    file = packed.zipped(tmp_path / "x.zip", {"a.wav": clip})
    content = bytearray(file.read_bytes())
    for sign, at in ((zipfile.stringFileHeader, 6), (zipfile.stringCentralDir, 8)):
        content[content.index(sign) + at] |= 1
    file.write_bytes(content)
    os.utime(file, (1, 1))
    with pytest.raises(ArchiveError, match="is encrypted"):
        read_member(Member(file, "a.wav"))


def test_features_in_an_ark_are_no_recording(tmp_path: Path) -> None:
    (tmp_path / "x.ark").write_bytes(b"a \0BFM \x04\x01\x00\x00\x00")
    assert "a matrix of features stands at byte 2" in str(problem_of(Member(tmp_path / "x.ark", "2")))


def test_the_command_counts_what_lies_in_archives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["describe", "webdataset", f"root={packed.webdataset(tmp_path).root}"])
    told = capsys.readouterr().out
    assert "examples   2" in told
    assert "speakers   2" in told
    with pytest.raises(SystemExit):
        main(["check", "webdataset", f'root="{tmp_path}/shards/clips-{{0008..0010}}.tar"'])
    assert "clips-0009.tar (2 of 3 are missing)" in capsys.readouterr().err


def test_a_damaged_member_is_listed_beside_all_other_problems(tmp_path: Path) -> None:
    clip = tone(tmp_path / "a.wav").read_bytes()
    packed.tar(tmp_path / "x.tar", {"a.wav": clip[:-100], "b.wav": b"RIFF", "c.wav": clip, "c.json": b"{"})
    with pytest.raises(ManifestError, match=r"(?s)3 problems.*a: .*cut off.*b: .*c: a file beside its recording"):
        WebDataset(tmp_path / "x.tar").convert(tmp_path / "m.jsonl")


def test_a_page_of_clips_embeds_what_a_browser_could_not_open(tmp_path: Path) -> None:
    from fastadasp.comparing.page import _player

    packed.tar(tmp_path / "x.tar", {"a.wav": tone(tmp_path / "a.wav").read_bytes()})
    member = Member(tmp_path / "x.tar", "a.wav")
    assert _player(Cut(tmp_path / "a.wav", 0.1, 0.2), tmp_path, False).count('src="a.wav#t=0.1,0.3') == 1
    for source in (member, Cut(member, 0.1, 0.2)):
        assert 'src="data:audio/wav;base64,' in _player(source, tmp_path, False)
