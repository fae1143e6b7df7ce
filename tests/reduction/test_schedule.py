"""Token counts per layer against the released code's figures, and the solver that `ratio` stands on."""

from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastadasp.errors import ConfigError
from fastadasp.merge.average import Average
from fastadasp.merge.fastadasp import FastAdaSP
from fastadasp.merge.none import NoReduction
from fastadasp.reduction.method import MergeMethod, Positions, Schedule
from fastadasp.reduction.schedule import Plan, layer_ratios, overall_ratio, solve_layer_ratio


def test_once_halves_after_its_layer() -> None:
    assert Plan.of(Average(ratio=0.5), 32).audio_tokens(750) == (750,) * 3 + (375,) * 30


@pytest.mark.parametrize(
    ("schedule", "start", "end"),
    [
        ("constant", (750, 750, 750, 675, 608, 548, 494, 445), 37),
        ("decay", (750, 750, 750, 675, 610, 554, 505, 462), 168),
    ],
)
def test_the_released_ratio_acts_on_what_is_left(schedule: str, start: tuple[int, ...], end: int) -> None:
    counts = Plan.of(Average(layer_ratio=0.1, schedule=Schedule[schedule]), 32).audio_tokens(750)
    assert counts[: len(start)] == start
    assert counts[-1] == end


def test_decay_reaches_zero_at_the_last_layer() -> None:
    assert layer_ratios(Schedule.decay, 0.4, 1, 6) == pytest.approx((0, 0.4, 0.3, 0.2, 0.1, 0))
    assert layer_ratios(Schedule.decay, 0.4, 5, 6) == pytest.approx((0, 0, 0, 0, 0, 0.4))


def test_early_fades_with_the_sixth_power_of_the_depth_that_is_left() -> None:
    expected = (0, 0.4, 0.4 * 0.75**6, 0.4 * 0.5**6, 0.4 * 0.25**6, 0)
    assert layer_ratios(Schedule.early, 0.4, 1, 6) == pytest.approx(expected)


@given(
    schedule=st.sampled_from(list(Schedule)),
    ratio=st.floats(0, 0.99),
    layer=st.integers(0, 11),
    depth=st.integers(0, 30),
)
def test_the_solved_ratio_removes_what_was_asked_for(schedule: Schedule, ratio: float, layer: int, depth: int) -> None:
    layers = layer + 1 + depth
    solved = solve_layer_ratio(schedule, ratio, layer, layers)
    assert overall_ratio(layer_ratios(schedule, solved, layer, layers), layer) == pytest.approx(ratio, abs=1e-9)


@given(
    schedule=st.sampled_from([Schedule.constant, Schedule.decay, Schedule.early]),
    ratio=st.floats(0, 0.9),
    layer=st.integers(0, 10),
    audio=st.integers(0, 800),
)
def test_counts_meet_the_ratio_also_for_short_audio(schedule: Schedule, ratio: float, layer: int, audio: int) -> None:
    counts = Plan.of(Average(ratio=ratio, layer=layer, schedule=schedule), 24).audio_tokens(audio)
    assert all(before - after >= 0 for before, after in pairwise(counts))
    assert audio == 0 or min(counts) >= 1
    after = counts[layer + 1 : 24]
    removed = audio - sum(after) / len(after)
    assert removed == pytest.approx(audio * ratio, abs=1.01)


@pytest.mark.parametrize("audio", [1, 9, 10, 29, 100, 750])
@pytest.mark.parametrize("ratio", [0.1, 0.29, 0.3, 0.5, 0.99])
def test_once_truncates_as_the_released_code_does(audio: int, ratio: float) -> None:
    assert Plan.of(Average(ratio=ratio), 8).audio_tokens(audio)[-1] == audio - int(audio * ratio)


def test_a_ratio_of_zero_plans_nothing() -> None:
    for schedule in Schedule:
        plan = Plan.of(Average(ratio=0.0, schedule=schedule), 8)
        assert plan.first is None
        assert plan.audio_tokens(50) == (50,) * 9


def test_members_may_be_given_by_name() -> None:
    method = FastAdaSP(ratio=0.3, schedule="decay", positions="original")  # type: ignore[arg-type]
    assert (method.schedule, method.positions) == (Schedule.decay, Positions.original)


@dataclass(frozen=True)
class Case:
    settings: dict[str, object]
    message: str
    method: type[MergeMethod] = FastAdaSP


@pytest.mark.parametrize(
    "case",
    [
        Case({"ratio": 1.5}, r"merge\.ratio must lie in \[0, 1\), got 1\.5; it is the share of audio tokens removed"),
        Case({"ratio": -0.1}, r"merge\.ratio must lie in \[0, 1\), got -0\.1"),
        Case({"ratio": float("nan")}, r"merge\.ratio must lie in \[0, 1\), got nan"),
        Case({"layer_ratio": 1.0}, r"merge\.layer_ratio must lie in \[0, 1\), got 1\.0"),
        Case({"ratio": 0.3, "layer_ratio": 0.1}, r"merge\.ratio=0\.3 and merge\.layer_ratio=0\.1 exclude each other"),
        Case({"layer": -1}, r"merge\.layer must be a whole number from 0 up, got -1"),
        Case({"layer": True}, r"merge\.layer must be a whole number from 0 up, got True"),
        Case({"seed": -1}, r"merge\.seed must be a whole number from 0 up, got -1"),
        Case({"schedule": "constnat"}, r"merge\.schedule must be one of once, constant, decay, early; got 'constnat'"),
        Case({"positions": "packd"}, r"merge\.positions must be one of packed, original; got 'packd'"),
        Case({"ratio": 0.3}, r"merge=none removes nothing: merge\.ratio must be 0", NoReduction),
    ],
    ids=lambda case: str(case.settings),
)
def test_a_setting_out_of_range_is_named(case: Case) -> None:
    with pytest.raises(ConfigError, match=case.message):
        case.method(**case.settings)  # type: ignore[arg-type]


def test_a_layer_that_the_model_lacks_is_named() -> None:
    with pytest.raises(ConfigError, match=r"merge\.layer must lie in \[0, 11\], got 40: the model has 12 layers"):
        Plan.of(FastAdaSP(ratio=0.3, layer=40), 12)


@given(
    schedule=st.sampled_from([Schedule.constant, Schedule.decay, Schedule.early]),
    amount=st.sampled_from(["ratio", "layer_ratio"]),
    share=st.floats(0, 0.6),
    layer=st.integers(0, 5),
    audio=st.integers(1, 400),
    chance=st.randoms(use_true_random=False),
)
def test_whatever_goes_early_the_layers_read_as_much_as_planned(
    schedule: Schedule, amount: str, share: float, layer: int, audio: int, chance: Random
) -> None:
    """At each layer anything from what is due to what is affordable goes; one token a layer is lost to rounding."""
    method = Average(layer=layer, schedule=schedule)
    plan = Plan.of(replace(method, **{amount: share}), 12)
    planned, entered = plan.audio_tokens(audio), [audio]
    for index in range(12):
        most = plan.affordable(index, entered)
        due = plan.n_remove(index, audio, entered[-1])
        if entered == list(planned[: index + 1]):
            assert most >= due
        gone = chance.randint(min(due, most), most) if index >= layer else 0
        entered.append(entered[-1] - gone)
    assert 0 <= sum(entered[:12]) - sum(planned[:12]) < 12
