"""Corpora and manifests of other tools that are broken or would run something: told line by line, nothing runs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastadasp.data.corpora.air_bench import AIRBench
from fastadasp.data.corpora.audio_marathon import AudioMarathon
from fastadasp.data.corpora.audiofolder import AudioFolder
from fastadasp.data.corpora.crema_d import CREMAD
from fastadasp.data.corpora.esd import ESD
from fastadasp.data.corpora.espnet import ESPnet
from fastadasp.data.corpora.europarl_st import EuroparlST
from fastadasp.data.corpora.fleurs import FLEURS
from fastadasp.data.corpora.huggingface import HuggingFace
from fastadasp.data.corpora.iemocap import IEMOCAP
from fastadasp.data.corpora.kaldi import Kaldi
from fastadasp.data.corpora.lhotse import Lhotse
from fastadasp.data.corpora.meld import MELD
from fastadasp.data.corpora.mls import MLS
from fastadasp.data.corpora.mmau import MMAU
from fastadasp.data.corpora.mmsu import MMSU
from fastadasp.data.corpora.mustc import MuSTC
from fastadasp.data.corpora.nemo import NeMo
from fastadasp.data.corpora.ravdess import RAVDESS
from fastadasp.data.corpora.voxceleb import VoxCelebPairs
from fastadasp.data.corpora.wavllm import WavLLM, choices_in
from fastadasp.data.corpora.webdataset import WebDataset
from fastadasp.data.corpus import Corpus
from fastadasp.data.rows import Bad, CorpusError, Row
from fastadasp.errors import InputError
from tests.helpers.miniatures import MINIATURES, text, tone, tsv


def bad(corpus: Corpus) -> list[str]:
    return [f"{found.where}: {found.problem}" for found in corpus.rows() if isinstance(found, Bad)]


@pytest.mark.parametrize("kind", [
    lambda root: MLS(root), lambda root: MuSTC(root), lambda root: EuroparlST(root), lambda root: FLEURS(root),
    lambda root: IEMOCAP(root), lambda root: MELD(root), lambda root: RAVDESS(root), lambda root: CREMAD(root),
    lambda root: ESD(root), lambda root: VoxCelebPairs(root), lambda root: Kaldi(root), lambda root: AudioFolder(root),
    lambda root: NeMo(root), lambda root: Lhotse(root), lambda root: ESPnet(root), lambda root: WavLLM(root),
    lambda root: AIRBench(root), lambda root: MMAU(root), lambda root: MMSU(root), lambda root: AudioMarathon(root),
    lambda root: WebDataset(root), lambda root: HuggingFace(root),
])  # fmt: skip
@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_or_missing_root_is_told_with_what_was_expected(
    kind: Callable[[Path], Corpus], exists: bool, tmp_path: Path
) -> None:
    root = tmp_path if exists else tmp_path / "gone"
    with pytest.raises(CorpusError, match=rf"{root}") as caught:
        kind(root).convert(tmp_path / "m.jsonl")
    assert str(caught.value).startswith(f"{type(kind(root)).__name__} in {root}: ")
    assert len(str(caught.value)) < 600


def test_kaldis_commands_never_run(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    touch = f"touch {tmp_path}/was_run"
    text(tmp_path / "wav.scp", f"a {touch} |\nb | {touch}\nc a.wav\nd feats.ark:123\ne -\nf gone.wav\n")
    text(tmp_path / "text", "".join(f"{id} words\n" for id in "abcdefg"))
    told = bad(Kaldi(tmp_path))
    assert told[0].startswith("wav.scp, line 1: wav.scp has a command for 'a' ('touch ")
    assert told[0].endswith("|'); write its output to a file")
    assert "wav.scp, line 2: wav.scp has a command for 'b'" in told[1]
    assert "wav.scp, line 5: wav.scp has a command for 'e' ('-')" in told[2]
    assert told[3] == "text, line 7: 'g' is not in wav.scp"
    assert not (tmp_path / "was_run").exists()
    with pytest.raises(InputError, match=r"(?s)6 problems in corpus Kaldi.*d: no file .*feats\.ark"):
        Kaldi(tmp_path).convert(tmp_path / "m.jsonl")


@pytest.mark.parametrize(
    ("command", "name", "options"),
    [
        ("flac -c -d -s audio/a.flac |", "audio/a.flac", {}),
        ("/usr/bin/flac -cd 'with space.flac'|", "with space.flac", {}),
        ("sph2pipe -f wav -p -c 2 a.sph |", "a.sph", {"audio_options": {"channel": 2}}),
        ("/kaldi/tools/sph2pipe_v2.5/sph2pipe -f wav a.sph |", "a.sph", {}),
        ("cat a.wav |", "a.wav", {}),
    ],
)
def test_a_command_that_only_turns_a_file_into_wav_names_that_file(
    tmp_path: Path, command: str, name: str, options: dict[str, object]
) -> None:
    text(tmp_path / "wav.scp", f"a {command}\n")
    text(tmp_path / "text", "a words\n")
    (row,) = Kaldi(tmp_path).rows()
    assert isinstance(row, Row)
    assert (row.audio, row.fields) == (tmp_path / name, {"text": "words", **options})


@pytest.mark.parametrize(
    "command",
    ["cat a.wav; touch x |", "cat a.wav b.wav |", "flac -c -d --skip=5 a.flac |", "sox a.wav -t wav - speed 1.1 |",
     "flac -c -d -s $(touch x) |", "cat a.wav | sox - -t wav - |", "cat 'a.wav |", "cat |", "flac |"],
)  # fmt: skip
def test_any_other_command_is_refused(tmp_path: Path, command: str) -> None:
    text(tmp_path / "wav.scp", f"a {command}\n")
    text(tmp_path / "text", "a words\n")
    assert "has a command for 'a'" in bad(Kaldi(tmp_path))[0]


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("u rec", "must be an utterance, its recording, start and end"),
        ("u other 0 1", "recording 'other' is not in wav.scp"),
        ("u rec x 1", "start and end must be seconds, got 'x' and '1'"),
        ("u rec 2 1", "must end after it starts, got 2 to 1"),
        ("u rec nan 1", "must end after it starts"),
        ("u rec 0 inf", "must end after it starts"),
    ],
)
def test_a_segment_that_is_none_is_told(tmp_path: Path, segment: str, message: str) -> None:
    text(tmp_path / "wav.scp", "rec a.wav\n")
    text(tmp_path / "segments", segment + "\n")
    text(tmp_path / "text", "u words\n")
    (told,) = bad(Kaldi(tmp_path))
    assert told.startswith(f"segments, line 1: {message}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", r"must be an object with audio_filepath, got \[1\]"),
        ('{"audio_filepath": 3}', "must be an object with audio_filepath"),
        ('{"audio_filepath": "a.wav", "duration": "long"}', "duration must be a number of seconds, got 'long'"),
        ('{"audio_filepath": "a.wav", "duration": 0}', "duration must be a number of seconds, got 0"),
        ('{"audio_filepath": "a.wav", "offset": -1}', "offset must be a number of seconds, got -1"),
        ('{"audio_filepath": "a.wav", "shard_id": "3"}', "shard_id must be the number of a tar file, got '3'"),
    ],
)
def test_a_line_of_nemo_that_is_none_is_told(tmp_path: Path, line: str, message: str) -> None:
    text(tmp_path / "m.json", f"\n{line}\n")
    (told,) = bad(NeMo(tmp_path / "m.json"))
    assert told.startswith("m.json, line 2: ")
    assert re.search(message, told)


def test_nemos_utterances_of_one_file_get_ids_of_their_own(tmp_path: Path) -> None:
    lines = [{"audio_filepath": "a.wav", "text": "x", **more} for more in ({}, {"offset": 0.5}, {"offset": 0.5}, {})]
    text(tmp_path / "m.json", "".join(json.dumps(line) + "\n" for line in lines))
    ids = [found.id for found in NeMo(tmp_path / "m.json").rows() if isinstance(found, Row)]
    assert ids == ["a", "a@0.5", "a@0.5-line3", "a-line4"]


SOURCE = {"type": "file", "channels": [0], "source": "a.wav"}
CUT: dict[str, Any] = {"id": "a", "start": 0, "duration": 1, "type": "MonoCut",
                       "recording": {"sources": [SOURCE], "duration": 1}}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "MixedCut"}, "is a MixedCut: only cuts of one recording are read"),
        ({"recording": None}, "has no recording inside"),
        (
            {"recording": {**CUT["recording"], "sources": [{**SOURCE, "type": "command"}]}},
            "is a 'command': commands do not",
        ),
        ({"recording": {**CUT["recording"], "sources": [{**SOURCE, "type": "url"}]}}, "is a 'url'"),
        ({"recording": {**CUT["recording"], "sources": []}}, r"must lie in one file, got \[\]"),
        ({"recording": {**CUT["recording"], "transforms": [{"name": "Speed"}]}}, "is changed on the fly"),
        ({"start": "x"}, "is not a cut as lhotse writes them"),
        ({"supervisions": [3]}, "is not a cut as lhotse writes them"),
    ],
)
def test_a_cut_of_lhotse_that_cannot_be_read_is_told(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    text(tmp_path / "cuts.jsonl", json.dumps({**CUT, **change}))
    (told,) = bad(Lhotse(tmp_path / "cuts.jsonl"))
    assert re.match(rf"cuts\.jsonl, line 1: .*{message}", told), told


def test_a_channel_of_lhotse_becomes_an_option_of_reading(tmp_path: Path) -> None:
    recording = {"sources": [{**SOURCE, "channels": [0, 1]}], "duration": 1}
    text(tmp_path / "cuts.jsonl", json.dumps({**CUT, "channel": 1, "recording": recording}))
    (row,) = Lhotse(tmp_path / "cuts.jsonl").rows()
    assert isinstance(row, Row)
    assert row.fields["audio_options"] == {"channel": 2}


@pytest.mark.parametrize(
    ("utterance", "message"),
    [
        (3, "must have one input with a file"),
        ({"input": [{"feat": "raw.ark:17"}], "output": [{"text": "x"}]}, "its input is 'mat'"),
        (
            {"input": [{"feat": "a.h5:x", "filetype": "sound.hdf5"}], "output": [{"text": "x"}]},
            "its input is 'sound.hdf5'",
        ),
        ({"input": [{"feat": "a.wav"}, {"feat": "b.wav"}]}, "must have one input with a file"),
        ({"input": [{"feat": "a.wav"}], "output": []}, "must have one or two outputs with a text, got 0"),
    ],
)
def test_an_utterance_of_espnet_that_has_no_audio_file_is_told(tmp_path: Path, utterance: Any, message: str) -> None:
    text(tmp_path / "data.json", json.dumps({"utts": {"u1": utterance}}))
    (told,) = bad(ESPnet(tmp_path / "data.json"))
    assert told.startswith(f"u1: {message}")


def test_the_first_of_two_outputs_of_espnet_is_the_translation(tmp_path: Path) -> None:
    utterance = {"input": [{"feat": "a.wav"}], "output": [{"text": "Hallo"}, {"text": "Hello"}]}
    text(tmp_path / "data.json", json.dumps({"utts": {"u1": utterance}}))
    (row,) = ESPnet(tmp_path / "data.json").rows()
    assert isinstance(row, Row)
    assert row.fields == {"text": "Hello", "translation": "Hallo"}


def test_metadata_of_an_audiofolder_may_be_json_lines_and_folders_may_be_labels(tmp_path: Path) -> None:
    for name in ("x/a.wav", "y/b.wav"):
        tone(tmp_path / name)
    assert [(row.id, row.fields) for row in AudioFolder(tmp_path).rows() if isinstance(row, Row)] == [
        ("x/a", {"label": "x"}),
        ("y/b", {"label": "y"}),
    ]
    text(tmp_path / "metadata.jsonl", '{"file_name": "x/a.wav", "text": "hi", "id": 7}\n{"text": "no file"}\n{\n')
    first, *others = AudioFolder(tmp_path).rows()
    assert isinstance(first, Row)
    assert (first.id, first.fields) == ("7", {"text": "hi"})
    assert [f"{found.where}: {found.problem}"[:50] for found in others if isinstance(found, Bad)] == [
        "metadata.jsonl, line 2: must have file_name, got {",
        "metadata.jsonl, line 3: not JSON: Expecting proper",
    ]
    text(tmp_path / "metadata.csv", "file_name\n")
    with pytest.raises(CorpusError, match=r"holds both metadata\.csv and metadata\.jsonl; keep one"):
        list(AudioFolder(tmp_path).rows())


def test_texts_and_segments_of_unequal_numbers_are_refused(tmp_path: Path) -> None:
    for name, kind, file in (
        ("mustc", MuSTC, "en-de/data/tst-COMMON/txt/tst-COMMON.de"),
        ("europarl_st", EuroparlST, "en/de/test/segments.de"),
    ):
        root = MINIATURES[name](tmp_path / name).root
        with (root / file).open("a") as content:
            content.write("one too many\n")
        with pytest.raises(CorpusError, match=r"must have as many lines each, but have 3 segments, 3 and 4 lines"):
            list(kind(root).rows())


def test_segments_that_are_none_are_told(tmp_path: Path) -> None:
    folder = MINIATURES["mustc"](tmp_path / "mustc").root / "en-de" / "data" / "tst-COMMON"
    text(
        folder / "txt" / "tst-COMMON.yaml",
        "- {wav: a.wav, offset: x, duration: 1}\n- 3\n- {wav: a.wav, offset: 0, duration: 0}\n",
    )
    assert bad(MuSTC(tmp_path / "mustc")) == [
        "tst-COMMON.yaml, segment 1: offset must be a number of seconds, got 'x'",
        "tst-COMMON.yaml, segment 2: must be a mapping with wav, offset and duration, got 3",
        "tst-COMMON.yaml, segment 3: its duration is 0",
    ]
    root = MINIATURES["europarl_st"](tmp_path / "europarl").root
    text(root / "en" / "de" / "test" / "segments.lst", "r 1 0.5\nr x 1\nr 1\n")
    assert len(bad(EuroparlST(root))) == 3


def test_names_and_lines_that_no_corpus_has_are_told(tmp_path: Path) -> None:
    tone(tmp_path / "r" / "Actor_01" / "song.wav")
    tone(tmp_path / "c" / "AudioWAV" / "1001_XXX_ANG_XX.wav")
    tone(tmp_path / "e" / "0011" / "Bored" / "0011_000001.wav")
    text(tmp_path / "v" / "veri_test.txt", "1 a.wav b.wav\n2 a.wav b.wav\n1 a.wav\n")
    (tmp_path / "v" / "wav").mkdir()
    text(tmp_path / "m" / "test" / "transcripts.txt", "noid\ttext\n")
    tsv(tmp_path / "f" / "en_us" / "test.tsv", [(1, "a.wav", "A", "a", "a", "many", "MALE")])
    (tmp_path / "f" / "en_us" / "audio" / "test").mkdir(parents=True)
    for corpus, count in (
        (RAVDESS(tmp_path / "r"), 1), (CREMAD(tmp_path / "c"), 1), (ESD(tmp_path / "e"), 1),
        (VoxCelebPairs(tmp_path / "v"), 2), (MLS(tmp_path / "m"), 1), (FLEURS(tmp_path / "f"), 1),
    ):  # fmt: skip
        assert len(bad(corpus)) == count, corpus


@pytest.mark.parametrize(
    ("prompt", "question", "choices"),
    [
        ("Why? A. One; B. Two; C. Three.", "Why?", ["One", "Two", "Three"]),
        ("When? A. At 5 p.m.; B. At 6 p.m.; C. At noon", "When?", ["At 5 p.m.", "At 6 p.m.", "At noon"]),
        ("Who? A. Mr. A. Smith; B. Dr. B. Jones.", "Who?", ["Mr. A. Smith", "Dr. B. Jones"]),
        ("Plan A. is it?", "Plan A. is it?", []),
        ("", "", []),
    ],
)
def test_choices_of_a_prompt(prompt: str, question: str, choices: list[str]) -> None:
    assert choices_in(prompt) == (question, choices)
