"""How much of the LoRA weights an instruction wants: the prompt adapter of WavLLM's second stage.

U instructions, P tokens, D channels.
"""

from typing import Any

from torch import Tensor, nn


class PromptGate(nn.Module):
    """One number for each channel of the decoder, from what its own layers make of the instruction."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        size = config.text_config.hidden_size
        self.fc_1 = nn.Linear(size, config.gate_size)
        self.fc_2 = nn.Linear(config.gate_size, size)
        self.attention = nn.Linear(size, 1)
        self.limit = config.gate_limit

    def forward(self, hidden_UPD: Tensor, real_UP: Tensor) -> Tensor:
        """(U, D), from 0 to `limit`.

        hidden_UPD: what leaves the decoder's last layer, without its final norm; real_UP: False on padding.
        """
        scale_UPD: Tensor = self.fc_2(nn.functional.gelu(self.fc_1(hidden_UPD)))
        score_UP1: Tensor = self.attention(scale_UPD).masked_fill(~real_UP[..., None], float("-inf"))
        return (scale_UPD * score_UP1.softmax(1)).sum(1).relu().clamp(max=self.limit)
