"""Any SpeechLM of transformers whose processor takes a chat with audio, such as Audio Flamingo 3 or GLM-ASR.

Their processors cut long audio into encoder windows themselves; the decoder must be one that `merging()` knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.models.pretrained import Pretrained

if TYPE_CHECKING:
    from transformers import BatchFeature

    from fastadasp.data.audio import Samples
    from fastadasp.tasks.base import Example

_LEAST_SECONDS = 0.1
"""Shorter audio is padded with silence: some encoders make no token of less."""


@dataclass(frozen=True)
class PreparedChat:
    """One user turn: audio at the encoder's sampling rate, and the prompt around it."""

    prompt: str
    audio: list["Samples"]


@dataclass(frozen=True, kw_only=True)
class ChatSpeechLM(Pretrained):
    """A checkpoint that is used through its own processor, chat template and transformers class."""

    audio_first: bool = True
    """Audio before the instruction in the user's turn; false: after it."""

    @classmethod
    def option_for(cls, described: Mapping[str, Any]) -> str | None:
        """The option of `conf/model` that suits a checkpoint with this config.json; None where this class does not.

        Only families that have an option of their own are named.
        """
        return {"audioflamingo3": "audio_flamingo_3", "glmasr": "glm_asr_nano"}.get(str(described.get("model_type")))

    def prepare(self, example: "Example") -> PreparedChat:
        """Read and check one example's audio (16 kHz mono clips); runs in data-loader workers, raises AudioError.

        Features are left to `encode`, since their padding differs from family to family.
        """
        from fastadasp.data.audio import pad_to

        least = round(_LEAST_SECONDS * self.processor.feature_extractor.sampling_rate)
        audio = [pad_to(samples, least) for samples in self.read(example)]
        return self._prompted(example, audio)

    def _prompted(self, example: "Example", audio: "list[Samples]") -> PreparedChat:
        """`audio` with the prompt that the chat template makes around it."""
        content = [*({"type": "audio"} for _ in audio), {"type": "text", "text": self.wording(example)}]
        prompt = self.render(content if self.audio_first else [content[-1], *content[:-1]], len(audio))
        return PreparedChat(prompt, audio)

    def check(self, examples: Sequence["Example"]) -> None:
        """Refuse several audio files in a prompt where the processor takes but one, by trying them as silence."""
        import numpy as np

        most = max(examples, key=lambda example: len(example.audio), default=None)
        if most is None or len(most.audio) < 2:
            return
        silence = np.zeros(self.processor.feature_extractor.sampling_rate, np.float32)
        single, several = (self._prompted(most, [silence] * count) for count in (1, len(most.audio)))
        try:
            taken = self.prompt_tokens(several)[0] > self.prompt_tokens(single)[0]
            reason = "it leaves all but one out"
        except (ValueError, TypeError, IndexError, KeyError, RuntimeError) as error:
            taken, reason = False, str(error).split("\n")[0]
        if not taken:
            raise ConfigError(
                f"example {most.id} has {len(most.audio)} audio files, but {self.path} takes one in a prompt "
                f"({reason}); join the files into one, or give each a line of its own"
            )

    def prompt_tokens(self, prepared: PreparedChat) -> tuple[int, int]:
        """Audio tokens and all other tokens of one prompt; needs no weights."""
        return self.count(self._process([prepared])["input_ids"])

    def encode(self, prepared: Sequence[PreparedChat]) -> "BatchFeature":
        """A left-padded batch of prompts with features, on the model's device."""
        return self._process(prepared).to(self.model.device, self.model.dtype)

    def _process(self, prepared: Sequence[PreparedChat]) -> "BatchFeature":
        return self.processor(
            text=[item.prompt for item in prepared],
            audio=[samples for item in prepared for samples in item.audio],
            sampling_rate=self.processor.feature_extractor.sampling_rate,
            # The template has written the special tokens already.
            text_kwargs={"padding": True, "padding_side": "left", "add_special_tokens": False},
            return_tensors="pt",
        )
