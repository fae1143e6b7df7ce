"""What methods decide by, with random numbers in it, for oracles that look at one row at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from fastadasp.ops.assignment import Assignment
from fastadasp.ops.layout import Layout
from fastadasp.reduction.state import DecoderParts, InputState, LayerState

CHANNELS, HEADS, GROUPS, HEAD_DIM = 12, 4, 2, 6
ROWS = ((3, 21, 4), (5, 34, 2), (2, 9, 3, 14, 5), (7, 1, 6), (9,))
"""Text, audio, text, ... of each row: unlike lengths, two clips, a single token, and no audio."""


class RandomEncoder:
    """Stands for what the audio encoder says of each token."""

    def __init__(self, audio_BT: Tensor) -> None:
        shape = audio_BT.shape
        kinds = ("received max", "received mean", "own max", "own mean")
        self.scores = {kind: torch.rand(shape) * audio_BT for kind in kinds}
        self.keys_BTd = torch.randn(*shape, HEAD_DIM) * audio_BT[..., None]

    def received_BT(self, heads: str) -> Tensor:
        return self.scores[f"received {heads}"]

    def own_BT(self, heads: str) -> Tensor:
        return self.scores[f"own {heads}"]


def masks(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(B, T) audio and real tokens of left-padded rows."""
    width = max(map(sum, rows))
    audio = torch.zeros(len(rows), width, dtype=torch.bool)
    real = torch.zeros_like(audio)
    for index, row in enumerate(rows):
        column = width - sum(row)
        real[index, column:] = True
        for number, length in enumerate(row):
            audio[index, column : column + length] = number % 2 == 1
            column += length
    return audio, real


def common(rows: Sequence[Sequence[int]], ratio: float, seed: int) -> dict[str, object]:
    torch.manual_seed(seed)
    audio, real = masks(rows)
    layout = Layout.of(audio, real)
    norm = nn.RMSNorm(CHANNELS)
    nn.init.normal_(norm.weight)
    projections = torch.randn(HEADS * HEAD_DIM, CHANNELS), torch.randn(GROUPS * HEAD_DIM, CHANNELS)
    parts = DecoderParts(
        projections=lambda: projections,
        head_dim=HEAD_DIM,
        final_norm=norm.requires_grad_(False),
        future_rotary=lambda count: (torch.ones(1, count, HEAD_DIM), torch.zeros(1, count, HEAD_DIM)),
    )
    # Neighbours resemble each other, as in speech.
    hidden = torch.randn(*audio.shape, CHANNELS).cumsum(1)
    return {
        "layer": 1,
        "layout": layout,
        "audio_BT": audio,
        "real_BT": layout.real(audio.device),
        "size_BT": torch.randint(1, 4, audio.shape).float(),
        "n_remove": tuple(int(count * ratio) for count in layout.audio),
        "hidden_BTD": hidden,
        "decoder": parts,
    }


def layer_state(ratio: float, seed: int = 0, rows: Sequence[Sequence[int]] = ROWS) -> LayerState:
    shared = common(rows, ratio, seed)
    width = shared["audio_BT"].shape[1]
    output_HdD = torch.randn(HEADS, HEAD_DIM, CHANNELS)
    angle = torch.arange(width)[None, :, None] * torch.rand(HEAD_DIM // 2).repeat(2)
    return LayerState(
        **shared,
        queries_BHTd=torch.randn(len(rows), HEADS, width, HEAD_DIM),
        keys_BGTd=torch.randn(len(rows), GROUPS, width, HEAD_DIM),
        values_BGTd=torch.randn(len(rows), GROUPS, width, HEAD_DIM),
        scaling=HEAD_DIM**-0.5,
        rotary=(angle.cos(), angle.sin()),
        head_output=lambda head, value_BTd: value_BTd @ output_HdD[head],
    )


def input_state(ratio: float, seed: int = 0, rows: Sequence[Sequence[int]] = ROWS) -> InputState:
    shared = common(rows, ratio, seed)
    encoder = RandomEncoder(shared["audio_BT"])
    return InputState(**shared, attend_encoder=lambda: encoder)


@dataclass
class Row:
    """One row as an oracle sees it: no padding, and the columns of its audio."""

    state: LayerState | InputState
    index: int

    @property
    def columns(self) -> slice:
        return slice(self.state.layout.width - self.state.layout.tokens[self.index], None)

    def of(self, x: Tensor) -> Tensor:
        """This row of a (B, T, ...) tensor."""
        return x[self.index, self.columns]

    def heads(self, x: Tensor) -> Tensor:
        """This row of a (B, H, T, d) tensor."""
        return x[self.index, :, self.columns]

    @cached_property
    def audio(self) -> list[int]:
        return self.of(self.state.audio_BT).nonzero().flatten().tolist()

    @property
    def question(self) -> list[int]:
        tokens = self.state.layout.tokens[self.index]
        return list(range(self.audio[-1] + 1, tokens)) if self.audio else []

    @property
    def gone(self) -> int:
        return self.state.n_remove[self.index]

    def run(self, token: int) -> int:
        """A number that the tokens of one run share."""
        audio = set(self.audio)
        return sum(t in audio and t - 1 not in audio for t in range(token + 1))

    def groups(self, assignment: Assignment) -> list[list[int]]:
        """Which tokens became one, in output order; text included, dropped tokens not."""
        slots = self.of(assignment.slot).tolist()
        assert assignment.lengths[self.index] == max(slots) + 1
        return [[t for t, slot in enumerate(slots) if slot == number] for number in range(max(slots) + 1)]

    def kept_audio(self, assignment: Assignment) -> list[int]:
        """For methods that drop: which audio tokens are left."""
        groups = self.groups(assignment)
        assert all(len(group) == 1 for group in groups)
        return [group[0] for group in groups if group[0] in self.audio]


def rows_of(state: LayerState | InputState) -> list[Row]:
    return [Row(state, index) for index in range(len(state.layout.tokens))]


def dot(x: Tensor, y: Tensor) -> float:
    """Cosine of two vectors."""
    return float(x @ y / (x.norm() * y.norm()))


Scores = Mapping[int, float] | Sequence[float]
"""By token."""


def best(candidates: Sequence[int], count: int, scores: Scores) -> list[int]:
    """The `count` candidates with the largest scores, of equal ones the first, in order."""
    return sorted(sorted(candidates, key=lambda t: (-scores[t], t))[:count])


def joined(row: Row, pairs: list[int]) -> list[list[int]]:
    """Groups of all tokens once t and t + 1 are fused for each t in `pairs`."""
    groups: list[list[int]] = []
    for token in range(row.state.layout.tokens[row.index]):
        if token - 1 in pairs:
            groups[-1].append(token)
        else:
            groups.append([token])
    return groups
