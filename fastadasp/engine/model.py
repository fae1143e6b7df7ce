"""The transformers model inside whatever a user has wrapped around one."""

from typing import Any

from torch import nn
from transformers import PreTrainedModel


def model_inside(given: Any) -> Any:
    """The outermost PreTrainedModel of what `fastadasp.load` returns, DDP, FSDP, DataParallel, PEFT, torch.compile or a
    module of the user's own; `given` where there is none. ValueError where there are several side by side."""
    model = getattr(given, "transformers_model", given)
    if isinstance(model, PreTrainedModel) or not isinstance(model, nn.Module):
        return model
    found: dict[str, PreTrainedModel] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, PreTrainedModel) and not inside:
            found[name] = module
    if len(found) > 1:
        raise ValueError(
            f"merging() needs one model of transformers; {type(model).__name__} holds {len(found)} "
            f"({', '.join('.' + name for name in found)}); pass the one that reads the audio and writes the text"
        )
    return next(iter(found.values()), model)
