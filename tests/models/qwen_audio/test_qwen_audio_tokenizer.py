"""The fast tokenizer against tiktoken's rule, told here in a few lines."""

import unicodedata
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from fastadasp.models.pretrained import ModelError
from fastadasp.models.qwen_audio.tokenizer import build_tokenizer, read_ranks, special_tokens
from tests.helpers.qwen_audio_files import CORPUS, SPECIAL, trained_ranks, write_ranks

PATTERN = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
RANKS = trained_ranks()
RANKS |= {token: len(RANKS) + number for number, token in enumerate([b"zqxjkv", "彁彅予報".encode()])}
"""The last two can never be merged from their parts: they are found as whole pieces only."""
TOKENIZER = build_tokenizer(RANKS)
TEXTS = [
    "Mister Quilter's at 12:30, isn't he? IT'S 3.14159 and 007; we'LL see",
    "它是2024年\uff0c福音。天気予報は晴れ、東京の天気 안녕하세요 ١٢٣",
    "zqxjkv zqxjk zqxjkvs azqxjkv 彁彅予報 彁彅予報は 天気予報",
    "😀😀👩‍👩‍👧 🇩🇪 naïve cafe\u0301 ﬁne İstanbul straße '\u017f ½ \U0001d7d8",
    "  two  spaces \t tab\n\n\nlines\r\n end   ",
    "<audio>[[[AUDIO:modality]]]</audio><|startoftranscript|><|en|><|transcribe|><|en|><|notimestamps|><|wo_itn|>the",
    "<|2.33|>middle classes<|3.26|><|im_start|>user\n<|im_end|><|en|>\u0338<|nothing|><audio <|en|",
    "",
]


def reference_ids(text: str, ranks: Mapping[bytes, int]) -> list[int]:
    """tiktoken: special tokens first, then pieces; one with a rank is whole, else the lowest rank merges first."""
    special = {token: len(ranks) + number for number, token in enumerate(special_tokens())}
    ids: list[int] = []
    text = unicodedata.normalize("NFC", text)
    for part in regex.split(f"({'|'.join(map(regex.escape, special))})", text):
        if part in special:
            ids.append(special[part])
            continue
        for piece in PATTERN.findall(part):
            whole = piece.encode()
            parts = [whole] if whole in ranks else [whole[place : place + 1] for place in range(len(whole))]
            while len(parts) > 1:
                joined = [first + second for first, second in pairwise(parts)]
                place = min(range(len(joined)), key=lambda index: (ranks.get(joined[index], len(ranks)), index))
                if joined[place] not in ranks:
                    break
                parts[place : place + 2] = [joined[place]]
            ids += [ranks[part] for part in parts]
    return ids


@pytest.mark.parametrize("text", [*TEXTS, CORPUS], ids=ascii)
def test_ids_are_those_of_tiktoken(text: str) -> None:
    expected = reference_ids(text, RANKS)
    assert TOKENIZER(text).input_ids == expected
    assert TOKENIZER.decode(expected) == unicodedata.normalize("NFC", text)


FRAGMENTS = ["the", " gospel", "zqxjkv", "'s", "'LL", "'", "12", " ", "  ", "\n", "\r\n", "天気", "予報", "福音", "é"]
FRAGMENTS += ["e\u0301", "😀", "👧", "\u200d", "<|en|>", "<audio>", "<|", "|>", "\u0338", "ß", "\u017f", "½", "\u3000"]


@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(st.sampled_from(sorted(set(CORPUS))), max_size=4))))
def test_ids_of_any_mixture_are_those_of_tiktoken(fragments: list[str]) -> None:
    text = "".join(fragments)
    assert TOKENIZER(text).input_ids == reference_ids(text, RANKS)


def test_special_tokens_have_the_published_ids() -> None:
    ids = {token: 151_643 + number for number, token in enumerate(special_tokens())}
    assert len(ids) == SPECIAL
    published = {
        "<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645, "<|extra_0|>": 151646,
        "<|extra_204|>": 151850, "[[[AUDIO:modality]]]": 151851, "<|startoftranscript|>": 151852,
        "<|startofanalysis|>": 151853, "<|translate|>": 151854, "<|transcribe|>": 151855, "<|keyword|>": 151857,
        "<|unknown|>": 151858, "<|en|>": 151859, "<|de|>": 151861, "<|it|>": 151866, "<|zh_tr|>": 151867,
        "<|notimestamps|>": 151868, "<|timestamps|>": 151870, "<|0.00|>": 151871, "<|30.00|>": 154871,
        "<|caption_audiocaps|>": 154872, "<|caption_plain|>": 154875, "<|itn|>": 154876, "<|wo_itn|>": 154877,
        "<|delim|>": 154886, "<|emotion_recognition|>": 154887, "<|pitch|>": 154890, "<|midi_pitch_127|>": 155018,
        "<|midi_velocity_0|>": 155020, "<|midi_velocity_127|>": 155147, "<|song_meta|>": 155151,
        "<|question|>": 155152, "<|answer|>": 155153, "<|scene|>": 155155, "<|vocal_classification|>": 155157,
        "<|speech_edit|>": 155162, "<audio>": 155163, "</audio>": 155164,
    }  # fmt: skip
    assert {token: ids[token] for token in published} == published


def test_texts_keep_the_times_that_an_answer_names_and_lose_all_other_tags() -> None:
    ids = TOKENIZER("<|en|>starts at <|2.33|> seconds<|wo_itn|><|im_end|><|endoftext|>").input_ids
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == "starts at <|2.33|> seconds"


def test_a_saved_tokenizer_is_loaded_as_it_was(tmp_path: Path) -> None:
    build_tokenizer(RANKS, chat=True).save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(loaded, PreTrainedTokenizerFast)
    for text in (*TEXTS, CORPUS):
        assert loaded(text).input_ids == reference_ids(text, RANKS)
    assert (loaded.eos_token, loaded.pad_token, TOKENIZER.eos_token) == ("<|im_end|>", "<|endoftext|>", "<|endoftext|>")
    assert (loaded.audio_token, loaded.audio_bos_token) == ("[[[AUDIO:modality]]]", "<audio>")
    assert len(loaded) == len(RANKS) + SPECIAL


def test_a_file_of_ranks_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_ranks(RANKS, tmp_path / "qwen.tiktoken")
    assert read_ranks(tmp_path / "qwen.tiktoken") == RANKS


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: [*lines[:7], "IQ==", *lines[8:]], r"line 8: expected a base64 string and its rank.*b'IQ=='"),
        (lambda lines: [*lines[:7], "!!== 7", *lines[8:]], "line 8: expected a base64 string"),
        (lambda lines: lines[:-2] + lines[-1:], r"its \d+ ranks must be the numbers from 0 to \d+, each once"),
        (lambda lines: ["IQ== 0"], r"the single bytes \[0, 1, 2, .*\] have no rank"),
    ],
)
def test_damaged_files_of_ranks_say_where(damage, message: str, tmp_path: Path) -> None:
    file = tmp_path / "qwen.tiktoken"
    write_ranks(RANKS, file)
    file.write_text("\n".join(damage(file.read_text().splitlines())))
    with pytest.raises(ModelError, match=rf"qwen\.tiktoken.*{message}"):
        read_ranks(file)
    with pytest.raises(ModelError, match=r"none\.tiktoken: no such file; the checkpoint's folder holds it"):
        read_ranks(tmp_path / "none.tiktoken")
