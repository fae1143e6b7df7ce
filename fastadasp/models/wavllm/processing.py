"""Prompts as WavLLM was trained on them: ids around the audio, the instruction for its gate, features, in batches."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoProcessor, BatchFeature, ProcessorMixin

from fastadasp.models.wavllm.configuration import WavLLMConfig
from fastadasp.models.wavllm.lengths import Convolutions, audio_tokens

SYSTEM = (
    "As a helpful language and speech assistant, you are able to understand the speech content provided by the user, "
    "and assist the user with a variety of tasks using natural language."
)
LEFT = "[INST]<<SYS>>\n{system}\n<</SYS>>\n\n<SPEECH>"
RIGHT = " </SPEECH> {instruction} [/INST]"
GATE = '"{instruction}"'
"""The instruction as the gate reads it."""
_PLACED_RIGHT = frozenset({"instruction_ids", "instruction_mask", "input_features", "input_values"})
"""Inputs that are padded at the end; ids and their mask are padded in front."""


class WavLLMProcessor(ProcessorMixin):  # type: ignore[misc]  # transformers is untyped
    """Instructions and recordings, one of each for a prompt, as the model reads them."""

    def __init__(
        self,
        feature_extractor: Any = None,
        tokenizer: Any = None,
        system: str = SYSTEM,
        conv_kernel: Sequence[int] = (10, 3, 3, 3, 3, 2, 2),
        conv_stride: Sequence[int] = (5, 2, 2, 2, 2, 2, 2),
        **kwargs: Any,
    ) -> None:
        """system: what stands before every recording; conv_kernel, conv_stride: of WavLM's front end."""
        self.system = system
        self.conv_kernel, self.conv_stride = list(conv_kernel), list(conv_stride)
        super().__init__(feature_extractor, tokenizer, **kwargs)

    @property
    def audio_token(self) -> str:
        """What stands for audio in a prompt's ids; as a text it means nothing special."""
        token: str = self.tokenizer.unk_token
        return token

    def __call__(
        self,
        text: str | Sequence[str],
        audio: NDArray[np.float32] | Sequence[NDArray[np.float32]],
        sampling_rate: int | None = None,
        **_: Any,
    ) -> BatchFeature:
        """A left-padded batch of prompts: one instruction (which may be empty) and one recording for each.

        Raises ValueError where their numbers differ or the sampling rate is not 16 kHz.
        """
        texts = [text] if isinstance(text, str) else list(text)
        several = isinstance(audio, list | tuple) and not np.isscalar(audio[0])
        recordings: list[Any] = list(audio) if several else [audio]
        if len(texts) != len(recordings):
            raise ValueError(
                f"each prompt takes one recording; got {len(texts)} texts and {len(recordings)} recordings"
            )
        pairs = zip(texts, recordings, strict=True)
        return self.collate([self.prompt(each, recording, sampling_rate) for each, recording in pairs])

    def prompt(
        self, instruction: str, recording: NDArray[np.float32], sampling_rate: int | None = None
    ) -> dict[str, Tensor]:
        """One prompt's inputs, without the batch's dimension.

        The released code puts the start token where the text after the audio begins, in place of its first piece (a
        lone space), and reads it together with the audio.
        """
        features = self.feature_extractor(recording, sampling_rate=sampling_rate, return_tensors="pt")
        wavlm = Convolutions(self.conv_kernel, self.conv_stride)
        placeholders = [self.tokenizer.unk_token_id] * audio_tokens(int(features["audio_samples"][0]), wavlm)
        start = self.tokenizer.bos_token_id
        left = [start, *self._ids(LEFT.format(system=self.system))]
        right = self._ids(RIGHT.format(instruction=instruction))[1:]
        gate = torch.tensor(self._ids(GATE.format(instruction=instruction)))
        ids = torch.tensor([*left, *placeholders, start, *right])
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "instruction_ids": gate,
            "instruction_mask": torch.ones_like(gate),
            "instruction_tokens": torch.tensor(len(right)),
            **{name: value[0] for name, value in features.items()},
        }

    def collate(self, prompts: Sequence[Mapping[str, Tensor]]) -> BatchFeature:
        """A batch of what `prompt` gives."""
        batch: dict[str, Tensor] = {}
        for name, first in prompts[0].items():
            rows = [prompt[name] for prompt in prompts]
            if first.ndim == 0:
                batch[name] = torch.stack(rows)
                continue
            # Padding must not look like audio, whose placeholder is id 0.
            value = self.tokenizer.eos_token_id if name in ("input_ids", "instruction_ids") else 0
            side = "right" if name in _PLACED_RIGHT else "left"
            batch[name] = pad_sequence(rows, batch_first=True, padding_value=value, padding_side=side)
        return BatchFeature(batch)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids

    @property
    def model_input_names(self) -> list[str]:
        """Of a batch."""
        own = ["input_ids", "attention_mask", "instruction_ids", "instruction_mask", "instruction_tokens"]
        return [*own, *self.feature_extractor.model_input_names]


AutoProcessor.register(WavLLMConfig, WavLLMProcessor, exist_ok=True)
