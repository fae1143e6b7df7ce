"""What the host works out about a padded batch, and what it refuses."""

import pytest
import torch

from fastadasp.ops.layout import Layout


def bools(*rows: str) -> torch.Tensor:
    return torch.tensor([[letter == "1" for letter in row] for row in rows])


AUDIO = bools("0011101100", "0000011110", "0000000000")
REAL = bools("1111111111", "0001111111", "0000000011")


def test_counts_of_each_row() -> None:
    layout = Layout.of(AUDIO, REAL)
    assert layout.tokens == (10, 7, 2)
    assert layout.audio == (5, 4, 0)
    assert layout.runs == (2, 1, 0)
    assert layout.pairs == (3, 3, 0)
    assert layout.before == (2, 2, 2)
    assert layout.after == (2, 1, 0)
    assert (layout.width, layout.ragged, layout.hull) == (10, True, slice(2, 9))
    real = layout.real(torch.device("cpu"))
    assert real is not None
    assert torch.equal(real, REAL)


def test_counts_after_a_reduction_are_those_of_the_reduced_masks() -> None:
    layout = Layout.of(AUDIO, REAL).reduced((8, 5, 2))
    # Row 0 fuses one pair of its first run and the pair of its second; row 1 fuses two pairs.
    assert layout == Layout.of(bools("00110100", "00000110", "00000000"), bools("1" * 8, "00011111", "00000011"))


def test_rows_that_agree_have_no_padding_mask() -> None:
    layout = Layout.of(bools("0110", "0111"), torch.ones(2, 4))
    assert not layout.ragged
    assert layout.real(torch.device("cpu")) is None
    assert Layout.of(bools("0000")).hull == slice(0, 0)


@pytest.mark.parametrize(
    ("audio", "real", "message"),
    [
        ("0110", "1110", "row 1 of the batch has padding after a token; pad prompts on the left"),
        ("0000", "0000", "row 1 of the batch is all padding"),
        ("0110", "0011", "audio_mask marks padding as audio in row 1"),
    ],
)
def test_a_row_that_no_prompt_looks_like_is_named(audio: str, real: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Layout.of(bools("0110", audio), bools("1111", real))
