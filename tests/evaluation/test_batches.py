"""Batches are planned over the whole run, whatever has been done of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastadasp.data.audio import AudioError
from fastadasp.evaluation.batches import PreparedBatches, plan
from fastadasp.tasks.base import Example


def example(id: str, seconds: float = 1.0) -> Example:
    return Example(id=id, audio=(Path(f"{id}.wav"),), instruction="", reference="", seconds=seconds)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.integers(1, 8), st.data())
def test_a_resumed_plan_is_the_whole_plan_without_what_is_done(
    lengths: list[float], size: int, data: st.DataObject
) -> None:
    examples = [example(str(number), seconds) for number, seconds in enumerate(lengths)]
    whole = plan(examples, size)
    assert sorted(item.id for batch in whole for item in batch.examples) == sorted(item.id for item in examples)
    assert all(len(batch.examples) == size for batch in whole[:-1])
    in_order = [item.seconds for batch in whole for item in batch.examples]
    assert in_order == sorted(in_order, reverse=True)
    done = data.draw(st.sets(st.sampled_from([item.id for item in examples])))
    resumed = {batch.index: batch.examples for batch in plan(examples, size, done)}
    for batch in whole:
        left = tuple(item for item in batch.examples if item.id not in done)
        assert resumed.pop(batch.index, ()) == left
    assert not resumed


def test_unreadable_audio_fails_alone_and_other_errors_are_not_hidden() -> None:
    def prepare(item: Example) -> str:
        if item.id == "bad":
            raise AudioError("bad.wav is empty")
        return item.id.upper()

    (batch,) = PreparedBatches(plan([example("a"), example("bad"), example("c")], 3), prepare)  # type: ignore[misc]
    assert [prepared for _, prepared in batch.ready] == ["A", "C"]
    assert [(item.id, error) for item, error in batch.failed] == [("bad", "bad.wav is empty")]

    def broken(item: Example) -> str:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        PreparedBatches(plan([example("a")], 1), broken)[0]


@given(st.lists(st.tuples(st.floats(0, 60), st.integers(1, 400)), min_size=1, max_size=40), st.integers(1, 1000))
def test_a_budget_of_tokens_fills_batches_as_far_as_it_goes(lengths: list[tuple[float, int]], budget: int) -> None:
    sizes = {str(number): size for number, (_, size) in enumerate(lengths)}
    examples = [example(str(number), seconds) for number, (seconds, _) in enumerate(lengths)]
    whole = list(plan(examples, 3, tokens=budget, expected=lambda item: sizes[item.id]))

    def padded(items: list[Example]) -> int:
        return len(items) * max(sizes[item.id] for item in items)

    for batch, following in zip(whole, [*whole[1:], None], strict=True):
        assert len(batch.examples) == 1 or padded(list(batch.examples)) <= budget
        if following is not None:
            assert padded([*batch.examples, following.examples[0]]) > budget, "no example waits while there is room"
    in_order = [(-item.seconds, item.id) for batch in whole for item in batch.examples]
    assert in_order == sorted(in_order) and len(in_order) == len(examples)


def test_a_plan_tells_where_a_batch_of_the_whole_run_stands_among_those_left() -> None:
    found = plan([example(str(number)) for number in range(10)], 2, done={"0", "1", "4", "6", "7"})
    assert found.total == 5 and [batch.index for batch in found] == [1, 2, 4]
    assert [found.position_of(index) for index in range(6)] == [None, 0, 1, None, 2, None]
    assert [item.id for item in found[1].examples] == ["5"] and found[-1].index == 4 and len(found[0:2]) == 2
    assert len(plan([], 2)) == plan([], 2).total == 0
