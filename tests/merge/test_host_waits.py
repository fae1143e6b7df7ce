"""Methods decide without waiting for the device, also where rows differ."""

from pathlib import Path

import pytest
import torch

from fastadasp.merge.head_router import HeadRouter
from fastadasp.ops.encoder_attention import EncoderAttention
from fastadasp.reduction.method import Site
from tests.helpers.configs import METHODS, composed_method
from tests.helpers.host_waits import HostWaitError, no_host_waits
from tests.helpers.method_states import HEADS, input_state, layer_state

ROUTING = (
    '{"layer": 1, "centroids": {"semantic": 0.03, "uniform": 0.05}, "width": 0.02, '
    f'"weights": {{"semantic": {[0.7, 0.1, 0.1, 0.1]}, "uniform": {[1 / HEADS] * HEADS}}}}}'
)
COMPOSED = {"none", "chain"}
"""Methods that decide nothing themselves."""
WAITS = {"samp"}
"""Methods that must ask the device how many clusters their threshold gives before they choose among them."""


@pytest.mark.parametrize("rows", [((4, 30, 6), (5, 30, 5)), ((4, 30, 6), (3, 51, 2))], ids=["alike", "padded"])
@pytest.mark.parametrize("name", sorted(set(METHODS) - COMPOSED - WAITS))
def test_a_decision_waits_for_nothing(name: str, rows: tuple[tuple[int, ...], ...]) -> None:
    method = composed_method(f"merge={name}", "merge.ratio=0.5").at_depth(4)
    for stage in method.stages():
        state = input_state(0.5, rows=rows) if stage.site is Site.input else layer_state(0.5, rows=rows)
        with no_host_waits():
            stage.assign(state)


@pytest.mark.parametrize("name", sorted(WAITS))
def test_the_exceptions_do_wait(name: str) -> None:
    with pytest.raises(HostWaitError), no_host_waits():
        composed_method(f"merge={name}", "merge.ratio=0.5").assign(input_state(0.5))


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
