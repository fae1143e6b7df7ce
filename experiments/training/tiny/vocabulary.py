"""The model's own vocabulary and processor: byte-level BPE over English and German, and a short chat template."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2AudioProcessor, WhisperFeatureExtractor

END = "<|endoftext|>"
TURN, TURN_END = "<|im_start|>", "<|im_end|>"
AUDIO, AUDIO_BOS, AUDIO_EOS = "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"
SPECIAL = [END, TURN, TURN_END, AUDIO, AUDIO_BOS, AUDIO_EOS]

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def train_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE with `size` tokens in all; every word carries its leading space, also at a text's start."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    # `add_prefix_space` puts a space before each text; decoding takes it away again.
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=END,
        additional_special_tokens=[TURN, AUDIO, AUDIO_BOS, AUDIO_EOS],
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def make_processor(tokenizer: PreTrainedTokenizerFast) -> Qwen2AudioProcessor:
    """The model's processor: 80 mel bins, 30 s windows (Whisper tiny's), the tokenizer and the chat template."""
    extractor = WhisperFeatureExtractor(feature_size=80, return_attention_mask=True)
    return Qwen2AudioProcessor(feature_extractor=extractor, tokenizer=tokenizer, chat_template=CHAT_TEMPLATE)


def load_processor(folder: Path) -> Qwen2AudioProcessor:
    """The processor of an exported or working model folder."""
    processor = Qwen2AudioProcessor.from_pretrained(folder)
    if not isinstance(processor, Qwen2AudioProcessor):
        raise TypeError(f"{folder} holds a {type(processor).__name__}, not a Qwen2AudioProcessor")
    return processor
