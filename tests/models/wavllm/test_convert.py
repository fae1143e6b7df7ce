"""`fastadasp convert wavllm`: the published sizes on the meta device, and what is refused in files of the real kind."""

import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fastadasp.cli.convert import families, main
from fastadasp.models.base import Generation
from fastadasp.models.converting import ConversionError
from fastadasp.models.wavllm.adapter import WavLLM
from fastadasp.models.wavllm.configuration import WavLLMConfig
from fastadasp.models.wavllm.convert import convert_wavllm
from fastadasp.models.wavllm.keys import unused, weights
from tests.models.wavllm.files import config_of, write_release, write_tokenizer
from tests.models.wavllm.released import Sizes, released_weights

SIZES = Sizes()
LLAMA = "gpt_model.model_llama"


@pytest.fixture(scope="module")
def published() -> dict[str, tuple[int, ...]]:
    """Key and shape of every weight of the published sizes."""
    config = WavLLMConfig()
    return {output.sources[0]: output.shape for output in weights(config)} | unused(config)


def numbers(shapes: dict[str, tuple[int, ...]], pattern: str) -> int:
    return sum(math.prod(shape) for key, shape in shapes.items() if re.match(pattern, key))


def test_at_full_size_every_part_has_as_many_numbers_as_published(published: dict[str, tuple[int, ...]]) -> None:
    lora = r".*_lora_[AB]$"
    assert numbers(published, rf"{LLAMA}\.(?!scale_)(?!{lora})") == 6_738_415_616  # LLaMA-2-7B
    assert numbers(published, r"wavlm_encoder\.model\.") == 94_381_936  # microsoft/wavlm-base
    # openai/whisper-large-v2 has 1,543,304,960 numbers; this is its encoder, positions included.
    assert numbers(published, r"audio_encoder\.model\.") == 636_784_640
    assert numbers(published, rf"{LLAMA}\.scale_") == 8_397_825
    first_stage = r"(audio|wavlm)_encoder\.(subsample|adapter|projector|output_weights)|(wavlm_)?audio_proj|" + lora
    assert numbers(published, first_stage) == 76_636_941


def test_at_full_size_keys_and_shapes_are_the_released_ones(published: dict[str, tuple[int, ...]]) -> None:
    known = {
        "audio_encoder.model.conv1.weight": (1280, 80, 3),
        "audio_encoder.model.embed_positions.weight": (1500, 1280),
        "audio_encoder.model.layers.31.fc1.weight": (5120, 1280),
        "audio_encoder.subsample.conv_layers.0.weight": (1280, 1280, 3),
        "audio_encoder.subsample.conv_layers.1.weight": (2048, 640, 3),
        "audio_encoder.adapter.down_layer.weight": (512, 1024),
        "audio_encoder.adapter.up_layer.weight": (1024, 512),
        "audio_encoder.adapter.layer_norm.weight": (1024,),
        "audio_encoder.projector.weight": (2048, 1024),
        "wavlm_encoder.subsample.conv_layers.0.weight": (512, 768, 3),
        "wavlm_encoder.subsample.conv_layers.1.weight": (2048, 256, 3),
        "wavlm_encoder.output_weights": (13,),
        "wavlm_encoder.model.encoder.pos_conv_embed.conv.weight_g": (1, 1, 128),
        "wavlm_encoder.model.encoder.pos_conv_embed.conv.weight_v": (768, 48, 128),
        "wavlm_encoder.model.encoder.layers.0.attention.rel_attn_embed.weight": (320, 12),
        "wavlm_audio_proj.weight": (4096, 4096),
        "audio_proj.weight": (4096, 2048),
        f"{LLAMA}.tok_embeddings.weight": (32_000, 4096),
        f"{LLAMA}.output.weight": (32_000, 4096),
        f"{LLAMA}.norm.weight": (4096,),
        f"{LLAMA}.layers.31.attention.wq.weight": (4096, 4096),
        f"{LLAMA}.layers.31.attention.wo_lora_A": (4096, 32),
        f"{LLAMA}.layers.31.attention.wk_lora_B": (32, 4096),
        f"{LLAMA}.layers.0.feed_forward.w1.weight": (11_008, 4096),
        f"{LLAMA}.layers.0.feed_forward.w2.weight": (4096, 11_008),
        f"{LLAMA}.layers.0.ffn_norm.weight": (4096,),
        f"{LLAMA}.scale_fc_1.weight": (1024, 4096),
        f"{LLAMA}.scale_fc_2.weight": (4096, 1024),
        f"{LLAMA}.scale_weight_attention.weight": (1, 4096),
    }
    assert {key: published.get(key) for key in known} == known
    small = {re.sub(r"layers\.\d+", "layers.N", key) for key in released_weights(SIZES)}
    assert {re.sub(r"layers\.\d+", "layers.N", key) for key in published} == small


@pytest.fixture
def release(tmp_path: Path) -> Path:
    config_of(SIZES).save_pretrained(tmp_path / "sizes")
    return write_release(tmp_path / "in", SIZES)


def command(release: Path, *more: str) -> list[str]:
    out = release.parent.parent / "out"
    return ["wavllm", str(release), str(out), "--config", str(out.parent / "sizes" / "config.json"), *more]


