"""Positions inside vLLM, against positions counted by hand, whatever the chunks in which a prompt is read."""

import pytest
import torch

from fastadasp.serving.vllm.positions import Clip, corrected_positions, planned_positions, with_places, without_places

AUDIO = 9
PROMPT = [1, 2, *[AUDIO] * 4, 3, *[AUDIO] * 3, 4, 5]
CLIPS = [Clip(first=2, tokens=4, whole=10), Clip(first=7, tokens=3, whole=3)]
PLACES = [[0, 2, 5, 9], [0, 1, 2]]
EXPECTED = [0, 1, 2, 4, 7, 11, 12, 13, 14, 15, 16, 17]
"""Two tokens of text, ten of audio from position 2 on, text at 12, three of audio, text at 16 and 17."""


@pytest.mark.parametrize("step", [1, 2, 3, 5, 12])
def test_a_prompt_read_in_chunks_gets_the_positions_of_the_whole_prompt(step: int) -> None:
    positions, ahead = planned_positions(len(PROMPT), CLIPS)
    assert ahead == 6
    assert [int(positions[0, column]) for column in (0, 1, 6, 10, 11)] == [0, 1, 12, 16, 17]  # text is right at once
    for first in range(0, len(PROMPT), step):
        chunk = range(first, min(first + step, len(PROMPT)))
        places = [
            torch.tensor([place for column, place in enumerate(places, clip.first) if column in chunk])
            for clip, places in zip(CLIPS, PLACES, strict=True)
        ]
        positions, ahead = corrected_positions(
            torch.tensor(PROMPT), AUDIO, [place for place in places if len(place)], positions, first
        )
        assert ahead == 6
    assert positions.tolist() == [EXPECTED] * 3


def test_a_prompt_that_is_read_again_gets_the_same_positions() -> None:
    positions, _ = planned_positions(len(PROMPT), CLIPS)
    places = [torch.tensor(place) for place in PLACES]
    for _ in range(2):  # as after the request was preempted
        positions, _ = corrected_positions(torch.tensor(PROMPT), AUDIO, places, positions, 0)
    assert positions.tolist() == [EXPECTED] * 3


def test_audio_that_a_cache_holds_leaves_the_text_after_it_in_place() -> None:
    planned, _ = planned_positions(len(PROMPT), CLIPS)
    positions, ahead = corrected_positions(torch.tensor(PROMPT), AUDIO, [torch.tensor(PLACES[1])], planned, 7)
    assert positions[0, 6:].tolist() == EXPECTED[6:]
    assert ahead == 6


def test_a_prompt_without_audio_is_numbered_through() -> None:
    positions, ahead = planned_positions(4, [])
    assert positions.tolist() == [[0, 1, 2, 3]] * 3
    assert ahead == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_places_survive_every_number_format(dtype: torch.dtype) -> None:
    place = torch.tensor([0, 1, 127, 128, 257, 16_383, 16_384, 100_001, 2_000_000])
    tokens = torch.randn(len(place), 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    carrying = with_places(tokens, place)
    assert carrying.dtype == dtype
    got, read = without_places(carrying)
    assert torch.equal(got, tokens)
    assert read.tolist() == place.tolist()
