"""Fewer placeholders for each clip, so that vLLM plans pages, caches and chunks for the shorter prompt at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from vllm.multimodal.inputs import MultiModalFieldConfig
from vllm.multimodal.processing import PromptUpdateDetails

from fastadasp.errors import ConfigError
from fastadasp.serving.clips import kept_tokens
from fastadasp.serving.settings import Served, split
from fastadasp.serving.vllm.plugin import SETTINGS

COUNTS = "fastadasp_counts"
"""The field of an audio item that tells the model (n, S): how many tokens the encoder gives, and how many stay."""


def served_by(hf_config: Any) -> Served | None:
    """The settings that `plugin.take_settings` has put into a model's configuration; None without any."""
    settings = getattr(hf_config, SETTINGS, None)
    return None if settings is None else Served.of(settings)


class ReducingProcessor:
    """To be put before a processor of vLLM in the bases of a class."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.served = served_by(self.info.ctx.model_config.hf_config)  # type: ignore[attr-defined]

    def _ratio(self, given: Mapping[str, object]) -> float | None:
        """The ratio of a request; None where the server reduces nothing."""
        own, _ = split(given)
        if self.served is not None:
            return self.served.ratio(own)
        if own:
            raise ConfigError(
                f"a request gives {', '.join(sorted(own))}, but this server reduces no tokens; start it with "
                '--mm-processor-kwargs \'{"merge": "blend_input", "ratio": 0.5}\''
            )
        return None

    def _get_mm_hashes(self, inputs: Any) -> Any:
        """The names of cached items: audio that is reduced in another way is another item."""
        ratio = self._ratio(inputs.hf_processor_mm_kwargs)
        _, others = split(inputs.hf_processor_mm_kwargs)
        hashes = super()._get_mm_hashes(replace(inputs, hf_processor_mm_kwargs=others))  # type: ignore[misc]
        if ratio is None or self.served is None or "audio" not in hashes:
            return hashes
        from zlib import crc32

        tag = f"{crc32(f'{replace(self.served.method, ratio=ratio)}'.encode()):08x}"
        return hashes | {"audio": [f"{name}-{tag}" for name in hashes["audio"]]}

    def _apply_hf_processor_main(self, mm_items: Any, hf_kwargs: Mapping[str, object]) -> Any:
        ratio = self._ratio(hf_kwargs)
        _, others = split(hf_kwargs)
        data = super()._apply_hf_processor_main(mm_items, others)  # type: ignore[misc]
        if ratio is not None and (clips := mm_items.get_all_counts().get("audio", 0)):
            data[COUNTS] = torch.zeros(clips, 2, dtype=torch.int64)  # filled in by `_get_prompt_updates`
        return data

    def _get_mm_fields_config(self, hf_inputs: Any, hf_processor_mm_kwargs: Mapping[str, object]) -> Any:
        _, others = split(hf_processor_mm_kwargs)
        fields = dict(super()._get_mm_fields_config(hf_inputs, others))  # type: ignore[misc]
        if COUNTS in hf_inputs:
            fields[COUNTS] = MultiModalFieldConfig.batched("audio", keep_on_cpu=True)
        return fields

    def _get_prompt_updates(
        self, mm_items: Any, hf_processor_mm_kwargs: Mapping[str, object], out_mm_kwargs: Any
    ) -> Sequence[Any]:
        ratio = self._ratio(hf_processor_mm_kwargs)
        _, others = split(hf_processor_mm_kwargs)
        updates = super()._get_prompt_updates(mm_items, others, out_mm_kwargs)  # type: ignore[misc]
        if ratio is None:
            return updates  # type: ignore[no-any-return]
        return [
            self._shortened(update, ratio, mm_items, out_mm_kwargs) if update.modality == "audio" else update
            for update in updates
        ]

    def _shortened(self, update: Any, ratio: float, mm_items: Any, out_mm_kwargs: Any) -> Any:
        """The update with fewer placeholders; how many there were and are is written into each item."""
        contents = []
        for index in range(mm_items.get_all_counts().get("audio", 0)):
            content, counts = with_fewer_placeholders(update.resolve(index).content, ratio)
            out_mm_kwargs["audio"][index][COUNTS].data[:] = torch.tensor(counts)
            contents.append(content)
        return replace(update, replacement=contents.__getitem__)


def with_fewer_placeholders(content: Any, ratio: float) -> tuple[Any, tuple[int, int]]:
    """What replaces a clip in the prompt, with n - int(n · ratio) of its n placeholders; and (n, how many are left).

    content: `PromptUpdateDetails`. Raises ValueError where the placeholders of a clip do not stand side by side.
    """
    tokens = list(content.full)
    holds = [True] * len(tokens) if content.is_embed is None else content.is_embed(tokens).tolist()
    places = [place for place, audio in enumerate(holds) if audio]
    if not places or places[-1] - places[0] + 1 != len(places):
        raise ValueError(
            f"the {len(places)} placeholders of a clip do not stand side by side in this model's prompt, so that no "
            "server can shorten them; choose a server without `merge`"
        )
    kept = kept_tokens(len(places), ratio)
    gone = slice(places[0] + kept, places[-1] + 1)
    del tokens[gone]
    return PromptUpdateDetails(full=tokens, is_embed=content.is_embed), (len(places), kept)
