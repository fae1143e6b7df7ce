"""`generate()` for greedy and beam search: the answers of transformers', without its copies and per-step host work.

B rows (left-padded), K beams, T prompt tokens, V vocabulary entries.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from fastadasp.decoding.cache import SharedPromptCache, shared_prompt_attention
from fastadasp.decoding.head import head_obstacle, head_of
from fastadasp.decoding.prefill import has_several_positions, persistent_inputs, read_prompt, real_tokens
from fastadasp.decoding.search import BeamSearch, Greedy, Search
from fastadasp.engine.decoder import check_kernel, find_decoder, layers_of
from fastadasp.engine.device import input_device
from fastadasp.engine.examination import examine
from fastadasp.engine.merging import MergeTrace, merging
from fastadasp.engine.watch import Watch
from fastadasp.ops.layout import padding_mask
from fastadasp.process.device_time import now
from fastadasp.reduction.method import MergeMethod

GRAPH_BLOCK = 32
"""Least number of steps that share a CUDA graph. Attention looks at the room for all of them from the first on; a long
prompt, beside which that room is small, lets more steps share one."""
LEAST_REPLAYS = 8
"""Fewest replays for which a step is recorded; recording takes as long as running a few steps from the host."""
CHECK_EVERY = 16
"""Steps between two looks at whether a search on a GPU has ended; each look waits for the device."""


@dataclass(frozen=True)
class Generated:
    """Answers of one batch, and what they took."""

    ids: Tensor
    """(B, new) int64 without the prompt, padded on the right."""
    trace: MergeTrace
    prefill_s: float
    """Until the first tokens are chosen; audio encoder included."""
    decode_s: float
    """From then on, recording apart: building the caches, then the steps."""
    capture_s: float
    """Recording CUDA graphs, in neither of the others; the whole call takes the sum of the three."""
    decode_steps: int
    """Forward passes after the prefill."""
    cache_bytes: int
    """Keys and values of prompt and answers, all beams together."""


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    inputs: Mapping[str, Any],
    method: MergeMethod,
    audio_mask: Tensor,
    *,
    max_new_tokens: int,
    num_beams: int = 1,
    length_penalty: float = 1.0,
    early_stopping: bool = False,
    graphs: bool | None = None,
    watch: Watch | None = None,
) -> Generated:
    """Answer a batch under a reduction method; the ids are those of `merging()` with transformers' `generate()`.

    The prompt is read once per row rather than once per beam, logits are computed where they are used, each layer's
    cache is allocated once at its own length, and on a GPU the steps run as CUDA graphs. Each call records its own: a
    graph is bound to the addresses of the caches, so keeping it would keep their gigabytes for a later batch of the
    same lengths, layer by layer, which seldom comes.

    inputs: keyword arguments of `model` for left-padded prompts (input_ids or inputs_embeds, attention_mask, ...).
    audio_mask: (B, T) bool. max_new_tokens: at least 1.
    graphs: whether steps run as CUDA graphs; None: if all of the model is on one GPU.
    watch: as for `merging()`.

    Raises ValueError where `merging()` does, and where there is an `obstacle`.
    """
    if max_new_tokens < 1 or num_beams < 1:
        raise ValueError(f"max_new_tokens and num_beams must be at least 1, got {max_new_tokens} and {num_beams}")
    if reason := obstacle(model, method, audio_mask.shape[1] + max_new_tokens):
        raise ValueError(f"static decoding is not possible: {reason}; use transformers' generate() inside merging()")
    decoder = find_decoder(model)
    device = audio_mask.device
    started = now(device)
    real_BT = real_tokens(inputs)
    with persistent_inputs(model) as persistent:
        logits_B1V, prompt, trace = _prefill(model, inputs, method, audio_mask, real_BT, watch)
    search = _search(model, len(audio_mask), num_beams, max_new_tokens, device, length_penalty, early_stopping)
    search.advance(logits_B1V.expand(-1, num_beams, -1))
    prefilled = now(device)
    cache = _static(prompt, trace, num_beams, max_new_tokens)
    del prompt
    graphs = _graphable(model) if graphs is None else graphs
    steps = _Steps(model, decoder, cache, search, real_BT.sum(1), persistent, graphs)
    taken = steps.run(max_new_tokens - 1, check_every=CHECK_EVERY if device.type == "cuda" else 1)
    ids = search.result()
    return Generated(
        ids,
        trace,
        prefill_s=prefilled - started,
        decode_s=now(device) - prefilled - steps.capture_s,
        capture_s=steps.capture_s,
        decode_steps=taken,
        cache_bytes=cache.nbytes,
    )


def _prefill(
    model: PreTrainedModel,
    inputs: Mapping[str, Any],
    method: MergeMethod,
    audio_mask: Tensor,
    real_BT: Tensor,
    watch: Watch | None,
) -> tuple[Tensor, DynamicCache, MergeTrace]:
    """Logits (B, 1, V) after the prompt, what each layer cached of it, and what the method did."""
    with merging(model, method, audio_mask, watch=watch) as trace:
        logits_B1V, cache = read_prompt(model, inputs, real_BT)
    return logits_B1V, cache, trace


def _static(prompt: DynamicCache, trace: MergeTrace, beams: int, new_tokens: int) -> SharedPromptCache:
    """What the prefill has cached, made static."""
    device = prompt.layers[0].keys.device
    masks = [padding_mask(tokens, device) for tokens in trace.cached_tokens.tolist()]
    return SharedPromptCache(prompt, masks, trace.cached_biases, beams, new_tokens)


def _search(
    model: PreTrainedModel, rows: int, beams: int, new_tokens: int, device: torch.device, penalty: float, early: bool
) -> Search:
    config = model.generation_config
    eos = config.eos_token_id
    ends = [] if eos is None else [eos] if isinstance(eos, int) else list(eos)
    pad = config.pad_token_id if config.pad_token_id is not None else ends[0] if ends else 0
    if beams == 1:
        return Greedy(rows, new_tokens, ends, pad, device)
    return BeamSearch(rows, beams, new_tokens, ends, pad, device, length_penalty=penalty, early_stopping=early)


class _Steps:
    """The decoding loop: run a step on the host's command, or replay a recording of it."""

    def __init__(
        self,
        model: PreTrainedModel,
        decoder: Any,
        cache: SharedPromptCache,
        search: Search,
        prompt_B: Tensor,
        persistent: Mapping[str, Any],
        graphs: bool,
    ) -> None:
        self.persistent = persistent
        self.decoder, self.cache, self.search, self.graphs = decoder, cache, search, graphs
        self.capture_s = 0.0
        self._head = head_of(model)
        self._prompt_BK = prompt_B[:, None].expand(-1, search.beams)
        self._recorded: dict[int, torch.cuda.CUDAGraph] = {}
        self._block = max(GRAPH_BLOCK, max(cache.prompt_lengths) // (4 * search.beams)) if graphs else 1

    def run(self, steps: int, check_every: int) -> int:
        """Take up to `steps` steps; returns how many."""
        with shared_prompt_attention(self.decoder):
            for step in range(steps):
                if step % check_every == 0 and bool(self.search.finished):
                    return step
                self._take(step, steps)
        return steps

    def _take(self, step: int, steps: int) -> None:
        end = min((step // self._block + 1) * self._block, steps)
        self.cache.columns = end * self.cache.beams
        if self.cache.columns in self._recorded:
            self._recorded[self.cache.columns].replay()
            return
        self._step()  # a block's first step, which also warms up, or one of too few to be worth a recording
        if self.graphs and end - step - 1 >= LEAST_REPLAYS:
            self._record()

    def _record(self) -> None:
        """Make a graph of a step over the present `columns`, which executes nothing; a former one is dropped first."""
        device = self.search.token_BK.device
        started = now(device)
        self._recorded.clear()
        graph = torch.cuda.CUDAGraph()
        with _recording(graph, device):
            self._step()
        self._recorded[self.cache.columns] = graph
        self.capture_s += now(device) - started

    def _step(self) -> None:
        """Read one token with every beam and choose the next. Shapes and addresses are the same each time."""
        position_BK = self._prompt_BK + self.cache.step
        self.cache.begin_step()
        hidden_BKD = self.decoder(
            input_ids=self.search.token_BK,
            position_ids=position_BK,
            past_key_values=self.cache,
            use_cache=True,
            shared_prompt=self.cache,
            **self.persistent,
        ).last_hidden_state
        parent_BK = self.search.advance(self._head(hidden_BKD))
        if parent_BK is not None:
            self.cache.reorder(parent_BK)


def _recording(graph: torch.cuda.CUDAGraph, device: torch.device) -> AbstractContextManager[object]:
    """Inside, what is launched on `device` is recorded; by default it would be on the first device ever recorded on."""
    return torch.cuda.graph(graph, stream=_recording_stream(device))


@lru_cache
def _recording_stream(device: torch.device) -> torch.cuda.Stream:
    """Always the same: cuBLAS keeps a workspace for each stream that it has seen."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def obstacle(model: PreTrainedModel, method: MergeMethod, tokens: int) -> str | None:
    """Why `generate()` cannot read and write `tokens` tokens with this model and method; None if it can."""
    decoder = find_decoder(model)
    if has_several_positions(model):
        return f"{type(decoder).__name__} gives each token several positions"
    if len({parameter.device for parameter in decoder.parameters()}) > 1:
        return f"{type(decoder).__name__} is spread over several devices"
    if reason := _layer_obstacle(decoder, tokens) or head_obstacle(model):
        return reason
    for stage in method.stages():
        if getattr(stage, "evicts_while_decoding", False) and stage.given_ratio:
            return f"{type(stage).__name__} goes on evicting at every step, and static caches only grow"
        if getattr(stage, "uneven", False) and stage.given_ratio:
            return (
                f"{type(stage).__name__} leaves each head its own number of tokens, and static caches are rectangular"
            )
    return None


def _layer_obstacle(decoder: Any, tokens: int) -> str | None:
    proofs, _ = examine(decoder, input_device(decoder))
    for layer, proof in zip(layers_of(decoder), proofs, strict=True):
        name = type(layer).__name__
        if isinstance(proof, str):
            return f"{name}: {proof}"
        try:
            check_kernel(layer.get_submodule(proof.attention))
        except ValueError as error:
            return str(error)
        if proof.windowed is not None and tokens > proof.windowed:
            return (
                f"{name} has a sliding window {proof.windowed}, shorter than the {tokens} tokens of prompt and answer"
            )
        if not proof.tells_kernel:
            return f"{name} does not hand further arguments to the attention kernel"
        if not proof.plain:
            return f"{name} does more to attention scores than scale them (a soft cap, sinks)"
    return None


def _graphable(model: nn.Module) -> bool:
    """Whether all weights are on one GPU, without accelerate's hooks, which move tensors between devices."""
    devices = {parameter.device for parameter in model.parameters()}
    placed = any(hasattr(module, "_hf_hook") for module in model.modules())
    return len(devices) == 1 and devices.pop().type == "cuda" and not placed
