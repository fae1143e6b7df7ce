"""WavLLM as one transformers model: recordings and instructions in, text out, with any `generate()`.

B rows (left-padded; beams expanded), T prompt tokens, D channels, P tokens of an instruction.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, DynamicCache, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import CausalLMOutputWithPast

from fastadasp.models.wavllm.audio import AudioEncoder
from fastadasp.models.wavllm.configuration import WavLLMConfig
from fastadasp.models.wavllm.decoder import GatedLlama
from fastadasp.models.wavllm.gate import PromptGate
from fastadasp.models.wavllm.wavlm import WavLMStream

PROMPT_INPUTS = (
    "input_features",
    "input_values",
    "audio_samples",
    "instruction_ids",
    "instruction_mask",
    "instruction_tokens",
)
"""Inputs that only the first forward pass over a prompt takes."""


@dataclass
class WavLLMOutput(CausalLMOutputWithPast):  # type: ignore[misc]  # transformers is untyped
    """Logits and cache, and the prompts' gates, which every later step needs."""

    lora_gate: Tensor | None = None
    """(B, D)."""


class WavLLMForConditionalGeneration(PreTrainedModel, GenerationMixin):  # type: ignore[misc]  # transformers is untyped
    """Whisper and WavLM in front of LLaMA, whose LoRA weights are gated by the instruction."""

    config_class = WavLLMConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = ("audio", "text")
    supports_gradient_checkpointing = True
    _no_split_modules = ("LlamaDecoderLayer", "WavLMEncoderLayer", "WhisperEncoderLayer")
    _skip_keys_device_placement = "past_key_values"
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: WavLLMConfig) -> None:
        super().__init__(config)
        text: Any = config.text_config
        self.audio = AudioEncoder(config)
        self.gate = PromptGate(config)
        self.language_model = GatedLlama(text, config.lora_rank)
        self.lm_head: nn.Module = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, WavLMStream):
            init.ones_(module.output_weights)

    def get_input_embeddings(self) -> nn.Module:
        """The decoder's."""
        return self.language_model.embed_tokens  # type: ignore[no-any-return]

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the decoder's."""
        self.language_model.embed_tokens = value

    def get_output_embeddings(self) -> nn.Module:
        """The head."""
        return self.lm_head

    def set_output_embeddings(self, value: nn.Module) -> None:
        """Replace the head."""
        self.lm_head = value

    def read_instructions(self, instruction_ids: Tensor, instruction_mask: Tensor) -> Tensor:
        """(B, D): each row's gate. Equal instructions (of beams, or of all rows in a task) are read once."""
        padded_BP = torch.where(instruction_mask.bool(), instruction_ids, -1)
        padded_UP, which_B = torch.unique(padded_BP, dim=0, return_inverse=True)
        hidden_UPD = self.language_model.read_plainly(padded_UP.clamp_min(0))
        gate_UD: Tensor = self.gate(hidden_UPD, (padded_UP >= 0).to(hidden_UPD.device))
        return gate_UD[which_B.to(gate_UD.device)]

    def embed(self, input_ids: Tensor, input_features: Tensor, input_values: Tensor, audio_samples: Tensor) -> Tensor:
        """(B, T, D): prompts with their recordings in place; ValueError where a prompt has no room for its own."""
        placeholder_BT = input_ids == self.config.audio_token_id
        embeds_BTD: Tensor = self.get_input_embeddings()(input_ids)
        rows = self.audio(input_features, input_values, audio_samples.tolist())
        needed, room = [len(row) for row in rows], placeholder_BT.sum(1).tolist()
        if needed != room:
            raise ValueError(
                f"the prompts hold {room} audio placeholders (id {self.config.audio_token_id}), their recordings make "
                f"{needed} tokens; let WavLLMProcessor build the inputs, and pad with another id"
            )
        flat_ND = torch.cat(rows).to(embeds_BTD.device, embeds_BTD.dtype)
        return embeds_BTD.masked_scatter(placeholder_BT[..., None], flat_ND)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        input_features: Tensor | None = None,
        input_values: Tensor | None = None,
        audio_samples: Tensor | None = None,
        instruction_ids: Tensor | None = None,
        instruction_mask: Tensor | None = None,
        instruction_tokens: Tensor | None = None,
        lora_gate: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> WavLLMOutput:
        """Logits of a prompt, or of what follows one.

        input_features, input_values, audio_samples: recordings, as WavLLMFeatureExtractor gives them.
        instruction_ids, instruction_mask: (B, P), what `lora_gate` is computed from, unless it is given.
        instruction_tokens: (B,) how many of a prompt's last tokens `prefill=released` reads one by one.
        Without a cache (use_cache=False) a prompt is always read whole.
        """
        if inputs_embeds is None and input_features is not None:
            inputs_embeds = self.embed(input_ids, input_features, input_values, audio_samples)  # type: ignore[arg-type]
        elif inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        if lora_gate is None and instruction_ids is not None:
            lora_gate = self.read_instructions(instruction_ids, instruction_mask)  # type: ignore[arg-type]
        use_cache = self.config.text_config.use_cache if use_cache is None else use_cache
        begins = past_key_values is None or past_key_values.get_seq_length() == 0
        in_parts = self.config.prefill == "released" and begins and use_cache
        read: Any = self.language_model
        if in_parts and instruction_tokens is not None:
            read = partial(self._read_in_parts, instruction_tokens)
        outputs = read(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
            lora_gate=lora_gate,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(outputs.last_hidden_state[:, kept])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=logits.shape[-1])
        return WavLLMOutput(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            lora_gate=lora_gate,
        )

    def _read_in_parts(
        self,
        instruction_tokens: Tensor,
        *,
        inputs_embeds: Tensor,
        attention_mask: Tensor | None,
        position_ids: Tensor | None,
        past_key_values: Any,
        **kwargs: Any,
    ) -> Any:
        """The decoder up to what follows the audio, then one token at a time; one output for all of it."""
        counts = sorted(set(instruction_tokens.tolist()))
        if len(counts) > 1:
            raise ValueError(
                "prefill=released reads instructions token by token, so all of a batch must be equally long; got "
                f"{counts} tokens. Give prompts with unlike instructions one after the other, or use prefill=whole"
            )
        total = inputs_embeds.shape[1]
        if position_ids is None:
            position_ids = torch.arange(total, device=inputs_embeds.device)[None]
        cache = DynamicCache(config=self.config.text_config) if past_key_values is None else past_key_values
        ends = range(total - counts[0], total + 1)
        states = []
        for first, end in zip([0, *ends], ends, strict=False):
            begins = {} if first else {"prompt_length": total}
            outputs = self.language_model(
                inputs_embeds=inputs_embeds[:, first:end],
                attention_mask=None if attention_mask is None else attention_mask[:, :end],
                position_ids=position_ids[..., first:end],
                past_key_values=cache,
                **begins,
                **kwargs,
            )
            states.append(outputs.last_hidden_state)
        outputs.last_hidden_state = torch.cat(states, 1)
        return outputs

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        *args: Any,
        inputs_embeds: Tensor | None = None,
        is_first_iteration: bool | None = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Prepare the inputs of a step as `GenerationMixin` does.

        Recordings and instructions are inputs of the first step, the prompt, alone.
        """
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, *args, inputs_embeds=inputs_embeds, is_first_iteration=is_first_iteration, **kwargs
        )
        if not is_first_iteration and kwargs.get("use_cache", True):
            for name in PROMPT_INPUTS:
                inputs.pop(name, None)
        return inputs

    def _get_candidate_generator(self, *args: Any, **kwargs: Any) -> Any:
        """What transformers calls first in assisted and prompt look-up decoding; ValueError where that cannot work."""
        if self.config.prefill == "released":
            raise ValueError(
                "prefill=released reads the instruction token by token, so guessed tokens cannot be read with it; "
                "use prefill=whole (model.prefill) for assisted and prompt look-up decoding"
            )
        return super()._get_candidate_generator(*args, **kwargs)

    def _update_model_kwargs_for_generation(
        self, outputs: WavLLMOutput, model_kwargs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Hand the gate on to the next step."""
        updated: dict[str, Any] = super()._update_model_kwargs_for_generation(outputs, model_kwargs, *args, **kwargs)
        return updated if outputs.lora_gate is None else {**updated, "lora_gate": outputs.lora_gate}


AutoModelForCausalLM.register(WavLLMConfig, WavLLMForConditionalGeneration, exist_ok=True)
