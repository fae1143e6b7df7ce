"""Masks that a model makes itself: read where they say padding and causality, refused where they say anything else."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from fastadasp import FastAdaSP, merging
from fastadasp.engine.masks import MaskCheck, padding_of
from tests.helpers.causal_families import tiny_family
from tests.helpers.surroundings import small
from tests.helpers.tiny_decoders import left_padded, prompt

IDS, REAL, AUDIO = left_padded([prompt(5, 60, 7), prompt(3, 40, 9, seed=1)])
HALF = FastAdaSP(ratio=0.5, layer=1)
FIRST = FastAdaSP(ratio=0.5, layer=0)
LENGTH = 6
CAUSAL = torch.ones(LENGTH, LENGTH).tril().bool()[None, None]
PADDED = torch.tensor([[1] * LENGTH, [0, 0, *[1] * (LENGTH - 2)]])


def square(padding: Tensor) -> Tensor:
    """(B, 1, T, T) bool, as transformers makes it: padding sees nothing."""
    return CAUSAL & padding.bool()[:, None, None]


def added(mask: Tensor) -> Tensor:
    """As eager kernels take it."""
    return torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)


@pytest.mark.parametrize("form", [lambda mask: mask, added, lambda mask: {"full": mask, "sliding": None}])
def test_padding_is_read_from_square_masks_of_any_form(form: Any) -> None:
    assert torch.equal(padding_of(form(square(PADDED)), 2, LENGTH), PADDED)
    assert padding_of(form(square(torch.ones_like(PADDED))), 2, LENGTH) is None


def test_flat_masks_and_none_are_taken_as_they_are() -> None:
    assert padding_of(PADDED, 2, LENGTH) is PADDED
    assert padding_of(None, 2, LENGTH) is None


def test_a_prefix_that_sees_itself_is_refused() -> None:
    prefix = CAUSAL.clone()
    prefix[..., :3, :3] = True
    with pytest.raises(ValueError, match="lets tokens see later ones"):
        padding_of(prefix.expand(2, -1, -1, -1), 2, LENGTH)


@pytest.mark.parametrize("mask", [CAUSAL[..., 1:, :], "causal", torch.ones(2, 3, LENGTH)], ids=["cut", "text", "3-D"])
def test_masks_of_other_shapes_are_refused_with_their_shape(mask: Any) -> None:
    with pytest.raises(ValueError, match=r"attention_mask must be 2-D of shape \(2, 6\)"):
        padding_of(mask, 2, LENGTH)


def settled(mask: Tensor, window: int | None = None, padding: Tensor | None = None) -> None:
    check = MaskCheck()
    attention = SimpleNamespace(config=SimpleNamespace(_attn_implementation="sdpa"))
    check.note(0, attention, mask, None if padding is None else padding.bool(), window)
    check.settle()


def test_masks_that_would_be_made_anew_alike_pass() -> None:
    column = torch.arange(LENGTH)
    settled(square(PADDED), padding=PADDED)
    settled(added(square(PADDED)), padding=PADDED)
    settled(CAUSAL & (column > column[:, None] - 3), window=3)


@pytest.mark.parametrize("kind", ["chunks", "bias", "later", "window"])
def test_masks_of_another_kind_are_refused(kind: str) -> None:
    column = torch.arange(LENGTH)
    masks = {
        "chunks": CAUSAL & (column // 3 == column[:, None] // 3),
        "bias": added(CAUSAL) - 0.1 * (column[:, None] - column).clamp_min(0),
        "later": CAUSAL | (column < 2),
        "window": CAUSAL & (column > column[:, None] - 4),
    }
    with pytest.raises(ValueError, match="layer 0 uses a mask of another kind"):
        settled(masks[kind], window=3 if kind == "window" else None)


@torch.no_grad()
def test_a_square_mask_gives_what_the_flat_one_gives() -> None:
    model, causal = small(), torch.ones(72, 72).tril().bool()
    with merging(model, HALF, AUDIO):
        flat = model(IDS, attention_mask=REAL).logits[:, -1]
        positions = (REAL.cumsum(1) - 1).clamp_min(0)
        mask = causal[None, None] & REAL.bool()[:, None, None]
        squared = model(IDS, attention_mask=mask, position_ids=positions).logits[:, -1]
        flat_too = model(IDS, attention_mask=REAL, position_ids=positions).logits[:, -1]
    torch.testing.assert_close(squared, flat_too)
    torch.testing.assert_close(squared, flat, atol=1e-3, rtol=1e-3)  # rotary positions are relative


@torch.no_grad()
def test_chunked_attention_is_refused_where_a_prompt_is_longer_than_a_chunk() -> None:
    """Some of Llama 4's layers look at their own chunk alone; here it is layer 0."""
    model = tiny_family("llama4_text")
    with merging(model, FIRST, AUDIO):
        model.generate(IDS, attention_mask=REAL, max_new_tokens=2, do_sample=False)
    model.config.attention_chunk_size = 32
    with pytest.raises(ValueError, match="uses a mask of another kind"), merging(model, FIRST, AUDIO):
        model.generate(IDS, attention_mask=REAL, max_new_tokens=2, do_sample=False)
