"""One loaded model for many runs over the same prompts."""

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from fastadasp.models.base import Generation, Heard, ModelAdapter
from fastadasp.reduction.flops import DecoderShape

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import BatchFeature, PreTrainedModel

    from fastadasp.models.placing import Spread
    from fastadasp.tasks.base import Example


@dataclass(frozen=True, eq=False)
class SharedAdapter(ModelAdapter):
    """Another adapter whose weights, prepared audio and encoder outputs are kept from run to run.

    What comes out is the same; only the encoder's time is missing from what runs measure after the first. All stays in
    memory: about 4 MB for an example, until `forget`. Of an encoder whose last attention a method listens to, that part
    runs anew.
    """

    inner: ModelAdapter
    _prepared: dict[Any, Any] = field(default_factory=dict, init=False)
    _encoded: "dict[str, _Encoded]" = field(default_factory=dict, init=False)
    _placement: "dict[str, str | Spread | None]" = field(default_factory=dict, init=False)

    def __getstate__(self) -> dict[str, Any]:
        """Data-loader workers get the adapter without what is kept."""
        return {"inner": self.inner, "_prepared": {}, "_encoded": {}, "_placement": {}}

    def forget(self) -> None:
        """Drop what is kept of examples, not the weights."""
        self._prepared.clear()
        self._encoded.clear()

    def load(self, *, device: str, dtype: str, attention: str, device_map: "Spread | None" = None) -> "PreTrainedModel":
        """Load processor and weights; afterwards `model` gives the model in eval mode.

        Weights that are loaded already, with the same placement, are kept.
        """
        placement: dict[str, str | Spread | None] = {
            "device": device,
            "dtype": dtype,
            "attention": attention,
            "device_map": device_map,
        }
        if placement != self._placement:
            from fastadasp.engine.encoder import find_encoder
            from fastadasp.engine.remembered import remember

            model = self.inner.load(device=device, dtype=dtype, attention=attention, device_map=device_map)
            self._encoded.clear()
            self._placement.update(placement)
            if (encoder := find_encoder(model)) is not None:
                remember(encoder, partial(self._remembered, encoder))
        return self.inner.model

    def _remembered(
        self, encoder: "nn.Module", compute: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """What the encoder did before when it got the same input.

        Where its last attention is listened to, that part runs on what it got when it was listened to before.
        """
        from fastadasp.engine.remembered import is_listened_to

        key, listened = _digest([*args, *sorted(kwargs.items())]), is_listened_to(encoder)
        attention = encoder.layers[-1].self_attn  # type: ignore[index, union-attr]
        known = self._encoded.get(key)
        if known is None or (listened and known.call is None):
            known = _encode(attention if listened else None, compute, args, kwargs)
            self._encoded[key] = known
        elif listened and known.call is not None:
            attention(*known.call[0], **known.call[1])
        return known.output

    @property
    def model(self) -> "PreTrainedModel":
        """The loaded transformers model."""
        return self.inner.model

    @property
    def shape(self) -> DecoderShape:
        """The decoder's dimensions."""
        return self.inner.shape

    def prepare(self, example: "Example") -> Any:
        """Read and check one example's audio (16 kHz mono clips). Raises AudioError.

        What is read is remembered in this process alone: data-loader workers remember nothing.
        """
        key = (example.task, example.instruction, example.audio, example.reading)
        if key not in self._prepared:
            self._prepared[key] = self.inner.prepare(example)
        return self._prepared[key]

    def heard(self, example: "Example") -> Heard | None:
        """What the audio of an example turned out to be that this process has prepared; None where that is not kept."""
        return self.inner.heard(example)

    def check(self, examples: Sequence["Example"]) -> None:
        """Raise ConfigError where the model cannot take what an example holds; called before weights are loaded."""
        self.inner.check(examples)

    def prompt_tokens(self, prepared: Any) -> tuple[int, int]:
        """Audio tokens and all other tokens of one prompt; needs no weights."""
        return self.inner.prompt_tokens(prepared)

    def expected_tokens(self, example: "Example") -> int:
        """About how many tokens the prompt of an example has, before its audio is read: what batches are planned by."""
        return self.inner.expected_tokens(example)

    def encode(self, prepared: Sequence[Any]) -> "BatchFeature":
        """A left-padded batch of prompts with features, on the model's device."""
        return self.inner.encode(prepared)

    def batch_key(self, prepared: Any) -> Hashable:
        """Prompts may be encoded together where this is equal; as it stands, any may."""
        return self.inner.batch_key(prepared)

    def audio_mask(self, inputs: "BatchFeature") -> "Tensor":
        """(B, T) bool over the prompt as the decoder sees it: which positions are audio."""
        return self.inner.audio_mask(inputs)

    def texts(self, ids: "Tensor") -> list[str]:
        """The texts of generated ids (B, new), without special tokens."""
        return self.inner.texts(ids)

    def answer_ids(self, text: str) -> "Tensor":
        """(N,) int64: the tokens by which the model would give `text` as its answer, without an end token."""
        return self.inner.answer_ids(text)

    def generate(self, inputs: "BatchFeature", generation: Generation) -> tuple["Tensor", list[str]]:
        """Generated ids (B, new) without the prompt, and their texts without special tokens."""
        return self.inner.generate(inputs, generation)


@dataclass(frozen=True)
class _Encoded:
    """What an encoder gave, and what its last attention got where it was listened to: all clips in one call."""

    output: Any
    call: tuple[tuple[Any, ...], dict[str, Any]] | None


def _encode(
    attention: "nn.Module | None", compute: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]
) -> _Encoded:
    """Run `compute`, noting the last call of `attention`."""
    if attention is None:
        return _Encoded(compute(*args, **kwargs), None)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    hook = attention.register_forward_pre_hook(lambda _, *call: calls.append(call), with_kwargs=True)
    try:
        output = compute(*args, **kwargs)
    finally:
        hook.remove()
    return _Encoded(output, calls[-1])


def _digest(values: Sequence[Any]) -> str:
    """Of tensors by shape and content, of all else by what is printed of it."""
    import torch

    digest = hashlib.blake2b()
    todo = list(values)
    while todo:
        value = todo.pop()
        if isinstance(value, tuple):
            todo += value
        elif isinstance(value, torch.Tensor):
            digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()
