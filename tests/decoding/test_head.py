"""Static decoding computes logits itself: only where these are the model's own."""

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM

from fastadasp.decoding.head import head_obstacle, head_of
from tests.helpers.tiny_decoders import FAMILIES, tiny_decoder


@pytest.mark.parametrize("family", sorted(FAMILIES))
@torch.no_grad()
def test_the_head_gives_the_models_own_logits(family: str) -> None:
    model, ids = tiny_decoder(family, layers=2), torch.arange(5, 12)[None]
    assert head_obstacle(model) is None
    hidden = model.model(input_ids=ids).last_hidden_state
    assert torch.allclose(head_of(model)(hidden), model(input_ids=ids).logits, atol=1e-5)


@pytest.mark.parametrize(("cap", "refused"), [(2.0, True), (None, False)])
def test_a_soft_cap_behind_the_head_is_found(cap: float | None, refused: bool) -> None:
    torch.manual_seed(0)
    size = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "head_dim": 8}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "final_logit_softcapping": cap}
    model = Gemma2ForCausalLM(Gemma2Config(**size, **heads)).eval()
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(40)
    assert ("soft cap" in (head_obstacle(model) or "")) == refused
