"""Qwen-Audio's tokenizer as a fast tokenizer of transformers, built from the released file of BPE ranks.

The released tokenizer is Python code around tiktoken: a file `qwen.tiktoken` holds the ranks of 151,643 byte strings,
and the special tokens exist only as lists in that code. The same lists stand here (source: QwenLM/Qwen-Audio,
tokenization_qwen.py, commit b50fb95).
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fastadasp.models.pretrained import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
AUDIO_TOKEN, AUDIO_START, AUDIO_END = "[[[AUDIO:modality]]]", "<audio>", "</audio>"
LANGUAGES = ("en", "zh", "de", "es", "ko", "fr", "ja", "it", "zh_tr")
"""Languages that have a tag of their own; `zh_tr` is traditional Chinese."""

_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""The regular expression that cuts text into pieces; byte pairs are merged inside a piece only."""
_CAPTION_STYLES = "caption_audiocaps caption_clotho audioset_ontology caption_plain itn wo_itn"
_ENTITIES = "startofentityvalue endofentityvalue startofentitytype endofentitytype named_entity_recognition"
_GROUNDING = "audio_grounding startofword endofword delim emotion_recognition music_description note_analysis"
_META = "sonic instrument speaker_meta song_meta question answer choice scene event vocal_classification"
_UNDERSTANDING = "speech_understanding scenario action entities speech_edit"


def special_tokens() -> Iterator[str]:
    """All special tokens in the order of their ids, which follow those of the ranks without a gap."""
    yield from (END_OF_TEXT, TURN_START, TURN_END)
    yield from (f"<|extra_{number}|>" for number in range(205))
    yield AUDIO_TOKEN
    yield from _tags("startoftranscript startofanalysis translate transcribe caption keyword unknown")
    yield from (f"<|{language}|>" for language in LANGUAGES)
    yield from _tags("notimestamps sil timestamps")
    yield from timestamps()
    yield from _tags(f"{_CAPTION_STYLES} {_ENTITIES} {_GROUNDING} pitch")
    yield from (f"<|midi_pitch_{number}|>" for number in range(128))
    yield "<|velocity|>"
    yield from (f"<|midi_velocity_{number}|>" for number in range(128))
    yield from _tags(f"{_META} {_UNDERSTANDING}")
    yield from (AUDIO_START, AUDIO_END)


def timestamps() -> Iterator[str]:
    """<|0.00|> to <|30.00|>, in steps of 10 ms."""
    return (f"<|{hundredth / 100:.2f}|>" for hundredth in range(3001))


def _tags(names: str) -> Iterator[str]:
    return (f"<|{name}|>" for name in names.split())


def read_ranks(path: Path) -> dict[bytes, int]:
    """The byte strings of a tiktoken file and their ranks, which are their ids; ModelError for any other file."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file; the checkpoint's folder holds it (`hf download Qwen/Qwen-Audio`)")
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise ModelError(
                f"{path}, line {number}: expected a base64 string and its rank, as in `IQ== 0`; got {line[:60]!r}"
            ) from error
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ModelError(f"{path}: its {len(ranks)} ranks must be the numbers from 0 to {len(ranks) - 1}, each once")
    if lacking := [byte for byte in range(256) if bytes([byte]) not in ranks]:
        raise ModelError(f"{path}: the single bytes {lacking[:8]} have no rank; all 256 must, or some text has no ids")
    return ranks


def build_tokenizer(ranks: Mapping[bytes, int], *, chat: bool = False) -> "PreTrainedTokenizerFast":
    """The tokenizer over `ranks` (byte string to id, ids from 0 without a gap) and all special tokens.

    chat: whether the end of a turn ends an answer, as in the chat model; in the base model the end of the text does.
    """
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    backend = _byte_pairs(ranks)
    moments = set(timestamps())
    # Timestamps are part of what an answer says ("starts at <|2.33|> seconds"), so they are not dropped from texts.
    # Tokens are looked for in normalised text, as the released code does: NFC may change a tag's last character.
    backend.add_tokens([AddedToken(token, special=token not in moments, normalized=True) for token in special_tokens()])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=TURN_END if chat else END_OF_TEXT,
        pad_token=END_OF_TEXT,
        padding_side="left",
        model_max_length=8192,
        clean_up_tokenization_spaces=False,
        extra_special_tokens={
            "audio_token": AUDIO_TOKEN,
            "audio_bos_token": AUDIO_START,
            "audio_eos_token": AUDIO_END,
        },
    )


def _byte_pairs(ranks: Mapping[bytes, int]) -> "Tokenizer":
    """tiktoken's rule in the terms of `tokenizers`.

    tiktoken merges any two neighbours whose concatenation has a rank, lowest rank first, and takes a piece that has a
    rank as it is. So every way to cut a byte string in two that have ranks becomes a merge, in the order of the whole
    string's rank, and whole pieces are looked up first (`ignore_merges`).
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    letters = _byte_letters()
    spelled = {token: "".join(letters[byte] for byte in token) for token in ranks}
    merges = [
        (spelled[token[:cut]], spelled[token[cut:]])
        for token in sorted(ranks, key=ranks.__getitem__)
        for cut in range(1, len(token))
        if token[:cut] in ranks and token[cut:] in ranks
    ]
    vocabulary = {spelled[token]: rank for token, rank in ranks.items()}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    return backend


def _byte_letters() -> list[str]:
    """The printable character that stands for each byte in `tokenizers`: itself if it is one, else from U+0100 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]
