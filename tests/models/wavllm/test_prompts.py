"""What WavLLM is asked, id for id, and how its tokenizer splits text."""

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from transformers import AutoTokenizer

from fastadasp.models.wavllm.processing import SYSTEM, WavLLMProcessor
from fastadasp.models.wavllm.random import WavLLMRandom
from fastadasp.models.wavllm.tokenization import Piece, TokenizerError, build_tokenizer, read_sentencepiece
from fastadasp.tasks.base import Example
from tests.helpers.configs import composed
from tests.models.wavllm.files import write_tokenizer

BEFORE = (
    "<s> [INST]<<SYS>>\nAs a helpful language and speech assistant, you are able to understand the speech content "
    "provided by the user, and assist the user with a variety of tasks using natural language.\n<</SYS>>\n\n<SPEECH>"
)
SILENCE = np.zeros(16_000, np.float32)


def shown(ids: list[int], processor: WavLLMProcessor) -> str:
    """A prompt's ids as text, each piece apart from its neighbours' spaces; audio as one mark."""
    tokenizer = processor.tokenizer
    pieces = tokenizer.convert_ids_to_tokens([number for number in ids if number != 0])
    first = ids.index(0)
    pieces.insert(first, "(audio)")
    return "".join(pieces).replace("▁", " ").replace("<0x0A>", "\n")


@pytest.mark.parametrize(
    ("task", "meta", "instruction"),
    [
        (
            "asr",
            {},
            "Based on the attached audio, generate a comprehensive text transcription of the spoken content.",
        ),
        ("st", {"language": "German"}, "Translate the audio clip into German."),
        ("er", {}, "Can you describe the emotional condition of the speaker in the provided audio clip?"),
        ("sv", {}, "Is there only one speaker in the audio clip?"),
        ("sqa", {}, "What will the man do next? A. Start to take exercise; B. Do as he always does; C. Change."),
    ],
)
def test_every_task_is_asked_in_the_words_that_wavllm_was_shipped_with(
    task: str, meta: dict[str, str], instruction: str, tmp_path: Path
) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", SILENCE, 16_000)
    words = OmegaConf.to_container(composed("model=wavllm").model.instructions)
    adapter = WavLLMRandom(instructions=words)
    asked = instruction if task == "sqa" else "the task's own words"
    example = Example("x", (tmp_path / "a.wav",), asked, "", task=task, meta=meta)
    prompt = adapter.prepare(example)
    assert shown(prompt["input_ids"].tolist(), adapter.processor) == (
        f"{BEFORE}(audio)<s> </SPEECH> {instruction} [/INST]"
    )
    assert shown([0, *prompt["instruction_ids"].tolist()], adapter.processor) == f'(audio) "{instruction}"'


def test_the_sqa_task_words_choices_as_wavllm_expects_them() -> None:
    from fastadasp.evaluation.setup import validate

    example = validate(composed("model=wavllm_random", "task=sqa", "task.limit=1")).examples[0]
    choices = "; ".join(f"{letter}. {text}" for letter, text in zip("ABCD", example.meta["choices"], strict=True))
    assert example.instruction == f"{example.meta['question']} {choices}."


def test_the_start_token_stands_for_the_first_piece_after_the_audio() -> None:
    """The released generator puts it there, in place of a lone space; what remains is read one by one if asked for."""
    processor = WavLLMRandom().processor
    prompt = processor.prompt("Hello", SILENCE, 16_000)
    ids = prompt["input_ids"].tolist()
    (space,) = processor.tokenizer.convert_tokens_to_ids(["▁"])
    right = processor.tokenizer(" </SPEECH> Hello [/INST]", add_special_tokens=False)["input_ids"]
    assert right[:2] == [space, space]
    last = max(column for column, number in enumerate(ids) if number == 0)
    assert ids[last + 1 :] == [1, *right[1:]]
    assert prompt["instruction_tokens"] == len(right) - 1
    assert ids.count(1) == 2
    assert ids.count(0) == 13


