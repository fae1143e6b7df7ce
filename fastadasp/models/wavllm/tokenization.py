"""LLaMA's SentencePiece vocabulary as a fast tokenizer that splits text exactly as SentencePiece does."""

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer, decoders, normalizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from fastadasp.errors import InputError

SPACE = "\u2581"
"""SentencePiece's sign for a space."""
UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"


class Kind(IntEnum):
    """SentencePiece's kinds of pieces, those that LLaMA has."""

    normal = 1
    unknown = 2
    control = 3
    byte = 6


class Piece(NamedTuple):
    """One entry of a SentencePiece vocabulary; its place is its id."""

    text: str
    score: float
    kind: int


class TokenizerError(InputError):
    """A tokenizer file that is damaged, or not LLaMA's."""


def build_tokenizer(pieces: Sequence[Piece]) -> PreTrainedTokenizerFast:
    """A byte-pair tokenizer of `pieces`, in which `<s>` and the like inside a text are text."""
    vocabulary = {piece.text: number for number, piece in enumerate(pieces)}
    model = BPE(vocab=vocabulary, merges=_merges(pieces), fuse_unk=True, byte_fallback=True, unk_token=UNKNOWN)
    tokenizer = Tokenizer(model)
    # Always one space more in front, also where the text begins with one: that is how SentencePiece adds its own.
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=UNKNOWN,
        bos_token=BEGIN,
        eos_token=END,
        split_special_tokens=True,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def _merges(pieces: Sequence[Piece]) -> list[tuple[str, str]]:
    """Pairs that make a piece, those of likelier pieces first."""
    ids = {piece.text: number for number, piece in enumerate(pieces) if piece.kind == Kind.normal}
    ranked = sorted((-pieces[number].score, number, text) for text, number in ids.items())
    return [
        (text[:cut], text[cut:])
        for _, _, text in ranked
        for cut in range(1, len(text))
        if text[:cut] in ids and text[cut:] in ids
    ]


def read_sentencepiece(path: Path) -> list[Piece]:
    """The vocabulary of LLaMA's `tokenizer.model`; TokenizerError for a file that is not of its kind."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from transformers.convert_slow_tokenizer import import_protobuf

    try:
        model: Any = import_protobuf().ModelProto.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise TokenizerError(f"{path} cannot be read as a SentencePiece model ({error})") from error
    pieces = [Piece(piece.piece, piece.score, piece.type) for piece in model.pieces]
    spec = model.normalizer_spec
    begins = [piece.text for piece in pieces[:3]] == [UNKNOWN, BEGIN, END]
    plain = spec.name == "identity" and spec.add_dummy_prefix and not spec.remove_extra_whitespaces
    known = all(piece.kind in list(Kind) for piece in pieces)
    if not (begins and plain and known and sum(piece.kind == Kind.byte for piece in pieces) == 256):
        raise TokenizerError(
            f"{path} is another tokenizer than LLaMA's, which begins with {UNKNOWN}, {BEGIN}, {END}, leaves text as it "
            "is but for a space in front, and has a piece for each byte"
        )
    return pieces
