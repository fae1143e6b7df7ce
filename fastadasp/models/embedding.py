"""What the decoder of a SpeechLM reads, before it reads it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


class _Reached(Exception):  # noqa: N818  # an event, no error
    """The model has come to its decoder."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.arguments = arguments


def prompt_embeddings(model: "PreTrainedModel", inputs: Mapping[str, Any]) -> "Tensor":
    """(B, T, D): embeddings of a batch's prompts, audio features in their places. The decoder does not run.

    Beam search needs them: transformers repeats the rows of every tensor for their beams, but features have a row for
    each clip, so that the beams of a prompt of several clips would get each other's. The encoder then runs once, too.
    """
    embeddings: Tensor = decoder_arguments(model, inputs)["inputs_embeds"]
    return embeddings


def decoder_arguments(model: "PreTrainedModel", inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `model` calls its decoder with for a batch's prompts. The decoder does not run."""
    from fastadasp.engine.decoder import find_decoder
    from fastadasp.engine.valid_frames import valid_frames

    def stop(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        raise _Reached(kwargs)

    hook = find_decoder(model).register_forward_pre_hook(stop, with_kwargs=True)
    try:
        with valid_frames(model):
            model(**inputs, use_cache=False)
    except _Reached as reached:
        return reached.arguments
    finally:
        hook.remove()
    raise TypeError(f"{type(model).__name__} does not call the decoder that it holds")
