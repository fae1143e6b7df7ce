"""The transformers model inside whatever a user has wrapped around one."""

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from fastadasp.engine.decoder import decoders
from fastadasp.engine.encoder import find_encoder
from fastadasp.errors import UnsupportedError


def model_inside(given: Any) -> Any:
    """The outermost PreTrainedModel of what `fastadasp.load` returns, DDP, FSDP, DataParallel, PEFT, torch.compile or a
    module of the user's own; within that model the part that hears and writes, where other parts speak.

    `given` where there is no such model. Raises ValueError where there are several side by side.
    """
    model = getattr(given, "transformers_model", given)
    if isinstance(model, PreTrainedModel):
        return _listener(model)
    if not isinstance(model, nn.Module):
        return model
    found: dict[str, PreTrainedModel] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, PreTrainedModel) and not inside:
            found[name] = module
    if len(found) > 1:
        raise UnsupportedError(
            f"merging() needs one model of transformers; {type(model).__name__} holds {len(found)} "
            f"({', '.join('.' + name for name in found)}); pass the one that reads the audio and writes the text"
        )
    outermost = next(iter(found.values()), None)
    return model if outermost is None else _listener(outermost)


def _listener(model: PreTrainedModel) -> PreTrainedModel:
    """The only part that hears and writes, of a model with several generating parts (Qwen2.5-Omni); else the model."""
    parts = [part for part in model.children() if isinstance(part, PreTrainedModel) and hasattr(part, "generate")]
    hearing = [part for part in parts if find_encoder(part) is not None and len(decoders(part)) == 1]
    return hearing[0] if len(hearing) == 1 else model
