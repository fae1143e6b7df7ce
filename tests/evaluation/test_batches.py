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
