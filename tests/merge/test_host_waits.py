"""Methods decide without waiting for the device, also where rows differ."""

from pathlib import Path

import pytest
import torch

from fastadasp import AffinityPooling, DeepAffinityPooling
from fastadasp.merge.cdpruner import CDPruner
from fastadasp.merge.divprune import DivPrune
from fastadasp.merge.frame import Frame
from fastadasp.merge.h2o import H2O
from fastadasp.merge.head_router import HeadRouter
from fastadasp.merge.knorm import Knorm
from fastadasp.merge.segment_topk import SegmentTopK
from fastadasp.merge.stride import Stride
from fastadasp.merge.visionzip import VisionZip
from fastadasp.merge.vispruner import VisPruner
from fastadasp.ops.encoder_attention import EncoderAttention
from fastadasp.reduction.method import MergeMethod, Site
from tests.helpers.host_waits import no_host_waits
from tests.helpers.method_states import HEADS, input_state, layer_state

ROUTING = (
    '{"layer": 1, "centroids": {"semantic": 0.03, "uniform": 0.05}, "width": 0.02, '
    f'"weights": {{"semantic": {[0.7, 0.1, 0.1, 0.1]}, "uniform": {[1 / HEADS] * HEADS}}}}}'
)
METHODS = [
    *(AffinityPooling(0.5), DeepAffinityPooling(0.5), CDPruner(0.5), DivPrune(0.5), Frame(0.5), H2O(0.5)),
    *(HeadRouter(0.5), Knorm(0.5), SegmentTopK(0.5, segments=3), Stride(0.5), VisionZip(0.5), VisPruner(0.5)),
]


@pytest.mark.parametrize("rows", [((4, 30, 6), (5, 30, 5)), ((4, 30, 6), (3, 51, 2))], ids=["alike", "padded"])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_a_decision_waits_for_nothing(method: MergeMethod, rows: tuple[tuple[int, ...], ...]) -> None:
    state = input_state(0.5, rows=rows) if method.site is Site.input else layer_state(0.5, rows=rows)
    with no_host_waits():
        method.assign(state)


def test_routing_waits_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "routing.json"
    path.write_text(ROUTING)
    method, state = HeadRouter(0.5, routing=str(path)), layer_state(0.5)
    with no_host_waits():
        method.assign(state)


@pytest.mark.parametrize("tokens", [(4, 4), (4, 3)], ids=["alike", "unlike"])
def test_reading_the_encoders_attention_waits_for_nothing(tokens: tuple[int, int]) -> None:
    torch.manual_seed(0)
    queries, keys = torch.randn(2, 3, 8, 4), torch.randn(2, 3, 8, 4)
    audio = torch.arange(4) < torch.tensor(tokens)[:, None]
    encoder = EncoderAttention(queries, keys, 0.5, tuple(2 * n for n in tokens), tokens, 2, audio)
    with no_host_waits():
        _ = encoder.received_BT("max"), encoder.own_BT("mean"), encoder.keys_BTd
