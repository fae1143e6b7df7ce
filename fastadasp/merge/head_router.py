"""HeadRouter: tokens are chosen by attention heads that suit the kind of audio (arXiv 2604.23717)."""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.files.json_text import JsonError, read_json
from fastadasp.files.records import record
from fastadasp.files.text import FileError, home
from fastadasp.merge.frame import evenly_spaced
from fastadasp.reduction.method import MergeMethod, Schedule, check_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class Routing:
    """The result of the calibration of one layer of one model (`fastadasp heads`)."""

    layer: int
    """Index of the decoder layer that was calibrated."""
    centroids: dict[str, float]
    """For each profile (`semantic`, `acoustic`, `uniform`): the mean spread over heads of its calibration clips."""
    weights: dict[str, list[float]]
    """For each profile: the weights of the heads, which sum to 1."""
    width: float
    """Standard deviation of the Gaussian around a centroid: the smaller, the faster the weight of a profile falls."""

    @property
    def heads(self) -> int:
        """Number of query heads of the layer."""
        return len(next(iter(self.weights.values())))


@cache
def read_routing(path: str) -> Routing:
    """The routing saved at `path`; ConfigError if it is none."""
    try:
        routing = record(Routing, read_json(home(Path(path))))
        if routing.centroids.keys() != routing.weights.keys() or len(set(map(len, routing.weights.values()))) != 1:
            raise JsonError("centroids and weights must have the same profiles, and weights as many heads in each")
        if not routing.width > 0:
            raise JsonError(f"width must be above 0, got {routing.width}")
        return routing
    except (FileError, JsonError) as error:
        raise ConfigError(
            f"merge.routing={path} cannot be read ({error}); it must be a file that `fastadasp heads` "
            "has written, or null for heads that count alike"
        ) from error


@dataclass(frozen=True)
class HeadRouter(MergeMethod):
    """Keep the audio tokens that the text of the prompt attends to, with weights of the heads that depend on the audio.

    Let p_h be the softmax over audio tokens of q k / sqrt(d), with queries and keys before the rotation, averaged over
    text tokens. The selectivity of head h is 1 - H(p_h) / log n, where H is the entropy. The standard deviation s of
    the selectivities over heads says how near the audio is to each calibrated profile c: alpha_c ~ exp(-(s -
    centroid_c)^2 / (2 width^2)). Tokens are ranked by sum_h w_h p_h with w = sum_c alpha_c weights_c. The paper prunes
    at layer 2 by the attention of layer 1; this is `layer=1` here, as for FastV.

    [recon] The softmax, the entropy and the standard deviation interpret an incomplete description, and the calibrated
    numbers are not published. As in the paper, Frame thins the audio out first; its rate is ours (`prefilter`).
    """

    routing: str | None = None
    """A file that `fastadasp heads` wrote for this model and layer; null gives all heads the same weight."""
    prefilter: float = 0.5
    """Share of the removed tokens that Frame removes before the heads choose, between 0 and 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("merge.prefilter", self.prefilter, "it is the share of the removal that is by even spacing")
        if self.routing is not None:
            read_routing(self.routing)
            if self.schedule is not Schedule.once:
                raise ConfigError(
                    f"merge.routing={self.routing} was calibrated for one layer, but merge.schedule="
                    f"{self.schedule.name} reduces at many; set merge.schedule=once, or merge.routing=null for heads "
                    "that count alike"
                )

    def assign(self, state: "LayerState") -> "Assignment":
        """Keep the tokens that the weighted heads attend to."""
        from fastadasp.ops.assignment import choose_top

        for row, (tokens, audio) in enumerate(zip(state.layout.tokens, state.layout.audio, strict=True)):
            if audio == tokens:
                raise ValueError(
                    f"HeadRouter keeps what the prompt's text looks at, but row {row} of the batch has no text; put an "
                    "instruction there, or choose another method"
                )
        first = [n - int(gone * self.prefilter) for n, gone in zip(state.layout.audio, state.n_remove, strict=True)]
        probe_BHT = text_to_audio(state)
        importance_BT = (self.head_weights(state, probe_BHT)[..., None] * probe_BHT).sum(1)
        return state.keep_only(choose_top(importance_BT, evenly_spaced(state, first), state.n_keep))

    def head_weights(self, state: "LayerState", probe_BHT: "Tensor") -> "Tensor":
        """(B or 1, H) or (1, 1) float32: the weight of each head."""
        if self.routing is None:
            return probe_BHT.new_ones(1, 1)
        routing, heads = read_routing(self.routing), probe_BHT.shape[1]
        if routing.layer != state.layer or routing.heads != heads:
            raise ConfigError(
                f"merge.routing={self.routing} is for layer {routing.layer} of a model with {routing.heads} heads, but "
                f"this is layer {state.layer} of one with {heads}; calibrate again, or set merge.layer"
            )
        import torch

        from fastadasp.ops.layout import upload

        names = list(routing.centroids)
        centroid_C = upload(torch.tensor([routing.centroids[name] for name in names]), probe_BHT.device)
        weight_CH = upload(torch.tensor([routing.weights[name] for name in names]), probe_BHT.device)
        distance_BC = (spread(probe_BHT, state.layout.audio)[:, None] - centroid_C) / routing.width
        return (distance_BC.square() / -2).softmax(1) @ weight_CH


def text_to_audio(state: "LayerState") -> "Tensor":
    """(B, H, T) float32: how a head's text queries divide their attention over the audio on average; 0 elsewhere."""
    from fastadasp.ops.groups import gather_columns

    hull, text_BT = state.layout.hull, ~state.audio_BT
    if state.real_BT is not None:
        text_BT = text_BT & state.real_BT
    counts = [tokens - audio for tokens, audio in zip(state.layout.tokens, state.layout.audio, strict=True)]
    column_BM, real_BM = gather_columns(text_BT, counts)
    query_BHTd, key_BGNd = state.unrotated_queries_BHTd, state.unrotated_keys_BGTd[:, :, hull]
    heads, groups, channels = query_BHTd.shape[1], key_BGNd.shape[1], query_BHTd.shape[3]
    query_BHMd = query_BHTd.gather(2, column_BM[:, None, :, None].expand(-1, heads, -1, channels))
    grouped = query_BHMd.reshape(len(column_BM), groups, -1, channels).float()
    scores = (grouped @ key_BGNd.float().transpose(2, 3)).view(len(column_BM), heads, -1, key_BGNd.shape[2])
    scores_BHMN = state.score_shape.capped(scores.mul_(state.scaling)).masked_fill(
        ~state.audio_BT[:, None, None, hull], float("-inf")
    )
    weight_BM = real_BM.float() / real_BM.sum(1, keepdim=True).clamp_min(1)
    probe_BHN = (scores_BHMN.softmax(-1) * weight_BM[:, None, :, None]).sum(2)
    return state.from_hull(probe_BHN.nan_to_num(0.0))  # rows without audio


def spread(probe_BHT: "Tensor", audio: "Sequence[int]") -> "Tensor":
    """(B,) standard deviation over heads of 1 - H(p_h) / log n, n being the row's audio tokens."""
    import torch

    from fastadasp.ops.layout import upload

    entropy_BH = -(probe_BHT * probe_BHT.clamp_min(1e-30).log()).sum(-1)
    most_B1 = upload(torch.tensor([math.log(max(2, count)) for count in audio]), probe_BHT.device)[:, None]
    return (1 - entropy_BH / most_B1).std(1, correction=0)
