"""One full pass through a decoder, and passes that branch off from it at a layer.

B rows (left-padded), T columns, S columns after a reduction, D channels.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from fastadasp.engine.decoder import find_decoder
from fastadasp.engine.merging import MergeTrace, merging
from fastadasp.engine.patch import replaced_forward
from fastadasp.engine.valid_frames import valid_frames
from fastadasp.reduction.method import MergeMethod


@dataclass
class Recording:
    """A batch of prompts as the decoder read it, with full tokens."""

    decoder: Any
    audio_BT: Tensor
    call: dict[str, Any] = field(default_factory=dict)
    """Arguments of the decoder's forward pass."""
    entering: list[Tensor] = field(default_factory=list)
    """(B, T, D) for each layer: what it gets."""
    final_BTD: Tensor = field(default_factory=lambda: torch.zeros(0))
    """What leaves the decoder, final norm included."""

    @classmethod
    def of(cls, model: Any, inputs: Mapping[str, Any], audio_BT: Tensor) -> "Recording":
        """Run `model` on a batch of `inputs`: the audio encoder runs this once, and so does every layer."""
        recording = cls(find_decoder(model), audio_BT)
        with ExitStack() as undo:
            for layer in recording.decoder.layers:
                hook = layer.register_forward_pre_hook(recording._note_layer, with_kwargs=True)
                undo.callback(hook.remove)
            for hook in (
                recording.decoder.register_forward_pre_hook(recording._note_call, with_kwargs=True),
                recording.decoder.register_forward_hook(recording._note_final),
            ):
                undo.callback(hook.remove)
            undo.enter_context(valid_frames(model))
            model(**inputs, use_cache=False)
        return recording

    def _note_call(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.call = {**kwargs, "past_key_values": None, "use_cache": False}

    def _note_layer(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.entering.append(args[0] if args else kwargs["hidden_states"])

    def _note_final(self, _: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self.final_BTD = output.last_hidden_state

    def reduced(self, method: MergeMethod) -> tuple[Tensor, Tensor, MergeTrace]:
        """What leaves the decoder under `method`, (B, S, D), which of it is audio, (B, S), and the trace.

        Only the layers from `method.layer` on run: the ones before it would do what they did.
        """
        with (
            merging(self.decoder, method, self.audio_BT, keep_assignments=True) as trace,
            self._from_layer(method.layer),
        ):
            final_BSD = self.decoder(**self.call).last_hidden_state
        audio_BS = self.audio_BT
        for layer in sorted(trace.assignments):
            audio_BS = pad(audio_BS, (0, 1)).gather(1, trace.assignments[layer].first)
        return final_BSD, audio_BS, trace

    @contextmanager
    def _from_layer(self, layer: int) -> Iterator[None]:
        """Let the layers before `layer` pass on what the recording holds."""
        with ExitStack() as undo:
            for index in range(layer):
                after_BTD = self.entering[index + 1]
                skipped = self.decoder.layers[index]
                undo.enter_context(replaced_forward(skipped, lambda *_, after_BTD=after_BTD, **__: after_BTD))
            yield
