"""Families that need no code of their own: random-weight Audio Flamingo 3 and GLM-ASR through the general adapter."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import transformers
from transformers import WhisperFeatureExtractor

from fastadasp import FastAdaSP, Schedule, merging
from fastadasp.data.audio import AudioError
from fastadasp.errors import ConfigError
from fastadasp.models.base import Generation
from fastadasp.models.chat import ChatSpeechLM
from fastadasp.models.qwen2_audio_random import byte_tokenizer
from fastadasp.tasks.base import Example

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'audio' %}<|AUDIO|>{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant"
)
DECODER = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
ENCODER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture(scope="module", params=["AudioFlamingo3", "GlmAsr"])
def adapter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChatSpeechLM:
    """The adapter on a checkpoint folder of the family, as `save_pretrained` writes it."""
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = byte_tokenizer()
    audio_token_id = tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    family = request.param
    config = getattr(transformers, f"{family}Config")(
        audio_config=getattr(transformers, f"{family}EncoderConfig")(**ENCODER).to_dict(),
        text_config={"model_type": "qwen2" if family == "AudioFlamingo3" else "llama", **DECODER},
        audio_token_id=audio_token_id,
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{family}ForConditionalGeneration")(config)
    model.save_pretrained(folder)
    extractor = WhisperFeatureExtractor(feature_size=128)
    getattr(transformers, f"{family}Processor")(
        extractor, tokenizer, chat_template=TEMPLATE, audio_token="<|AUDIO|>"
    ).save_pretrained(folder)
    adapter = ChatSpeechLM(path=str(folder), audio_first=family == "GlmAsr")
    adapter.load(device="cpu", dtype="float32", attention="sdpa")
    return adapter


def example(folder: Path, seconds: float) -> Example:
    path = folder / f"{seconds}.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(round(seconds * 16_000)), 16_000)
    return Example(id="x", audio=(path,), instruction="Transcribe the speech.", reference="")


def test_batches_of_unlike_lengths_answer_like_single_examples(adapter: ChatSpeechLM, tmp_path: Path) -> None:
    prepared = [adapter.prepare(example(tmp_path, seconds)) for seconds in (3.0, 0.02, 35.0)]
    method = FastAdaSP(ratio=0.3, layer=1, schedule=Schedule.constant)

    def answers(rows: list) -> tuple[list[list[int]], list[int]]:
        inputs = adapter.encode(rows)
        with merging(adapter.model, method, adapter.audio_mask(inputs)) as trace:
            ids, texts = adapter.generate(inputs, Generation(max_new_tokens=6))
        assert len(texts) == len(rows)
        return ids.tolist(), trace.audio_tokens[-1].tolist()

    ids, left = answers(prepared)
    assert ids == [answers([row])[0][0] for row in prepared]
    before = adapter.audio_mask(adapter.encode(prepared)).sum(1).tolist()
    assert left[0] < 0.7 * before[0]
    assert left[2] < 0.7 * before[2]


def test_audio_tokens_and_order_follow_the_family(adapter: ChatSpeechLM, tmp_path: Path) -> None:
    flamingo = adapter.config.model_type == "audioflamingo3"
    rows = [adapter.prepare(example(tmp_path, seconds)) for seconds in (4.0, 31.0)]
    body = "Transcribe the speech.<|AUDIO|>" if flamingo else "<|AUDIO|>Transcribe the speech."
    assert rows[0].prompt == f"<|im_start|>user\n{body}<|im_end|>\n<|im_start|>assistant"
    tokens = adapter.audio_mask(adapter.encode(rows)).sum(1).tolist()
    assert tokens == ([100, 775] if flamingo else [50, 387])  # 25 and 12.5 tokens a second
    assert (adapter.shape.layers, adapter.shape.kv_heads, adapter.shape.head_dim) == (4, 2, 8)


def test_two_files_for_a_model_that_takes_one_are_refused_by_its_processor_alone(
    adapter: ChatSpeechLM, tmp_path: Path
) -> None:
    fresh = ChatSpeechLM(path=adapter.path, audio_first=adapter.audio_first)
    one = example(tmp_path, 1.0)
    fresh.check([one, one])
    fresh.check([])
    two = dataclasses.replace(one, id="pair", audio=one.audio * 2)
    with pytest.raises(
        ConfigError, match=r"example pair has 2 audio files, but .* takes one in a prompt .*join the files"
    ):
        fresh.check([one, two])
    assert "_model" not in fresh.__dict__, "no weight was read"


def test_a_prompt_without_audio_is_refused(adapter: ChatSpeechLM) -> None:
    with pytest.raises(AudioError, match="has no audio"):
        adapter.prepare(Example(id="x", audio=(), instruction="Hello?", reference=""))
