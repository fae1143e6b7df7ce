"""Every weight of a released Qwen-Audio checkpoint, and its name in transformers' Qwen2-Audio.

Shapes are written in letters. V: rows of the embedding, D: channels of the decoder, T: three times as many, F: inner
channels of its MLP; A: channels of the encoder, I: inner channels of its MLP, M: mel channels, P: positions. Sources:
QwenLM/Qwen-Audio, modeling_qwen.py and audio.py, commit b50fb95.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from re import fullmatch

from torch import Tensor

from fastadasp.models.converting import Output
from fastadasp.models.qwen_audio.released import Released
from fastadasp.models.qwen_audio.tokenizer import AUDIO_END, AUDIO_START

_DECODER, _ENCODER = "model.language_model", "model.audio_tower"
_WHOLE = {
    "transformer.ln_f.weight": (f"{_DECODER}.norm.weight", "D"),
    "lm_head.weight": ("lm_head.weight", "VD"),
    "transformer.audio.conv1.weight": (f"{_ENCODER}.conv1.weight", "AM3"),
    "transformer.audio.conv1.bias": (f"{_ENCODER}.conv1.bias", "A"),
    "transformer.audio.conv2.weight": (f"{_ENCODER}.conv2.weight", "AA3"),
    "transformer.audio.conv2.bias": (f"{_ENCODER}.conv2.bias", "A"),
    "transformer.audio.positional_embedding": (f"{_ENCODER}.embed_positions.weight", "PA"),
    "transformer.audio.ln_post.weight": (f"{_ENCODER}.layer_norm.weight", "A"),
    "transformer.audio.ln_post.bias": (f"{_ENCODER}.layer_norm.bias", "A"),
    "transformer.audio.proj.weight": ("model.multi_modal_projector.linear.weight", "DA"),
    "transformer.audio.proj.bias": ("model.multi_modal_projector.linear.bias", "D"),
}
_DECODER_LAYER = {
    "ln_1.weight": ("input_layernorm.weight", "D"),
    "ln_2.weight": ("post_attention_layernorm.weight", "D"),
    "attn.c_proj.weight": ("self_attn.o_proj.weight", "DD"),
    "mlp.w2.weight": ("mlp.gate_proj.weight", "FD"),
    "mlp.w1.weight": ("mlp.up_proj.weight", "FD"),
    "mlp.c_proj.weight": ("mlp.down_proj.weight", "DF"),
}
_ENCODER_LAYER = {
    "attn.query.weight": ("self_attn.q_proj.weight", "AA"),
    "attn.query.bias": ("self_attn.q_proj.bias", "A"),
    "attn.key.weight": ("self_attn.k_proj.weight", "AA"),
    "attn.value.weight": ("self_attn.v_proj.weight", "AA"),
    "attn.value.bias": ("self_attn.v_proj.bias", "A"),
    "attn.out.weight": ("self_attn.out_proj.weight", "AA"),
    "attn.out.bias": ("self_attn.out_proj.bias", "A"),
    "attn_ln.weight": ("self_attn_layer_norm.weight", "A"),
    "attn_ln.bias": ("self_attn_layer_norm.bias", "A"),
    "mlp.0.weight": ("fc1.weight", "IA"),
    "mlp.0.bias": ("fc1.bias", "I"),
    "mlp.2.weight": ("fc2.weight", "AI"),
    "mlp.2.bias": ("fc2.bias", "A"),
    "mlp_ln.weight": ("final_layer_norm.weight", "A"),
    "mlp_ln.bias": ("final_layer_norm.bias", "A"),
}
_CONSTANTS = r"transformer\.(h\.\d+\.attn\.(masked_bias|bias|logn_tensor)|(h\.\d+\.attn\.)?rotary_emb\.inv_freq)"
"""What some versions of transformers have saved with the weights; the new model makes its own."""


def shapes(released: Released) -> dict[str, tuple[int, ...]]:
    """Name and shape of every released weight."""
    renamed = {old: _shape(released, letters) for old, _, letters in _renamed(released)}
    for layer in range(released.settings["num_hidden_layers"]):
        renamed[f"transformer.h.{layer}.attn.c_attn.weight"] = _shape(released, "TD")
        renamed[f"transformer.h.{layer}.attn.c_attn.bias"] = _shape(released, "T")
    renamed["transformer.wte.weight"] = _shape(released, "VD")
    renamed["transformer.audio.audio_bos_eos_token.weight"] = _shape(released, "2D")
    return renamed


def constants(keys: Iterable[str]) -> set[str]:
    """Those of the checkpoint's keys that are no weights and may be left out."""
    return {key for key in keys if fullmatch(_CONSTANTS, key)}


def outputs(released: Released) -> Iterator[Output]:
    """Every weight of the new model, and how it is made."""
    markers = released.ids[AUDIO_START], released.ids[AUDIO_END]
    embedding = ("transformer.wte.weight", "transformer.audio.audio_bos_eos_token.weight")
    with_markers = partial(_with_markers, markers)
    yield Output(f"{_DECODER}.embed_tokens.weight", _shape(released, "VD"), embedding, with_markers)
    for layer in range(released.settings["num_hidden_layers"]):
        for kind, letters in (("weight", "DD"), ("bias", "D")):
            for part, name in enumerate("qkv"):
                old, third = f"transformer.h.{layer}.attn.c_attn.{kind}", partial(_third, part)
                new = f"{_DECODER}.layers.{layer}.self_attn.{name}_proj.{kind}"
                yield Output(new, _shape(released, letters), (old,), third)
    for old, new, letters in _renamed(released):
        yield Output(new, _shape(released, letters), (old,))


def _renamed(released: Released) -> Iterator[tuple[str, str, str]]:
    """Old name, new name and shape of what is only renamed."""
    for old, (new, letters) in _WHOLE.items():
        yield old, new, letters
    for layers, before, after, table in (
        (released.settings["num_hidden_layers"], "transformer.h", f"{_DECODER}.layers", _DECODER_LAYER),
        (released.settings["audio.n_layer"], "transformer.audio.blocks", f"{_ENCODER}.layers", _ENCODER_LAYER),
    ):
        for layer in range(layers):
            for old, (new, letters) in table.items():
                yield f"{before}.{layer}.{old}", f"{after}.{layer}.{new}", letters


def _shape(released: Released, letters: str) -> tuple[int, ...]:
    settings = released.settings
    sizes = {
        "V": settings["vocab_size"],
        "D": settings["hidden_size"],
        "T": 3 * settings["hidden_size"],
        "F": settings["intermediate_size"] // 2,
        "A": settings["audio.n_state"],
        "I": 4 * settings["audio.n_state"],
        "M": settings["audio.n_mels"],
        "P": settings["audio.n_ctx"],
        "2": 2,
        "3": 3,
    }
    return tuple(sizes[letter] for letter in letters)


def _third(part: int, fused: Tensor) -> Tensor:
    """Query, key or value of the fused projection."""
    return fused.chunk(3)[part]


def _with_markers(ids: tuple[int, int], embedding_VD: Tensor, markers_2D: Tensor) -> Tensor:
    """The released model overwrites what it looks up at the markers, and its head is untied: no row is needed twice."""
    embedding_VD = embedding_VD.clone()
    embedding_VD[list(ids)] = markers_2D.to(embedding_VD.dtype)
    return embedding_VD
