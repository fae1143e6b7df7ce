"""The released WavLLM restated slowly: its own key names, interleaved rotation, one token at a time, one row.

Written from the description of the released code, and apart from the project's modules: plain tensors by key, complex
numbers for the rotation, no cache (every step reads all tokens anew). Only the two published encoders are those of
transformers. T tokens, D channels, H heads, d channels per head.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from transformers import WavLMConfig, WavLMModel, WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

EPSILON = 1e-6
ATTENTION = ("wq", "wk", "wv", "wo")


@dataclass(frozen=True)
class Sizes:
    """A WavLLM of any size; every dimension differs from every other, so that none can be taken for another."""

    hidden: int = 48
    heads: int = 4
    layers: int = 4
    ffn: int = 72
    vocab: int = 380
    rank: int = 5
    gate: int = 20
    stream: int = 28
    bottleneck: int = 10
    projected: int = 34
    whisper_middle: int = 26
    wavlm_middle: int = 18

    def whisper(self) -> WhisperConfig:
        return WhisperConfig(
            num_mel_bins=80, d_model=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=44
        )

    def wavlm(self) -> WavLMConfig:
        return WavLMConfig(
            hidden_size=24,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=40,
            conv_dim=[16] * 7,
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=2,
        )


def encoders(sizes: Sizes) -> tuple[WhisperEncoder, WavLMModel]:
    """Both with eager attention, in evaluation mode."""
    whisper, wavlm = sizes.whisper(), sizes.wavlm()
    whisper._attn_implementation = wavlm._attn_implementation = "eager"
    return WhisperEncoder(whisper).eval(), WavLMModel(wavlm).eval()


def released_weights(sizes: Sizes, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """A checkpoint's `model` with every key of the released one, all values random and large enough to matter."""
    torch.manual_seed(0)
    whisper, wavlm = encoders(sizes)
    s, llama = sizes, "gpt_model.model_llama"
    shapes: dict[str, tuple[int, ...]] = {}
    for stream, size, middle in (
        ("audio_encoder", 32, s.whisper_middle),
        ("wavlm_encoder", 24, s.wavlm_middle),
    ):
        shapes |= {
            f"{stream}.subsample.conv_layers.0.weight": (middle, size, 3),
            f"{stream}.subsample.conv_layers.0.bias": (middle,),
            f"{stream}.subsample.conv_layers.1.weight": (2 * s.stream, middle // 2, 3),
            f"{stream}.subsample.conv_layers.1.bias": (2 * s.stream,),
            f"{stream}.adapter.down_layer.weight": (s.bottleneck, s.stream),
            f"{stream}.adapter.down_layer.bias": (s.bottleneck,),
            f"{stream}.adapter.up_layer.weight": (s.stream, s.bottleneck),
            f"{stream}.adapter.up_layer.bias": (s.stream,),
            f"{stream}.adapter.layer_norm.weight": (s.stream,),
            f"{stream}.adapter.layer_norm.bias": (s.stream,),
            f"{stream}.projector.weight": (s.projected, s.stream),
            f"{stream}.projector.bias": (s.projected,),
        }
    shapes |= {
        "wavlm_encoder.output_weights": (4,),
        "wavlm_audio_proj.weight": (s.hidden, 2 * s.projected),
        "wavlm_audio_proj.bias": (s.hidden,),
        "audio_proj.weight": (s.hidden, s.projected),
        "audio_proj.bias": (s.hidden,),
        f"{llama}.tok_embeddings.weight": (s.vocab, s.hidden),
        f"{llama}.norm.weight": (s.hidden,),
        f"{llama}.output.weight": (s.vocab, s.hidden),
        f"{llama}.scale_fc_1.weight": (s.gate, s.hidden),
        f"{llama}.scale_fc_1.bias": (s.gate,),
        f"{llama}.scale_fc_2.weight": (s.hidden, s.gate),
        f"{llama}.scale_fc_2.bias": (s.hidden,),
        f"{llama}.scale_weight_attention.weight": (1, s.hidden),
        f"{llama}.scale_weight_attention.bias": (1,),
    }
    for layer in (f"{llama}.layers.{n}" for n in range(s.layers)):
        for name in ATTENTION:
            shapes[f"{layer}.attention.{name}.weight"] = (s.hidden, s.hidden)
            shapes[f"{layer}.attention.{name}_lora_A"] = (s.hidden, s.rank)
            shapes[f"{layer}.attention.{name}_lora_B"] = (s.rank, s.hidden)
        shapes[f"{layer}.feed_forward.w1.weight"] = shapes[f"{layer}.feed_forward.w3.weight"] = (s.ffn, s.hidden)
        shapes[f"{layer}.feed_forward.w2.weight"] = (s.hidden, s.ffn)
        shapes[f"{layer}.attention_norm.weight"] = shapes[f"{layer}.ffn_norm.weight"] = (s.hidden,)
    weights = {key: torch.randn(shape) / math.sqrt(shape[-1]) for key, shape in shapes.items()}
    for key, value in weights.items():
        if key.endswith("norm.weight"):
            value.add_(1)
        if "scale_fc_2" in key:
            value.mul_(6)  # some gates reach their limit, some are 0
        if ".attention.w" in key:
            value.mul_(0.4)  # sharp attention would make rounding visible
        if key.startswith("wavlm_audio_proj"):
            value.mul_(0.2)  # audio as loud as text
    weights |= {f"audio_encoder.model.{key}": _loud(value) for key, value in whisper.state_dict().items()}
    former = (("parametrizations.weight.original0", "weight_g"), ("parametrizations.weight.original1", "weight_v"))
    for key, value in wavlm.state_dict().items():
        for now, then in former:
            key = key.replace(now, then)
        weights[f"wavlm_encoder.model.{key}"] = _loud(value)
    return {key: value.to(dtype) for key, value in weights.items()}


def _loud(weight: Tensor) -> Tensor:
    """Random encoders give nearly the same for all sounds unless their weights are large."""
    return weight * 4 if weight.ndim > 1 else weight


class Released:
    """One utterance at a time."""

    def __init__(self, sizes: Sizes, weights: dict[str, Tensor]) -> None:
        self.sizes, self.weights = sizes, {key: value.float() for key, value in weights.items()}
        self.whisper, self.wavlm = encoders(sizes)
        self._fill(self.whisper, "audio_encoder.model.")
        self._fill(self.wavlm, "wavlm_encoder.model.")

    def _fill(self, encoder: Any, prefix: str) -> None:
        own = {key.removeprefix(prefix): value for key, value in self.weights.items() if key.startswith(prefix)}
        now = (("weight_g", "parametrizations.weight.original0"), ("weight_v", "parametrizations.weight.original1"))
        for then, present in now:
            own = {key.replace(then, present): value for key, value in own.items()}
        encoder.load_state_dict(own)

    def __getitem__(self, key: str) -> Tensor:
        return self.weights[key]

    def linear(self, x: Tensor, key: str) -> Tensor:
        return F.linear(x, self[f"{key}.weight"], self.weights.get(f"{key}.bias"))

    def connect(self, frames_1TC: Tensor, stream: str) -> Tensor:
        """(N, projected): two gated convolutions, the bottleneck, the projection."""
        x = frames_1TC.transpose(1, 2)
        for number in range(2):
            conv = f"{stream}.subsample.conv_layers.{number}"
            x = F.conv1d(x, self[f"{conv}.weight"], self[f"{conv}.bias"], stride=2, padding=1)
            value, gate = x.chunk(2, dim=1)
            x = value * torch.sigmoid(gate)
        x = x.transpose(1, 2)
        branch = self.linear(F.gelu(self.linear(x, f"{stream}.adapter.down_layer")), f"{stream}.adapter.up_layer")
        norm = f"{stream}.adapter.layer_norm"
        x = F.layer_norm(branch, branch.shape[-1:], self[f"{norm}.weight"], self[f"{norm}.bias"]) + x
        return self.linear(x, f"{stream}.projector")[0]

    def audio(self, windows_W80F: Tensor, waveform: Tensor) -> Tensor:
        """(N, D): what the decoder reads of a recording. windows: log-mel of 30 s each; waveform: (samples,)."""
        samples = len(waveform)
        longest = min(samples, 480_000)
        kept = ((longest + 159) // 160 - 1) // 2 + 1
        frames = self.whisper(windows_W80F).last_hidden_state[:, :kept]
        by_whisper = torch.cat([self.connect(window[None], "audio_encoder") for window in frames])
        layers = self.wavlm(waveform[None], output_hidden_states=True).hidden_states
        share = self["wavlm_encoder.output_weights"].softmax(0)
        mixed = sum(weight * layer for weight, layer in zip(share, layers, strict=True))
        by_wavlm = self.connect(mixed, "wavlm_encoder")
        shorter = min(len(by_whisper), len(by_wavlm))
        return self.linear(torch.cat((by_whisper[:shorter], by_wavlm[:shorter]), 1), "wavlm_audio_proj")

    def norm(self, x: Tensor, key: str) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * self[f"{key}.weight"]

    def rotated(self, x_TD: Tensor) -> Tensor:
        """(T, H, d): neighbouring channels of a head are the two parts of a complex number."""
        tokens = len(x_TD)
        d = self.sizes.hidden // self.sizes.heads
        frequency = 1.0 / (10_000.0 ** (torch.arange(0, d, 2).float() / d))  # to the last bit as in LLaMA
        turn = torch.polar(torch.ones(tokens, d // 2), torch.arange(tokens).float()[:, None] * frequency)
        pairs = torch.view_as_complex(x_TD.reshape(tokens, self.sizes.heads, d // 2, 2).contiguous())
        return torch.view_as_real(pairs * turn[:, None]).flatten(-2)

    def project(self, x: Tensor, layer: str, name: str, gate: Tensor | None) -> Tensor:
        key = f"{layer}.attention.{name}"
        plain = F.linear(x, self[f"{key}.weight"])
        return plain if gate is None else plain + (x @ self[f"{key}_lora_A"] @ self[f"{key}_lora_B"]) * gate

    def layers(self, hidden_TD: Tensor, gate: Tensor | None) -> Tensor:
        """All blocks, causal, from position 0; without the final norm."""
        h = hidden_TD
        hidden = torch.full((len(h), len(h)), -torch.inf).triu(1)
        for layer in (f"gpt_model.model_llama.layers.{number}" for number in range(self.sizes.layers)):
            x = self.norm(h, f"{layer}.attention_norm")
            q, k = (self.rotated(self.project(x, layer, name, gate)) for name in ("wq", "wk"))
            v = self.project(x, layer, "wv", gate).view_as(q)
            scores = torch.einsum("qhd,khd->hqk", q, k) / math.sqrt(q.shape[-1]) + hidden
            heads = torch.einsum("hqk,khd->qhd", scores.softmax(-1), v).flatten(1)
            h = h + self.project(heads, layer, "wo", gate)
            x = self.norm(h, f"{layer}.ffn_norm")
            up, down = F.silu(self.linear(x, f"{layer}.feed_forward.w1")), f"{layer}.feed_forward.w2"
            h = h + self.linear(up * self.linear(x, f"{layer}.feed_forward.w3"), down)
        return h

    def embed(self, ids: list[int]) -> Tensor:
        return self["gpt_model.model_llama.tok_embeddings.weight"][torch.tensor(ids)]

    def gate(self, instruction: list[int]) -> Tensor:
        """(D,): from the instruction in quotes, read without LoRA."""
        llama = "gpt_model.model_llama"
        hidden = self.layers(self.embed(instruction), None)
        scale = self.linear(F.gelu(self.linear(hidden, f"{llama}.scale_fc_1")), f"{llama}.scale_fc_2")
        share = self.linear(scale, f"{llama}.scale_weight_attention").softmax(0)
        return (scale * share).sum(0).relu().clamp(max=3)

    def logits(self, audio_ND: Tensor, left: list[int], right: list[int], gate: Tensor) -> Tensor:
        """(T, vocab) of `left | audio | right`."""
        h = self.layers(torch.cat((self.embed(left), audio_ND, self.embed(right))), gate)
        return F.linear(self.norm(h, "gpt_model.model_llama.norm"), self["gpt_model.model_llama.output.weight"])

    def greedy(self, audio_ND: Tensor, left: list[int], right: list[int], gate: Tensor, steps: int) -> list[int]:
        """The likeliest token each time; `right` begins with the start token."""
        written: list[int] = []
        for _ in range(steps):
            written.append(int(self.logits(audio_ND, left, [*right, *written], gate)[-1].argmax()))
            if written[-1] == 2:
                break
        return written
