"""Token reduction inside any transformers `generate()`: `merging(model, method, audio_mask)`.

For the time of a `with` block the `forward` of the decoder and of its layers is replaced, from the first layer
concerned on; what replaces them calls the model's own. While the prompt is read, methods decide at three sites: before
layer 0 (`input`), between a layer's attention and MLP (`decoder`), and on what a layer has cached (`cache`); tokens are
moved, and later layers get masks and rotary positions of their own. Decoding goes on with caches of unlike lengths, so
each layer again gets its own mask.

B rows (left-padded; beams expanded), T columns.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fastadasp.engine.decoder import check_kernel, find_decoder, layers_of
from fastadasp.engine.device import input_device
from fastadasp.engine.encoder import EncoderTap
from fastadasp.engine.examination import Tail, examine
from fastadasp.engine.halves import Halves
from fastadasp.engine.model import model_inside
from fastadasp.engine.patch import only_user_of, replaced_forward, replaced_method, running_forward
from fastadasp.engine.prefill import Block
from fastadasp.engine.ragged import check_masks_by_head
from fastadasp.engine.session import Session
from fastadasp.engine.trace import MergeTrace
from fastadasp.engine.valid_frames import valid_frames
from fastadasp.engine.watch import Unwatched, Watch
from fastadasp.errors import UnsupportedError
from fastadasp.reduction.method import MergeMethod
from fastadasp.reduction.stages import Stages

__all__ = ["MergeTrace", "merging"]


class Loaded(Protocol):
    """An object that holds a model of transformers, such as the result of `fastadasp.load`."""

    @property
    def transformers_model(self) -> PreTrainedModel:
        """The model."""


@contextmanager
def merging(
    model: PreTrainedModel | Loaded,
    method: MergeMethod,
    audio_mask: Tensor,
    *,
    keep_assignments: bool = False,
    watch: Watch | None = None,
) -> Iterator[MergeTrace]:
    """Reduce audio tokens with `method` in every prompt that `model` reads inside the `with` block.

    model: a causal LM or SpeechLM of transformers, wrapped or not (DDP, DataParallel, PEFT, a module of one's own), or
    what `fastadasp.load` has returned. Whether its layers can be cut between attention and what follows is found, and
    shown by numbers, when a block first opens on the model (see `fastadasp.engine.proof`).
    audio_mask: (B, T) bool, which tokens of the left-padded prompt are audio, as the decoder sees it; beams and
    returned sequences are expanded inside. Several runs per row are legal, so are rows without audio.
    keep_assignments: keep each layer's decision in `trace.assignments`.
    watch: looks on while tokens are reduced, such as `fastadasp.measuring.clock.MergeClock`.

    Any `generate()` will do (greedy, beams, sampling, prompt look-up, assisted, streaming), several too if their
    prompts fit the mask; so will a further turn on the same cache, and a plain forward pass, whose output has one
    position for each token left. Columns that are padding in every row are left out. The block serves the thread that
    opens it, threads started inside, and older threads that run in a context copied inside (`asyncio.to_thread`).
    Another thread may finish the answer that it is writing; its new prompts are refused, since nothing tells whether
    they are meant. The model is restored when the block ends, also after an exception. Do not reuse a KV cache that was
    filled inside the block after the block has ended.

    Raises ValueError for a model, cache, mask or layer that cannot work, RuntimeError for a second block on one model
    and for a prompt of an older thread.
    """
    reading: Any = model_inside(model)
    decoder = find_decoder(reading)
    audio_mask = _checked_mask(audio_mask)
    with only_user_of(decoder), ExitStack() as undo:
        block = _block(reading, decoder, method, audio_mask, MergeTrace(keep_assignments), watch or Unwatched())
        session = Session(block)
        undo.enter_context(session.callers.in_context())
        undo.enter_context(replaced_forward(decoder, partial(session.decoder_forward, running_forward(decoder))))
        if hasattr(decoder, "rotary_emb"):
            hook = decoder.rotary_emb.register_forward_pre_hook(session.note_positions, with_kwargs=True)
            undo.callback(hook.remove)
        if hasattr(reading, GUESSES):
            undo.enter_context(replaced_method(reading, GUESSES, partial(session.guess, getattr(reading, GUESSES))))
        undo.enter_context(valid_frames(reading))
        if block.stages.input is not None:
            undo.enter_context(block.encoder.listening())
        for index in block.stages.patched:
            layer = block.layers[index]
            forward = running_forward(layer)
            undo.enter_context(replaced_forward(layer, partial(session.layer_forward, index, forward)))
        yield block.trace


GUESSES = "_get_candidate_generator"
"""The method that `generate()` calls first in assisted and prompt look-up decoding."""


def _block(model: Any, decoder: Any, method: MergeMethod, audio_BT: Tensor, trace: MergeTrace, watch: Watch) -> Block:
    """The facts about a block that are known from the start. Raises ValueError, before anything is replaced, where the
    block cannot work."""
    layers, halves, tail = layers_of(decoder), tuple[Halves, ...](), Tail()
    stages = Stages.of(method, len(layers))
    if stages.patched:
        device = input_device(decoder)
        device = audio_BT.device if device.type == "meta" else device
        for index in stages.patched:
            _check_kernels(layers[index], stages)
        proofs, tail = examine(decoder, device, model)
        halves = tuple(_proved(layers[index], index, proof, stages) for index, proof in enumerate(proofs))
    encoder = EncoderTap(model)
    return Block(decoder, list(layers), halves, tail.norm, tail.whole, stages, encoder, audio_BT, trace, watch)


def _check_kernels(layer: Any, stages: Stages) -> None:
    for module in layer.modules():
        if hasattr(getattr(module, "config", None), "_attn_implementation"):
            check_kernel(module, proportional=stages.proportional)
            if stages.cache is not None and stages.cache.uneven:
                check_masks_by_head(module)


def _proved(layer: Any, index: int, proof: Any, stages: Stages) -> Any:
    """The layer's halves; ValueError where they are needed and there are none."""
    if index not in stages.patched:
        return proof
    if isinstance(proof, str):
        raise UnsupportedError(
            f"merging() does not support {type(layer).__name__} (layer {index}): {proof}. It cuts a layer after "
            "attention; choose a model whose layers read residual + attention, then residual + MLP"
        )
    return proof


def _checked_mask(audio_mask: Tensor) -> Tensor:
    if audio_mask.ndim != 2 or audio_mask.dtype != torch.bool:
        raise ValueError(
            f"audio_mask must be a bool tensor of (batch, prompt length), got {audio_mask.dtype} of "
            f"{tuple(audio_mask.shape)}; for example inputs.input_ids == model.config.audio_token_id"
        )
    return audio_mask
