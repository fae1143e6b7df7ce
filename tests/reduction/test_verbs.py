"""The verbs of a state: their names, and that each says what it does to how many tokens."""

import re
from dataclasses import replace

import pytest
import torch

from fastadasp.config.paths import REPOSITORY
from fastadasp.reduction.state import LayerState, State
from fastadasp.reduction.verbs import RENAMED, Verbs
from tests.helpers.method_states import layer_state


@pytest.mark.parametrize("earlier", sorted(RENAMED))
def test_a_name_of_version_0_1_leads_to_the_present_one(earlier: str) -> None:
    state = layer_state(0.5)
    present = RENAMED[earlier].split()[0]
    assert hasattr(state, present)
    assert not hasattr(state, earlier), "no verb has two names"
    with pytest.raises(AttributeError, match=rf"LayerState\.{earlier} is called {present}"):
        getattr(state, earlier)


def test_a_state_tells_what_it_lacks_and_hides_no_error_of_a_property() -> None:
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = layer_state(0.5).nothing_such

    class Failing(LayerState):
        @property
        def score(self) -> float:
            return self.missing.value

    state = layer_state(0.5)
    object.__setattr__(state, "__class__", Failing)
    with pytest.raises(AttributeError, match="missing"):
        _ = state.score


def test_the_guide_lists_every_verb() -> None:
    guide = (REPOSITORY / "docs" / "add-a-method.md").read_text()
    listed = set(re.findall(r"^\| `state\.(\w+)\(", guide, re.M))
    verbs = {
        name for kind in (Verbs, State, LayerState) for name in vars(kind) if re.match("(keep|drop|fuse|evict)_", name)
    }
    assert listed == verbs


def test_top_and_bottom_remove_what_the_state_asks_for() -> None:
    state = layer_state(0.5)
    score = torch.rand(state.audio_BT.shape)
    kept, dropped = state.keep_top(score), state.drop_top(-score)
    assert torch.equal(kept.slot, dropped.slot), "what stays is what has the largest scores, said either way"
    assert kept.lengths == state.tokens_left(state.n_remove)
    assert [a + b for a, b in zip(state.n_keep, state.n_remove, strict=True)] == list(state.layout.audio)


def test_pairs_ahead_of_the_schedule_go_as_far_as_is_affordable() -> None:
    state = layer_state(0.2)
    score = torch.rand(state.audio_BT.shape)
    everything = torch.ones_like(state.pair_BT)
    due = state.fuse_best_pairs(score)
    assert torch.equal(state.fuse_best_pairs(score, early_BT=everything).slot, due.slot), "nothing more is affordable"
    ahead = replace(state, affordable=state.layout.pairs).fuse_best_pairs(score, early_BT=everything)
    assert torch.equal(ahead.slot, state.fuse_pairs(state.pair_BT).slot), "all pairs are"
