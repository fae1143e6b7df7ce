"""Corpora in miniature: their makers' layouts."""

import csv
from pathlib import Path

from tests.helpers.mini.parts import Miniature, text, tone, tsv


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
