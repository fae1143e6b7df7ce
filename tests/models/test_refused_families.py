"""Families in which audio tokens cannot be reduced: tiny instances of their classes, refused with the reason."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
import transformers
from torch import nn
from transformers import PreTrainedModel

import fastadasp
from fastadasp import FastAdaSP, merging
from fastadasp.errors import InputError
from fastadasp.models.pretrained import ModelError
from tests.helpers.family_parts import DECODER

AUDIO = 310


def voxtral_realtime() -> PreTrainedModel:
    encoder = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    encoder |= {"num_key_value_heads": 2, "head_dim": 16, "num_mel_bins": 128}
    config = transformers.VoxtralRealtimeConfig(audio_config=encoder, text_config={**DECODER, "head_dim": 8})
    return transformers.VoxtralRealtimeForConditionalGeneration(config)


def kyutai() -> PreTrainedModel:
    codec = {"hidden_size": 32, "num_filters": 4, "num_hidden_layers": 1, "intermediate_size": 48, "head_dim": 16}
    codec |= {"num_attention_heads": 2, "num_key_value_heads": 2, "codebook_size": 16, "codebook_dim": 8}
    codec |= {"vector_quantization_hidden_dimension": 8, "upsample_groups": 32, "num_quantizers": 4}
    own = {"codebook_vocab_size": 17, "ffn_dim": 96, "num_codebooks": 4, "head_dim": 8, "audio_pad_token_id": 319}
    config = transformers.KyutaiSpeechToTextConfig(**{**DECODER, **own, "bos_token_id": 318, "codec_config": codec})
    return transformers.KyutaiSpeechToTextForConditionalGeneration(config)


def gemma3n() -> PreTrainedModel:
    """All but its eyes, which the package timm would bring."""
    from transformers.models.gemma3n import modeling_gemma3n

    streams = {"vocab_size_per_layer_input": 320, "hidden_size_per_layer_input": 8, "laurel_rank": 4, "head_dim": 8}
    streams |= {"num_kv_shared_layers": 2, "activation_sparsity_pattern": [0.0] * 4}
    streams |= {"layer_types": ["sliding_attention", "full_attention"] * 2}
    ears = {"hidden_size": 32, "conf_num_hidden_layers": 1, "conf_num_attention_heads": 2, "input_feat_size": 128}
    config = transformers.Gemma3nConfig(
        text_config={**DECODER, **streams},
        audio_config={**ears, "vocab_size": 8, "vocab_offset": 300},
        audio_token_id=AUDIO,
        image_token_id=AUDIO + 1,
    )
    build = modeling_gemma3n.AutoModel.from_config
    sees = lambda part, **settings: nn.Identity() if "vision" in part.model_type else build(part, **settings)  # noqa: E731
    with patch.object(modeling_gemma3n.AutoModel, "from_config", sees):
        return transformers.Gemma3nForConditionalGeneration(config)


def nemotron_h() -> PreTrainedModel:
    config = transformers.NemotronHConfig(
        **{**DECODER, "num_hidden_layers": 4},
        head_dim=8,
        mamba_num_heads=4,
        mamba_head_dim=16,
        ssm_state_size=8,
        n_groups=2,
        layers_block_type=["attention", "mlp", "mamba", "attention"],
    )
    return transformers.NemotronHForCausalLM(config)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (voxtral_realtime, "voxtral_realtime: it adds the embedding of each audio frame to that of one text token"),
        (kyutai, "kyutai_speech_to_text: it sums the embeddings of a text token and of the audio's codes at each step"),
    ],
)
def test_models_whose_audio_has_no_tokens_are_refused_on_disk_and_in_memory(
    build: Any, reason: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = build()
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelError) as on_disk:
        fastadasp.load(tmp_path)
    with pytest.raises(ModelError) as in_memory:
        fastadasp.load(model, processor=object())  # type: ignore[arg-type]  # it is not looked at
    told = f"token reduction cannot apply to {reason}, so there are no audio tokens of which some could go"
    assert str(on_disk.value) == f"model.path={tmp_path} cannot be loaded: {told}"
    assert str(in_memory.value) == f"the {type(model).__name__} given cannot be used: {told}"


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (gemma3n, r"does not support Gemma3nTextDecoderLayer \(layer 0\): .*It cuts a layer after attention; choose"),
        (nemotron_h, r"does not support NemotronHBlock .*attention.*It cuts a layer after attention; choose"),
    ],
)
def test_decoders_that_cannot_be_cut_are_refused_and_left_as_they_were(build: Any, reason: str) -> None:
    torch.manual_seed(0)
    model = build().eval()
    text = torch.randint(1, 300, (1, 10), generator=torch.Generator().manual_seed(0))
    ids = text.clone()
    ids[:, 3:8] = AUDIO
    with torch.no_grad():
        before = model(input_ids=text).logits
        with (
            pytest.raises(InputError, match=reason),
            merging(model, FastAdaSP(ratio=0.5, layer=0), ids == AUDIO),
        ):
            model(input_ids=ids)
        assert torch.equal(model(input_ids=text).logits, before)
