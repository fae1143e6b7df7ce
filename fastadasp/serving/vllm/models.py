"""vLLM's audio models with fewer tokens: `fastadasp.serving.vllm.models:ARCHITECTURE`, made when first asked for."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache, partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from vllm.multimodal import MULTIMODAL_REGISTRY

from fastadasp.engine.encoder import EncoderTap
from fastadasp.engine.valid_frames import valid_frames
from fastadasp.serving.clips import check_on_clips, reduce_clips
from fastadasp.serving.settings import Served
from fastadasp.serving.vllm.families import FAMILIES, MODELS
from fastadasp.serving.vllm.positions import Clip, corrected_positions, planned_positions, with_places, without_places
from fastadasp.serving.vllm.processor import COUNTS, ReducingProcessor, served_by


class ReducingModel:
    """To be put before a model of vLLM in the bases of a class."""

    def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:
        super().__init__(vllm_config=vllm_config, prefix=prefix)  # type: ignore[call-arg]
        self.served = served_by(vllm_config.model_config.hf_config)
        self.encoder_tap: EncoderTap | None = None
        if self.served is not None:
            tap = EncoderTap(self)  # type: ignore[arg-type]
            if check_on_clips(self.served.method, encoder=tap.attention is not None):
                self.encoder_tap = tap

    def embed_multimodal(self, **inputs: Any) -> Any:
        """The embeddings of each item; of audio, after reduction. An encoder that masks its padding reads only the
        frames that hold audio."""
        counts = inputs.pop(COUNTS, None)
        tap = self.encoder_tap
        if self.served is None or counts is None:
            return super().embed_multimodal(**inputs)  # type: ignore[misc]
        with valid_frames(self), tap.listening() if tap is not None else nullcontext():
            clips = list(super().embed_multimodal(**inputs))  # type: ignore[misc]
            attend = None if tap is None else partial(tap.read, 1)
            kept = [int(left) for _, left in counts]
            tokens, places = reduce_clips(clips, kept, self.served.method, attend)
        if not self.served.original:
            return tuple(tokens)
        return tuple(map(with_places, tokens, places))


class OriginalPositions:
    """For models whose fused tokens may keep the positions of the audio that they stand for."""

    supports_mrope = True
    supports_multimodal_pruning = True
    supported_video_pruning_methods = ("evs",)

    served: Served | None

    def get_mrope_input_positions(self, input_tokens: list[int], mm_features: list[Any]) -> tuple[Tensor, int]:
        """Positions before audio is encoded: see `planned_positions`."""
        if self.served is None:
            return super().get_mrope_input_positions(input_tokens, mm_features)  # type: ignore[misc,no-any-return]
        clips = []
        for feature in mm_features:
            whole, left = feature.data[COUNTS].data.tolist()
            clips.append(Clip(feature.mm_position.offset, left, whole if self.served.original else left))
        return planned_positions(len(input_tokens), sorted(clips))

    def recompute_mrope_positions(
        self,
        input_ids: list[int] | Tensor,
        multimodal_embeddings: Sequence[Tensor],
        mrope_positions: Tensor,
        num_computed_tokens: int,
    ) -> tuple[Sequence[Tensor], Tensor, int]:
        """The embeddings without the places that they carry, and the positions that follow from these."""
        if self.served is None or not self.served.original:
            ahead = int(mrope_positions.max()) + 1 - mrope_positions.shape[1]
            return multimodal_embeddings, mrope_positions, ahead
        carried = [without_places(one) for one in multimodal_embeddings]
        positions, ahead = corrected_positions(
            torch.as_tensor(input_ids),
            _audio_id(self.config),  # type: ignore[attr-defined]
            [places for _, places in carried],
            mrope_positions,
            num_computed_tokens,
        )
        return [tokens for tokens, _ in carried], positions, ahead


def _audio_id(config: Any) -> int:
    """The id of the placeholder of audio, under each of its names."""
    names = ("audio_token_id", "audio_token_index")
    return next(int(value) for name in names if (value := getattr(config, name, None)) is not None)


@cache
def _reducing(architecture: str) -> type:
    family = FAMILIES[architecture]
    base = getattr(import_module(f"{MODELS}.{family.module}"), family.class_name)
    factories = base._processor_factory
    model = type(architecture, (ReducingModel, OriginalPositions, base), {"__module__": __name__})
    processor = type(f"Reducing{factories.processor.__name__}", (ReducingProcessor, factories.processor), {})
    register = MULTIMODAL_REGISTRY.register_processor(
        processor, info=factories.info, dummy_inputs=factories.dummy_inputs
    )
    return register(model)  # type: ignore[no-any-return]


def __getattr__(name: str) -> type:
    if name not in FAMILIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _reducing(name)
