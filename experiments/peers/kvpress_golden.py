"""Which cached tokens kvpress keeps, by layer and head: the vectors that `tests/merge/test_kvpress.py` holds us to.

Runs in an environment of its own (`make -f experiments/peers/Makefile golden`) and imports nothing of fastadasp. What
is kept is read off the cache, by looking up each remaining key in the full one, not out of a press. A case that changes
when every weight is nudged by a millionth decides by rounding. Such a case is refused: two right programs may differ.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kvpress
import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from experiments.peers.decoders import DECODERS, Prompt, decoder

LONG, SHORT = Prompt(before=9, audio=130, after=21), Prompt(before=4, audio=61, after=8)
NUDGE = 1e-6
NO_TOKEN = -1


class SummedAttention(kvpress.ObservedAttentionPress):
    """Attention received, summed over the queries as in H2O; ObservedAttention divides by how many see the token."""

    def score(self, module: Any, hidden: Tensor, keys: Tensor, *rest: Any) -> Tensor:
        """(B, G, T)."""
        mean_BGT = super().score(module, hidden, keys, *rest)
        return mean_BGT * torch.arange(keys.shape[2], 0, -1)


class Protected(kvpress.ScorerPress):
    """Another press's scores for the audio alone: text outranks them, as with `merge.protect_text` here."""

    def __init__(self, press: kvpress.ScorerPress, prompt: Prompt) -> None:
        self.press, self.audio_T = press, prompt.audio_mask[0]
        kept = prompt.length - int(prompt.audio * press.compression_ratio)
        super().__init__(1 - (kept + 0.5) / prompt.length)

    def score(self, *arguments: Any) -> Tensor:
        """(B, G, T)."""
        return self.press.score(*arguments).masked_fill(~self.audio_T, torch.inf)


class Finch(kvpress.FinchPress):
    """FINCH told how long the question is, instead of finding out by a delimiter; keys keep their positions.

    kvpress multiplies the attention of a query by the number of tokens before it; `itself` counts the query too, which
    is the number of tokens that it sees.
    """

    def __init__(self, ratio: float, question: int, itself: bool = True, normalise: bool = True) -> None:
        super().__init__(ratio, normalize_scores=normalise, rerotate_keys=False)
        self.window_size, self.delimiter_token_id, self.itself = question, NO_TOKEN, itself and normalise

    def score(self, *arguments: Any) -> Tensor:
        """(B, G, T)."""
        score_BGT = super().score(*arguments)
        if self.itself:
            self.normalize_scores = False
            score_BGT = score_BGT + super().score(*arguments)
            self.normalize_scores = True
        return score_BGT


PRESSES: Mapping[str, Callable[..., kvpress.BasePress]] = {
    "SnapKV": kvpress.SnapKVPress,
    "PyramidKV": kvpress.PyramidKVPress,
    "TOVA": kvpress.TOVAPress,
    "KeyDiff": kvpress.KeyDiffPress,
    "Knorm": kvpress.KnormPress,
    "StreamingLLM": kvpress.StreamingLLMPress,
    "ExpectedAttention": kvpress.ExpectedAttentionPress,
    "SummedAttention": SummedAttention,
    "Finch": Finch,
}
WRAPPERS: Mapping[str, Callable[..., kvpress.BasePress]] = {
    "AdaKV": kvpress.AdaKVPress,
    "ChunkKV": kvpress.ChunkKVPress,
    "CriticalKV": kvpress.CriticalKVPress,
}
"""Presses that take another's scores."""


SMALL_WINDOW = {"window_size": 8, "kernel_size": 5}
STAGES = {"epsilon": 1e-4, "first_stage_ratio": 0.5}


@dataclass(frozen=True)
class Case:
    """A press with its settings. `ratio` is the share removed: of all tokens, or of the audio if text is protected."""

    press: str
    ratio: float
    settings: dict[str, Any] = field(default_factory=dict)
    protect_text: bool = False
    prompts: tuple[Prompt, ...] = (LONG, SHORT)
    wrapper: str | None = None
    wrapper_settings: dict[str, Any] = field(default_factory=dict)

    def build(self, prompt: Prompt) -> kvpress.BasePress:
        """The press."""
        question = {"question": prompt.after} if self.press == "Finch" else {}
        press = PRESSES[self.press](self.ratio, **self.settings, **question)
        if self.wrapper is not None:
            return WRAPPERS[self.wrapper](press, **self.wrapper_settings)
        return Protected(press, prompt) if self.protect_text else press

    @property
    def attention(self) -> str:
        """The implementation that the press needs."""
        return "eager" if self.press == "SummedAttention" else "sdpa"