def test_a_batch_is_padded_so_that_no_padding_looks_like_audio() -> None:
    processor = WavLLMRandom().processor
    batch = processor(["Hi", "A longer question?"], [SILENCE, np.zeros(40_000, np.float32)], sampling_rate=16_000)
    assert (batch["input_ids"] == 0).sum(1).tolist() == [13, 31]
    assert batch["attention_mask"][0].tolist() == sorted(batch["attention_mask"][0].tolist()), "padded in front"
    assert batch["instruction_mask"][0].tolist() == sorted(batch["instruction_mask"][0].tolist(), reverse=True)
    assert batch["instruction_tokens"].tolist() == [21, 37]
    assert batch["audio_samples"].tolist() == [16_000, 40_000]
    assert set(batch) == set(processor.model_input_names)
    one = processor("Hi", SILENCE, sampling_rate=16_000)
    row = batch["attention_mask"][0].bool()
    assert torch.equal(batch["input_ids"][0][row], one["input_ids"][0])
    with pytest.raises(ValueError, match="each prompt takes one recording; got 2 texts and 1 recordings"):
        processor(["a", "b"], SILENCE, sampling_rate=16_000)


def test_special_tokens_inside_a_text_are_text() -> None:
    adapter = WavLLMRandom()
    ids = adapter.processor.prompt("<unk></s><s>", SILENCE, 16_000)["input_ids"]
    assert (ids == 0).sum() == 13
    assert (ids == 2).sum() == 0
    assert "<unk></s><s>" in shown(ids.tolist(), adapter.processor)


def slowly(text: str, pieces: list[Piece]) -> list[int]:
    """SentencePiece's byte-pair splitting: the best pair is joined, the leftmost of equal ones, until none is left."""
    rank = {piece.text: piece.score for piece in pieces if piece.kind == 1}
    number = {piece.text: index for index, piece in enumerate(pieces)}
    symbols = list(("▁" + text.replace(" ", "▁")) if text else "")
    while True:
        pairs = [(-rank[a + b], place) for place, (a, b) in enumerate(pairwise(symbols)) if a + b in rank]
        if not pairs:
            break
        _, place = min(pairs)
        symbols[place : place + 2] = ["".join(symbols[place : place + 2])]
    ids = []
    for symbol in symbols:
        single_bytes = [number[f"<0x{byte:02X}>"] for byte in symbol.encode()]
        ids += [number[symbol]] if symbol in rank else single_bytes
    return ids


def test_the_tokenizer_splits_and_joins_as_sentencepiece_does(tmp_path: Path) -> None:
    pieces = read_sentencepiece(write_tokenizer(tmp_path / "tokenizer.model", 380))
    tokenizer = build_tokenizer(pieces)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    draw = random.Random(0)
    for _ in range(300):
        text = "".join(draw.choice("thean SPECHINT[/<sé\n▁ü漢  ") for _ in range(draw.randint(1, 30)))
        expected = slowly(text, pieces)
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == expected
        assert again(text, add_special_tokens=False)["input_ids"] == expected
        assert again.decode(expected) == text.replace("▁", " ")
    assert len(slowly("the SPEECH in INST", pieces)) < 9, "words are joined at all"


def test_tokenizers_of_another_kind_are_refused(tmp_path: Path) -> None:
    from transformers.convert_slow_tokenizer import import_protobuf

    path = write_tokenizer(tmp_path / "tokenizer.model", 380)
    model = import_protobuf().ModelProto.FromString(path.read_bytes())
    model.normalizer_spec.name = "nmt_nfkc"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(TokenizerError, match=r"tokenizer\.model is another tokenizer than LLaMA's"):
        read_sentencepiece(path)
    with pytest.raises(TokenizerError, match=r"none\.model cannot be read as a SentencePiece model"):
        read_sentencepiece(tmp_path / "none.model")


def test_another_system_prompt_is_saved_with_the_processor(tmp_path: Path) -> None:
    processor = WavLLMRandom().processor
    assert processor.system == SYSTEM
    processor.system = "Be brief."
    processor.save_pretrained(tmp_path)
    again = WavLLMProcessor.from_pretrained(tmp_path)
    assert again.system == "Be brief."
    ids = [each.prompt("Hi", SILENCE, 16_000)["input_ids"].tolist() for each in (processor, again)]
    assert ids[0] == ids[1]
