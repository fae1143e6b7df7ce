"""Tokens that enter the decoder at a middle layer, as if the layers before it had recognised them in audio.

What is learnt from written passages settles in the first layers, where audio has no words yet: spoken questions were
answered far worse than written ones (experiments/results/tiny). Tokens that only later layers see must be looked up
where audio can be, too.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Qwen2AudioForConditionalGeneration

from experiments.training.tiny.batches import IGNORED


class LateTokens:
    """Adds to the input of one layer what the CTC head there would read as the given tokens."""

    def __init__(self) -> None:
        self.length = 16.0
        """Mean length of the states of audio positions there, so that both look alike; measured while training."""
        self._added_BTD: Tensor | None = None

    def set(self, network: Qwen2AudioForConditionalGeneration, late_BT: Tensor) -> None:
        """The tokens (B, T) of the next forward pass, IGNORED where nothing enters; no gradient goes through them."""
        chosen_BT = late_BT != IGNORED
        self._added_BTD = None
        if not chosen_BT.any():
            return
        with torch.no_grad():
            weights_VD = network.lm_head.weight.float() / network.model.language_model.norm.weight.float()
            added_ND = nn.functional.normalize(weights_VD[late_BT[chosen_BT]], dim=-1) * self.length
            noise_ND = torch.randn_like(added_ND) * self.length / added_ND.shape[-1] ** 0.5
            added_ND = added_ND * torch.empty(len(added_ND), 1).uniform_(0.5, 1.0) + 0.5 * noise_ND
            self._added_BTD = added_ND.new_zeros(*late_BT.shape, added_ND.shape[-1])
            self._added_BTD[chosen_BT] = added_ND

    @torch.no_grad()
    def measure(self, audio_ND: Tensor) -> None:
        """Follow the length of audio positions' states."""
        if len(audio_ND):
            self.length += 0.05 * (float(audio_ND.float().norm(dim=-1).mean()) - self.length)

    def enter(self, layer: nn.Module) -> None:
        """Let the tokens in before `layer`, outside of what is compiled of it."""
        inner: Callable[..., Any] = layer._compiled_call_impl or layer._call_impl  # type: ignore[assignment]

        def call(hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
            added = self._added_BTD
            return inner(hidden_states if added is None else hidden_states + added, *args, **kwargs)

        layer._compiled_call_impl = call