CASES = (
    Case("SnapKV", 0.3, {"window_size": 64, "kernel_size": 5}, prompts=(LONG,)),
    Case("SnapKV", 0.6, {"window_size": 16, "kernel_size": 7}),
    Case("SnapKV", 0.5, {"window_size": 8, "kernel_size": 5}, protect_text=True),
    Case("PyramidKV", 0.5, {"window_size": 8, "kernel_size": 5, "beta": 20}),
    Case("PyramidKV", 0.35, {"window_size": 4, "kernel_size": 3, "beta": 3}),
    Case("PyramidKV", 0.7, {"window_size": 32, "kernel_size": 5, "beta": 20}, prompts=(LONG,)),
    Case("TOVA", 0.6),
    Case("TOVA", 0.4, protect_text=True),
    Case("KeyDiff", 0.5),
    Case("KeyDiff", 0.3, protect_text=True),
    Case("Knorm", 0.5),
    Case("Knorm", 0.7, protect_text=True),
    Case("StreamingLLM", 0.7, {"n_sink": 4}),
    Case("StreamingLLM", 0.25, {"n_sink": 1}),
    Case("ExpectedAttention", 0.5, {"n_future_positions": 512, "n_sink": 4}),
    Case("ExpectedAttention", 0.6, {"n_future_positions": 40, "n_sink": 2, "epsilon": 0.02}),
    Case("ExpectedAttention", 0.4, {"n_future_positions": 512, "n_sink": 4}, protect_text=True),
    Case("SummedAttention", 0.5),
    Case("SummedAttention", 0.3, protect_text=True),
    Case("Finch", 0.5),
    Case("Finch", 0.35, {"normalise": False}),
    Case("SnapKV", 0.5, SMALL_WINDOW, wrapper="AdaKV", wrapper_settings={"alpha_safeguard": 0.2}),
    Case("SnapKV", 0.7, SMALL_WINDOW, wrapper="AdaKV", wrapper_settings={"alpha_safeguard": 0.0}),
    Case("KeyDiff", 0.6, wrapper="AdaKV", wrapper_settings={"alpha_safeguard": 0.5}),
    Case("SnapKV", 0.5, SMALL_WINDOW, wrapper="ChunkKV", wrapper_settings={"chunk_length": 10}),
    Case("KeyDiff", 0.4, wrapper="ChunkKV", wrapper_settings={"chunk_length": 7}),
    Case("SnapKV", 0.5, SMALL_WINDOW, wrapper="CriticalKV", wrapper_settings=STAGES),
    Case("TOVA", 0.6, wrapper="CriticalKV", wrapper_settings={**STAGES, "first_stage_ratio": 0.25}),
)


def main() -> None:
    """Write the vectors, or say which case decides by rounding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    torch.set_grad_enabled(False)
    lines = [json.dumps(record(case, prompt)) for case in CASES for prompt in case.prompts]
    logits = {name: last_logits(name, LONG) for name in DECODERS}
    packages = {name: version(name) for name in ("kvpress", "transformers", "torch")}
    head = json.dumps({"packages": packages, "logits": logits}, indent=1)
    out.write_text(head.removesuffix("\n}") + ',\n "cases": [\n' + ",\n".join(lines) + "\n ]\n}\n", encoding="utf-8")
    print(f"{out}: {len(lines)} cases on {len(DECODERS)} decoders")


def record(case: Case, prompt: Prompt) -> dict[str, Any]:
    """One case as it is stored: kept tokens as hexadecimal numbers, the first token being the lowest bit."""
    kept = {}
    for name in DECODERS:
        kept[name], again = (kept_tokens(case, prompt, name, nudge) for nudge in (0.0, NUDGE))
        if kept[name] != again:
            sys.exit(f"{case} on {prompt} decides by rounding in {name}; take another ratio or prompt")
    facts = {"press": case.press, "ratio": case.ratio, "settings": case.settings, "protect_text": case.protect_text}
    if case.wrapper is not None:
        facts |= {"wrapper": case.wrapper, "wrapper_settings": case.wrapper_settings}
    return {**facts, "prompt": [prompt.before, prompt.audio, prompt.after], "kept": kept}


def kept_tokens(case: Case, prompt: Prompt, name: str, nudge: float) -> list[list[str]]:
    """By layer and key-value head."""
    model = decoder(name, case.attention, nudge)
    full = read(model, prompt)
    with case.build(prompt)(model):
        left = read(model, prompt)
    kept = []
    for layer, before, after in zip(model.model.layers, full.layers, left.layers, strict=True):
        tokens = [set(places(*keys)) for keys in zip(before.keys[0], after.keys[0], strict=True)]
        if (masked := getattr(layer.self_attn, "masked_key_indices", None)) is not None:
            for _, head, token in zip(*masked, strict=True):  # budgets by head only mask what goes
                tokens[int(head)].discard(int(token))
        kept.append([bits(head) for head in tokens])
    return kept


def read(model: PreTrainedModel, prompt: Prompt) -> DynamicCache:
    """What the model caches of the prompt."""
    cache = DynamicCache()
    model.model(prompt.ids, past_key_values=cache)
    return cache


def places(whole_Td: Tensor, rest_Kd: Tensor) -> list[int]:
    """Which keys of the full cache are left. Keys are rotated by their places, so that no two are alike."""
    same_KT = (rest_Kd[:, None] == whole_Td).all(-1)
    if not (same_KT.sum(1) == 1).all():
        sys.exit("an entry of the shortened cache is none of the full one, or several")
    return same_KT.int().argmax(1).tolist()


def bits(tokens: set[int]) -> str:
    """A set of tokens as a hexadecimal number."""
    return f"{sum(1 << token for token in tokens):x}"


def last_logits(name: str, prompt: Prompt) -> list[float]:
    """The first logits after the prompt, by which both sides know that they run the same model."""
    model = decoder(name, "sdpa")
    return [round(logit, 5) for logit in model(prompt.ids).logits[0, -1, :6].tolist()]


if __name__ == "__main__":
    main()
