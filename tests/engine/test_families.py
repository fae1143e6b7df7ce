"""`merging()` in every causal-LM family of transformers that can be built small: right, or refused before a change."""

import re

import pytest
import torch
from transformers import PreTrainedModel

from fastadasp import FastAdaSP, merging
from fastadasp.config.paths import REPOSITORY
from tests.helpers.causal_families import family_names, tiny_family
from tests.helpers.tiny_decoders import snapshot

IDS = torch.randint(3, 99, (2, 40), generator=torch.Generator().manual_seed(0))
REAL = torch.ones_like(IDS)
REAL[0, :7] = 0
AUDIO = torch.zeros(2, 40, dtype=torch.bool)
AUDIO[:, 12:32] = True
GREEDY = {"max_new_tokens": 4, "do_sample": False, "return_dict_in_generate": True, "output_logits": True}
BEAMS = {"max_new_tokens": 4, "do_sample": False, "num_beams": 3}
LEAST_WORKING = 60


@torch.no_grad()
def outcome(model: PreTrainedModel) -> str:
    """ "works", or the reason why the model is refused; AssertionError where an answer is wrong."""
    plain = model.generate(IDS, attention_mask=REAL, **GREEDY)
    beams = model.generate(IDS, attention_mask=REAL, **BEAMS)
    alone = model.generate(IDS[:1, 7:], attention_mask=REAL[:1, 7:], **GREEDY)
    before = snapshot(model)
    try:
        with merging(model, FastAdaSP(ratio=1e-6, layer=0), AUDIO):
            same = model.generate(IDS, attention_mask=REAL, **GREEDY)
            same_beams = model.generate(IDS, attention_mask=REAL, **BEAMS)
    except ValueError as error:
        assert snapshot(model) == before, "a refused model was changed"
        return str(error)
    close(same.logits, plain.logits)
    assert torch.equal(same_beams, beams), "beams differ without a reduction"
    method = FastAdaSP(ratio=0.5, layer=0)
    with merging(model, method, AUDIO) as trace:
        together = model.generate(IDS, attention_mask=REAL, **GREEDY)
    assert trace.audio_tokens[0].tolist() == [10, 10]
    with merging(model, method, AUDIO[:1, 7:]):
        single = model.generate(IDS[:1, 7:], attention_mask=REAL[:1, 7:], **GREEDY)
    if torch.allclose(plain.logits[0][:1], alone.logits[0], atol=1e-3, rtol=1e-3):  # some families mind padding
        close([step[:1] for step in together.logits], single.logits)
    assert not torch.allclose(together.logits[0], plain.logits[0], atol=1e-4), "nothing was reduced"
    assert snapshot(model) == before
    return "works"


def close(found: object, right: object) -> None:
    """Logits of equal steps."""
    for one, other in zip(found, right, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


PAGE = (REPOSITORY / "docs" / "compatibility.md").read_text(encoding="utf-8")
LISTED = dict(re.findall(r"^\| ([\w.-]+) \| (works|refused)", PAGE, re.MULTILINE))
"""What the generated page says of each family that can be tried."""


COMMON = frozenset(
    [
        "llama",
        "gemma2",
        "gemma3_text",
        "olmo2",
        "glm4",
        "cohere",
        "gpt_neox",
        "phi",
        "phi3",
        "gpt2",
        "granite",
        "mixtral",
        "qwen3_moe",
        "opt",
        "biogpt",
        "mistral",
        "starcoder2",
        "persimmon",
    ]
)
"""Families that must work, whatever the page says; `make test` tries these."""


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=() if name in COMMON else pytest.mark.slow) for name in sorted(LISTED)]
)
def test_a_family_works_or_is_refused_as_the_page_says_and_is_left_unchanged(family: str) -> None:
    found = outcome(tiny_family(family))
    assert found == "works" if LISTED[family] == "works" else found.startswith("merging() "), found


def test_most_families_work() -> None:
    working = {family for family, found in LISTED.items() if found == "works"}
    assert len(working) >= LEAST_WORKING
    assert working >= COMMON
    assert LISTED.keys() <= set(family_names())


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("zaya", r"several masks in one argument \(causal, conv\)"),
        ("qwen4_exp", "with each new token it is given the positions of all keys"),
        ("beam", r"fewer tokens than the prompt has: `attention_scaling` stands for the prompt as it came\. "),
    ],
)
def test_a_refusal_tells_the_cause_and_not_the_error_that_follows_from_it(family: str, reason: str) -> None:
    assert re.search(reason, outcome(tiny_family(family)))
