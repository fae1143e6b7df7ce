"""How likely a model finds each of several given answers, under a reduction method and with one prefill for all.

After the prompt, each answer is read from the same caches: what reading adds to them is taken away again, so nothing
is copied. The first token of every answer is scored by the prefill itself, so that answers of one token cost nothing.

B rows (left-padded), T prompt tokens, N tokens of the longest answer in a pass, V vocabulary entries.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, PreTrainedModel

from fastadasp.decoding.head import head_of
from fastadasp.decoding.prefill import has_several_positions, persistent_inputs, read_prompt, real_tokens
from fastadasp.engine.cache import EvictingLayer
from fastadasp.engine.decoder import find_decoder
from fastadasp.engine.merging import MergeTrace, merging
from fastadasp.engine.watch import Watch
from fastadasp.process.device_time import now
from fastadasp.reduction.method import MergeMethod

_IMPOSSIBLE = -1.0e6
"""The least log-likelihood of a token, of one that the model rules out: JSON has no infinity."""


@dataclass(frozen=True)
class Scored:
    """The log-likelihoods of given answers, and what they took."""

    likelihoods: list[list[list[float]]]
    """Of each row, each of its answers, each token: the natural logarithm of its probability after those before it."""
    trace: MergeTrace
    prefill_s: float
    """Until the first tokens are scored; audio encoder included."""
    answers_s: float
    """From then on."""
    passes: int
    """Forward passes after the prefill."""


@torch.inference_mode()
def score(
    model: PreTrainedModel,
    inputs: Mapping[str, Any],
    method: MergeMethod,
    audio_mask: Tensor,
    answers: Sequence[Sequence[Tensor]],
    watch: Watch | None = None,
) -> Scored:
    """Score each row's `answers`, token ids (N,) of at least one token each, as continuations of its prompt.

    inputs: keyword arguments of `model` for left-padded prompts (input_ids or inputs_embeds, attention_mask, ...).
    audio_mask: (B, T) bool. watch: as for `merging()`. Raises ValueError where `merging()` does.
    """
    device, started = audio_mask.device, now(audio_mask.device)
    passes = 0
    with merging(model, method, audio_mask, watch=watch) as trace, _last_positions(model) as positions:
        real_BT = real_tokens(inputs)
        with persistent_inputs(model) as persistent:
            logits_B1V, cache = read_prompt(model, inputs, real_BT)
        first_BV = logits_B1V[:, -1].float().log_softmax(-1).clamp_min(_IMPOSSIBLE)
        found = [
            [[float(first_BV[row, ids[0]])] for ids in given] if given else [] for row, given in enumerate(answers)
        ]
        prefilled = now(device)
        reader = _Reader(model, cache, real_BT, positions[-1] if positions else None, persistent)
        longer = [[place for place, ids in enumerate(given) if len(ids) > 1] for given in answers]
        for turn in range(max(map(len, longer), default=0)):
            chosen = {row: places[turn] for row, places in enumerate(longer) if turn < len(places)}
            ids = {row: answers[row][place].to(device) for row, place in chosen.items()}
            passes += 1
            for row, scores in reader.scores(ids).items():
                found[row][chosen[row]] += scores
    return Scored(found, trace, prefilled - started, now(device) - prefilled, passes)


class _Reader:
    """Reads answers after a prompt, each from where the prompt ends."""

    def __init__(
        self,
        model: PreTrainedModel,
        cache: DynamicCache,
        real_BT: Tensor,
        position: Tensor | None,
        persistent: Mapping[str, Any],
    ) -> None:
        """position: of the prompt's last token (..., 1), where it does not follow from `real_BT`.

        persistent: what the decoder wants in every call.
        """
        self._persistent = persistent
        self._decoder, self._head = find_decoder(model), head_of(model)
        self._cache, self._real_BT = cache, real_BT
        self._last = real_BT.sum(1, keepdim=True) - 1 if position is None else position

    def scores(self, ids: Mapping[int, Tensor]) -> dict[int, list[float]]:
        """By row, the log-likelihood of each token of its answer but the first; rows without one read along."""
        rows, device = len(self._real_BT), self._real_BT.device
        empty = torch.zeros(1, dtype=torch.int64, device=device)
        given = pad_sequence([ids.get(row, empty) for row in range(rows)], batch_first=True)
        length = given.shape[1] - 1
        # A cache that evicts at each step must be read as decoding reads it: token by token.
        size = 1 if any(isinstance(layer, EvictingLayer) for layer in self._cache.layers) else length
        with _unchanged(self._cache):
            hidden = [self._read(given[:, start : start + size], start) for start in range(0, length, size)]
        score_BNV = self._head(torch.cat(hidden, 1)).float().log_softmax(-1).clamp_min(_IMPOSSIBLE)
        chosen_BN = score_BNV.gather(-1, given[:, 1:, None].to(score_BNV.device))[..., 0]
        return {row: chosen_BN[row, : len(answer) - 1].tolist() for row, answer in ids.items()}

    def _read(self, read_BN: Tensor, start: int) -> Tensor:
        """The decoder's output (B, N, D) for tokens of which `start` others of their answer have been read."""
        read = read_BN.shape[1]
        output = self._decoder(
            input_ids=read_BN,
            attention_mask=pad(self._real_BT.long(), (0, start + read), value=1),
            position_ids=self._last + torch.arange(start + 1, start + read + 1, device=read_BN.device),
            past_key_values=self._cache,
            use_cache=True,
            **self._persistent,
        )
        hidden_BND: Tensor = output.last_hidden_state
        return hidden_BND


@contextmanager
def _unchanged(cache: DynamicCache) -> Iterator[None]:
    """Give each layer back what it held before: reading makes new tensors and leaves the old ones as they are."""
    before = [dict(vars(layer)) for layer in cache.layers]
    try:
        yield
    finally:
        for layer, held in zip(cache.layers, before, strict=True):
            vars(layer).clear()
            vars(layer).update(held)


@contextmanager
def _last_positions(model: PreTrainedModel) -> Iterator[list[Tensor]]:
    """Notes the position of the prompt's last token where the model counts positions itself, (axes, B, 1)."""
    noted: list[Tensor] = []
    if not has_several_positions(model):
        yield noted
        return

    def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not noted:
            noted.append((kwargs["position_ids"] if "position_ids" in kwargs else args[1])[..., -1:])

    handle = find_decoder(model).rotary_emb.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield noted
    finally:
        handle.remove()
