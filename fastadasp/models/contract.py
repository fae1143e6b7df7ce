"""What a run and the engine rely on in an adapter (docs/add-a-model.md), checked when it is loaded and first used.

Without these checks a wrong adapter gives wrong answers or wrong costs, or an error deep inside transformers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastadasp.models.base import ModelAdapter, ModelError

if TYPE_CHECKING:
    from transformers import BatchFeature, PreTrainedModel


def check_model(adapter: ModelAdapter, model: "PreTrainedModel") -> None:
    """ModelError that lists what a loaded model does otherwise than its adapter says, or than the engine needs."""
    from fastadasp.engine.decoder import find_decoder, layers_of

    problems = []
    if adapter.model is not model:
        problems.append("`model` must give the model that `load` returns")
    if model.training:
        problems.append("`load` must return the model in eval mode; call .eval()")
    problems += [
        f"the model must have generation_config.{name}, by which answers end and are padded"
        for name in ("eos_token_id", "pad_token_id")
        if not hasattr(getattr(model, "generation_config", None), name)
    ]
    try:
        decoder = find_decoder(model)
    except ValueError as error:
        problems.append(str(error))
    else:
        found = {"layers": len(layers_of(decoder)), "hidden": _width(decoder)}
        for name, value in found.items():
            if value is not None and value != getattr(adapter.shape, name):
                problems.append(f"`shape.{name}` says {getattr(adapter.shape, name)}, but the decoder has {value}")
    _refuse(adapter, problems)


def check_batch(adapter: ModelAdapter, prepared: Sequence[Any], inputs: "BatchFeature") -> None:
    """ModelError that lists what a batch is otherwise than a run and the engine need.

    prepared: the prompts of the batch's rows, as `prepare` gave them.
    """
    import torch

    audio_BT = adapter.audio_mask(inputs)
    real_BT = inputs["attention_mask"].bool() if "attention_mask" in inputs else None
    if real_BT is None or real_BT.ndim != 2 or len(real_BT) != len(prepared):
        got = "none" if real_BT is None else str(tuple(real_BT.shape))
        asked = f"`encode` must give an attention_mask of (rows, prompt length), {len(prepared)} rows"
        _refuse(adapter, [f"{asked}; got {got}"])
        return
    if audio_BT.dtype != torch.bool or audio_BT.shape != real_BT.shape:
        _refuse(
            adapter,
            [
                f"`audio_mask` must give a bool tensor of {tuple(real_BT.shape)}, the shape of the attention_mask; got "
                f"{audio_BT.dtype} of {tuple(audio_BT.shape)}"
            ],
        )
        return
    problems = []
    if bool((real_BT[:, :-1] & ~real_BT[:, 1:]).any()):
        problems.append("`encode` must pad prompts on the left: something is real before padding")
    if bool((audio_BT & ~real_BT).any()):
        problems.append("`audio_mask` marks padding as audio")
    audio_B = audio_BT.sum(1)
    counted = zip(audio_B.tolist(), (real_BT.sum(1) - audio_B).tolist(), strict=True)
    for row, (found, item) in enumerate(zip(counted, prepared, strict=True)):
        if found != (said := tuple(adapter.prompt_tokens(item))):
            problems.append(
                f"`prompt_tokens` says {said[0]} audio tokens and {said[1]} others in row {row}, but the batch holds "
                f"{found[0]} and {found[1]}"
            )
    _refuse(adapter, problems)


def _width(decoder: Any) -> int | None:
    """Channels of the decoder's hidden states; None where no norm tells."""
    weight = getattr(getattr(decoder, "norm", None), "weight", None)
    return None if weight is None else int(weight.shape[-1])


def _refuse(adapter: ModelAdapter, problems: Sequence[str]) -> None:
    if problems:
        name = f"{type(adapter).__module__}.{type(adapter).__qualname__}"
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ModelError(f"the adapter {name} does not keep the rules of docs/add-a-model.md:\n{listed}")
