"""Both engines must give the same answers, through a real adapter with an audio encoder."""

import math

import numpy as np
import pytest
from transformers import BatchFeature

from fastadasp import FastAdaSP, MergeMethod
from fastadasp.errors import ConfigError
from fastadasp.evaluation import answering
from fastadasp.merge.h2o import H2O
from fastadasp.models.base import Engine, Generation
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from tests.helpers.weights import enlarge

SECONDS = (0.6, 1.4)


@pytest.fixture(scope="module")
def model() -> tuple[Qwen2AudioRandom, BatchFeature]:
    """An adapter, and a batch of two tones of unlike lengths."""
    adapter = Qwen2AudioRandom(layers=5, hidden=32, intermediate=48, encoder_layers=1)
    loaded = adapter.load(device="cpu", dtype="float32", attention="sdpa")
    enlarge(loaded)
    rows = []
    for seconds in SECONDS:
        tone = np.sin(np.arange(int(seconds * 16000)) * 2 * math.pi * 220 / 16000).astype(np.float32)
        text = "<|audio_bos|><|AUDIO|><|audio_eos|>What?"
        row = adapter.processor(text=[text], audio=[tone], sampling_rate=16000, return_tensors="pt")
        rows.append({**row, "input_ids": row["input_ids"][0]})
    return adapter, adapter.encode(rows)


def answer(model: tuple[Qwen2AudioRandom, BatchFeature], method: MergeMethod, **generation: object) -> tuple:
    """Ids, texts, decoding steps and what is left after each layer."""
    adapter, inputs = model
    done = answering.answer(adapter, method, Generation(max_new_tokens=10, **generation), inputs)
    return done.ids.tolist(), done.texts, done.cost["decode_steps"], done.trace.audio_tokens.tolist()


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("method", [FastAdaSP(ratio=0.5, layer=1), FastAdaSP(ratio=0.3, layer=1, schedule="constant")])
def test_engines_agree(model: tuple[Qwen2AudioRandom, BatchFeature], method: MergeMethod, beams: int) -> None:
    plain = answer(model, method, num_beams=beams, engine=Engine.transformers)
    assert answer(model, method, num_beams=beams, engine=Engine.static) == plain
    assert len(plain[1]) == 2 and plain[2] == 9


def test_auto_is_static_on_a_cpu_where_that_is_possible(
    model: tuple[Qwen2AudioRandom, BatchFeature], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    generate = answering.generate
    monkeypatch.setattr(answering, "generate", lambda *args, **kwargs: used.append(1) or generate(*args, **kwargs))
    answer(model, FastAdaSP(ratio=0.5, layer=1))
    assert used == [1]
    answer(model, H2O(ratio=0.5))
    answer(model, FastAdaSP(ratio=0.5, layer=1), do_sample=True)
    answer(model, FastAdaSP(ratio=0.5, layer=1), engine=Engine.transformers)
    assert used == [1]


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        (FastAdaSP(ratio=0.5), {"do_sample": True}, "neither sampling nor"),
        (FastAdaSP(ratio=0.5), {"repetition_penalty": 1.2}, "nor a repetition penalty"),
        (H2O(ratio=0.5), {}, "H2O goes on evicting"),
    ],
)
def test_static_refuses_what_it_cannot_do(
    model: tuple[Qwen2AudioRandom, BatchFeature], method: MergeMethod, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"generation.engine=static is not possible.*{message}"):
        answer(model, method, engine=Engine.static, **settings)


@pytest.mark.parametrize("engine", [Engine.transformers, Engine.static])
def test_cost_of_a_batch(model: tuple[Qwen2AudioRandom, BatchFeature], engine: Engine) -> None:
    adapter, inputs = model
    generation = Generation(max_new_tokens=10, num_beams=2, engine=engine)
    method = FastAdaSP(ratio=0.5, layer=1)
    first, second = (answering.answer(adapter, method, generation, inputs).cost for _ in range(2))
    assert (first["cold"], second["cold"]) == (1, 0)
    assert second["prompt_copies"] == (1 if engine is Engine.static else 2)
    assert 0 < second["merge_s"] < second["prefill_s"] <= second["ttft_s"]
    assert second["ttft_s"] < second["prefill_s"] + second["decode_s"]
    assert second["peak_bytes"] == 0 and "energy_j" not in second
    full = answering.answer(adapter, FastAdaSP(layer=1), generation, inputs).cost
    assert (full["cold"], full["merge_s"]) == (1, 0)