def test_the_command_writes_a_folder_that_the_model_is_read_from(
    release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(command(release, "--shard-gb", "0.0001", "--precision", "bfloat16"))
    told = capsys.readouterr()
    out = release.parent.parent / "out"
    assert f"Done: fastadasp run model=wavllm model.path={out}" in told.out
    assert "GB written" in told.err
    assert len(list(out.glob("model-*.safetensors"))) > 3
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    adapter = WavLLM(path=str(out))
    model = adapter.load(device="cpu", dtype="float32", attention="sdpa")
    assert model.generation_config.eos_token_id == 2
    prompt = adapter.processor.prompt("the SPEECH?", np.zeros(8000, np.float32), 16_000)
    assert len(adapter.generate(adapter.encode([prompt]), Generation(max_new_tokens=3))[1]) == 1
    main(command(release, "--shard-gb", "0.0001", "--precision", "bfloat16"))  # nothing left to do


class _Code:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("echo run",)


@pytest.mark.parametrize(
    ("removed", "added", "message"),
    [
        ("wavlm_encoder.output_weights", {}, r"1 missing: wavlm_encoder\.output_weights"),
        (f"{LLAMA}.layers.2.attention.wq_lora_B", {}, r"1 missing: .*layers\.2\.attention\.wq_lora_B"),
        (None, {"speaker.weight": torch.ones(2)}, r"1 unknown: speaker\.weight"),
        (None, {f"{LLAMA}.layers.4.ffn_norm.weight": torch.ones(48)}, r"1 unknown: .*layers\.4\.ffn_norm\.weight"),
        (None, {"wavlm_audio_proj.bias": torch.ones(47)}, r"wavlm_audio_proj\.bias is 47, expected 48"),
        (None, {"audio_proj.bias": torch.ones(3, 3)}, r"audio_proj\.bias is 3 x 3, expected 48"),
        (None, {"audio_proj.bias": _Code()}, r"names code to run when it is read: (posix|nt)\.system"),
        (None, {"audio_proj.bias": torch.full((48,), torch.nan)}, None),  # not used, hence not read
    ],
)
def test_a_file_of_another_content_is_refused_in_one_sentence(
    release: Path,
    removed: str | None,
    added: dict[str, object],
    message: str | None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    model = released_weights(SIZES)
    torch.save({"model": {key: value for key, value in model.items() if key != removed} | added}, release)
    if message is None:
        main(command(release))
        return
    with pytest.raises(SystemExit) as ended:
        main(command(release))
    assert ended.value.code == 1
    told = capfd.readouterr()
    assert re.search(message, told.err)
    assert "Traceback" not in told.err
    assert "run\n" not in told.out
    assert not (release.parent.parent / "out").exists(), "nothing was begun"


def test_everything_that_is_wrong_is_told_at_once(release: Path, tmp_path: Path) -> None:
    model = released_weights(SIZES)
    for number in range(SIZES.layers):
        del model[f"{LLAMA}.layers.{number}.attention.wv_lora_A"]
    model |= {"a": torch.ones(1), f"{LLAMA}.norm.weight": torch.ones(7)}
    torch.save({"model": model}, release)
    (release.parent / "tokenizer.model").unlink()
    with pytest.raises(ConversionError) as caught:
        convert_wavllm(release, tmp_path / "out", config=config_of(SIZES))
    message = str(caught.value)
    assert f"4 missing: {LLAMA}.layers.{{0-3}}.attention.wv_lora_A" in message
    assert "1 unknown: a" in message
    assert f"1 of another shape: {LLAMA}.norm.weight is 7, expected 48" in message
    assert "tokenizer.model cannot be read" in message
    assert "or name it with --tokenizer" in message


def test_a_tokenizer_of_another_kind_or_size_is_refused(release: Path, tmp_path: Path) -> None:
    write_tokenizer(tmp_path / "larger.model", SIZES.vocab + 1)
    with pytest.raises(ConversionError, match=r"larger\.model has 381 pieces, the model 380"):
        convert_wavllm(release, tmp_path / "out", config=config_of(SIZES), tokenizer=tmp_path / "larger.model")
    (tmp_path / "text.model").write_text("no protobuf")
    with pytest.raises(ConversionError, match=r"text\.model (cannot be read|is another tokenizer)"):
        convert_wavllm(release, tmp_path / "out", config=config_of(SIZES), tokenizer=tmp_path / "text.model")


def test_a_missing_file_says_how_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["wavllm", str(tmp_path / "final.pt"), str(tmp_path / "out")])
    told = capsys.readouterr().err
    assert "final.pt does not exist; its authors published it by WavLLM/download/download.sh" in told


def test_the_published_sizes_are_expected_unless_others_are_named(release: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"28 missing|missing: .*layers\.\{4-31\}"):
        convert_wavllm(release, tmp_path / "out")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(SystemExit):
        main(["wavllm", str(release), str(tmp_path / "out"), "--config", str(tmp_path / "bad.json")])


def test_the_wrappers_of_a_training_run_and_the_newer_names_are_known(release: Path, tmp_path: Path) -> None:
    def renamed(key: str) -> str:
        key = key.replace("weight_g", "parametrizations.weight.original0")
        key = key.replace("weight_v", "parametrizations.weight.original1")
        return key.replace(".attention.", "._checkpoint_wrapped_module.attention.")

    model = {renamed(key): value for key, value in released_weights(SIZES).items()}
    torch.save({"model": model}, release)
    convert_wavllm(release, tmp_path / "out", config=config_of(SIZES))
    assert (tmp_path / "out" / "config.json").is_file()


def test_the_family_and_the_command_explain_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    assert families()["wavllm"].startswith("WavLLM's final.pt")
    for arguments, code, words in (
        (["--help"], 0, "wavllm"),
        ([], 2, "wavllm"),
        (["wavlm", "a", "b"], 2, "there is no such family; did you mean wavllm?"),
        (["wavllm", "--help"], 0, "--precision"),
        (["wavllm", "a", "b", "--shard-gb", "-1"], 2, "invalid"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr()
        assert ended.value.code == code
        assert words in told.out + told.err
