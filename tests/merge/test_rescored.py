"""Methods that take scores and budgets from others."""

from dataclasses import replace

import pytest
import torch

from fastadasp import MergeMethod, merging
from fastadasp.config.build import build
from fastadasp.errors import ConfigError
from fastadasp.merge.adakv import AdaKV
from fastadasp.merge.cam import CaM
from fastadasp.merge.chunkkv import ChunkKV
from fastadasp.merge.criticalkv import CriticalKV
from fastadasp.merge.fastadasp import FastAdaSP
from fastadasp.merge.finch import Finch
from fastadasp.merge.h2o import H2O
from fastadasp.merge.keydiff import KeyDiff
from fastadasp.merge.knorm import Knorm
from fastadasp.merge.pyramidkv import PyramidKV
from fastadasp.merge.rescored import Rescored
from fastadasp.merge.snapkv import SnapKV
from fastadasp.merge.tova import TOVA
from fastadasp.reduction.cache_method import CacheMethod
from tests.helpers.cache_oracle import (
    LAYERS,
)
from tests.helpers.configs import composed
from tests.helpers.tiny_decoders import prompt, tiny_decoder


@torch.no_grad()
def test_budgets_are_the_scorers() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, audio = prompt(5, 60, 7)
    counts = []
    pyramid = PyramidKV(0.5, window=4, kernel=3, beta=3)
    for method in (
        pyramid,
        AdaKV(0.5, scorer=replace(pyramid, ratio=0.0)),
        CaM(0.5, scorer=replace(pyramid, ratio=0.0)),
    ):
        with merging(model, method, audio[None]) as trace:
            model(ids[None], use_cache=True)
        counts.append(trace.cached_tokens.flatten().tolist())
    assert counts[0] == counts[1] == counts[2]
    assert len(set(counts[0])) == LAYERS


@pytest.mark.parametrize("kind", [AdaKV, CaM, ChunkKV, CriticalKV])
@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (FastAdaSP(), "merge.scorer must be a method that shortens the cache"),
        (Knorm(0.3), "merge.scorer.ratio=0.3 means nothing.*give merge.ratio=0.3"),
        (H2O(), "merge.scorer.decode=true is not possible.*set merge.scorer.decode=false"),
        (CaM(), "merge.scorer=CaM is not possible"),
    ],
)
def test_what_cannot_be_wrapped_is_refused(kind: type[Rescored], scorer: MergeMethod, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(0.5, scorer=scorer)


def test_only_cam_takes_a_whole_choice() -> None:
    assert CaM(0.5, scorer=AdaKV()).uneven
    with pytest.raises(ConfigError, match=r"merge\.scorer=AdaKV is not possible.*wrap ChunkKV in it"):
        ChunkKV(0.5, scorer=AdaKV())


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["merge=adakv", "merge.safeguard=0.1"], AdaKV(0.5, scorer=SnapKV(), safeguard=0.1)),
        (["merge=chunkkv", "merge@merge.scorer=keydiff"], ChunkKV(0.5, scorer=KeyDiff())),
        (["merge=criticalkv", "merge.scorer.window=8"], CriticalKV(0.5, scorer=SnapKV(window=8))),
        (["merge=cam", "merge.fold=sum", "merge@merge.scorer=tova"], CaM(0.5, scorer=TOVA(), fold="sum")),
        (
            ["merge=adakv", "merge@merge.scorer=criticalkv", "merge@merge.scorer.scorer=finch"],
            AdaKV(0.5, scorer=CriticalKV(scorer=Finch())),
        ),
    ],
)
def test_scorers_are_chosen_on_the_command_line(overrides: list[str], expected: CacheMethod) -> None:
    node = composed(*overrides, "merge.ratio=0.5").merge
    assert build(node, "merge") == expected
    inside = [
        override.replace("merge=", "merge@merge.cache=").replace("@merge.scorer", "@merge.cache.scorer")
        for override in overrides
    ]
    inside = [x if "@" in x else x.replace("merge.", "merge.cache.") for x in inside]
    chain = build(composed("merge=chain", *inside, "merge.cache.ratio=0.5").merge, "merge")
    assert chain.cache == expected
