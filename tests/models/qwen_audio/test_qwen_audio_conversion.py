"""Converting the released files: every weight at the published size, and what is refused."""

import json
import math
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import Qwen2AudioForConditionalGeneration

from fastadasp.cli.convert import main as command
from fastadasp.errors import InputError
from fastadasp.models.converting import ConversionError, Precision
from fastadasp.models.pretrained import ModelError
from fastadasp.models.qwen_audio.adapter import QwenAudio
from fastadasp.models.qwen_audio.architecture import QwenAudioForConditionalGeneration
from fastadasp.models.qwen_audio.convert import convert_qwen_audio, model_config
from fastadasp.models.qwen_audio.keys import outputs, shapes
from fastadasp.models.qwen_audio.released import Released
from tests.helpers.qwen_audio_files import trained_ranks, write_checkpoint
from tests.helpers.qwen_audio_restated import PUBLISHED, Restatement

PARAMETERS = 8_396_214_272
"""Of Qwen2-Audio's class at the published size."""
BYTES = 16_792_444_928
"""`total_size` in the index of the released chat model, in bfloat16."""


def published(chat: bool = True) -> Released:
    """The released checkpoint without its weights; of the ranks only their number matters."""
    settings = {**PUBLISHED, **{f"audio.{key}": value for key, value in PUBLISHED["audio"].items()}}
    return Released(settings, chat, {number.to_bytes(3): number for number in range(151_643)}, "digest")


def test_every_weight_of_the_published_size_has_its_place() -> None:
    released = published()
    with torch.device("meta"):
        old = Restatement(PUBLISHED).state_dict()
        new = QwenAudioForConditionalGeneration(model_config(released))
    assert shapes(released) == {key: tuple(value.shape) for key, value in old.items()}
    assert 2 * sum(value.numel() for value in old.values()) == BYTES
    assert sum(parameter.numel() for parameter in new.parameters()) == PARAMETERS
    made = list(outputs(released))
    assert {output.name: output.shape for output in made} == {
        key: tuple(value.shape) for key, value in new.state_dict().items()
    }
    assert len({output.name for output in made}) == len(made)
    assert {key for output in made for key in output.sources} == set(old)
    assert sum(math.prod(output.shape) for output in made) == PARAMETERS


def test_the_config_is_the_published_one() -> None:
    config = model_config(published())
    text, audio = config.text_config, config.audio_config
    assert (config.model_type, config.audio_token_id) == ("qwen2_audio", 151_851)
    assert (text.vocab_size, text.hidden_size, text.intermediate_size) == (155_947, 4096, 11_008)
    assert (text.num_hidden_layers, text.num_attention_heads, text.num_key_value_heads) == (32, 32, 32)
    assert (text.rms_norm_eps, text.rope_parameters["rope_theta"]) == (1e-5, 10_000.0)
    assert (text.seq_length, text.use_logn_attn, text.use_dynamic_ntk) == (2048, True, True)
    assert text.sliding_window is None
    assert (audio.num_mel_bins, audio.d_model, audio.encoder_layers, audio.encoder_ffn_dim) == (80, 1280, 32, 5120)
    assert (text.eos_token_id, text.pad_token_id) == ([151_645, 151_644, 151_643], 151_643)
    assert model_config(published(chat=False)).text_config.eos_token_id == [151_643]


def test_a_checkpoint_with_every_real_key_is_converted_and_loads_whole(tmp_path: Path) -> None:
    source, out = tmp_path / "original", tmp_path / "out"
    buffers = {f"transformer.h.{layer}.attn.masked_bias": torch.tensor(-1e4) for layer in range(32)}
    old = write_checkpoint(source, layers=32, dtype=torch.bfloat16, changed=buffers)
    told: list[tuple[int, int]] = []
    convert_qwen_audio(source, out, shard_bytes=10**6, progress=lambda done, total: told.append((done, total)))
    assert len(told) > 1
    assert told[-1][0] == told[-1][1]
    assert {path.name for path in out.iterdir()} >= {"config.json", "generation_config.json", "tokenizer.json"}
    for model_class in (QwenAudioForConditionalGeneration, Qwen2AudioForConditionalGeneration):
        model, report = model_class.from_pretrained(out, output_loading_info=True)
        assert not report["missing_keys"]
        assert not report["unexpected_keys"]
        assert model.dtype == torch.bfloat16
    weights = old.state_dict()
    decoder = model.model.language_model
    torch.testing.assert_close(decoder.layers[31].mlp.gate_proj.weight, weights["transformer.h.31.mlp.w2.weight"])
    start = old.config["audio"]["audio_start_id"]
    torch.testing.assert_close(
        decoder.embed_tokens.weight[start : start + 2], weights["transformer.audio.audio_bos_eos_token.weight"]
    )
    others = torch.arange(len(decoder.embed_tokens.weight)) // 2 != start // 2
    assert torch.equal(decoder.embed_tokens.weight[others], weights["transformer.wte.weight"][others])


def test_pickled_weights_and_another_precision_will_do(tmp_path: Path) -> None:
    old = write_checkpoint(tmp_path / "original", layers=1)
    for file in (tmp_path / "original").glob("model*"):
        file.unlink()
    torch.save(old.state_dict(), tmp_path / "original" / "pytorch_model.bin")
    convert_qwen_audio(tmp_path / "original", tmp_path / "out", precision=Precision.bfloat16)
    (file,) = (tmp_path / "out").glob("*.safetensors")
    assert {value.dtype for value in load_file(file).values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"


class _Code:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("echo ran",)


def test_a_pickle_with_code_in_it_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    old = write_checkpoint(tmp_path / "original", layers=1)
    for file in (tmp_path / "original").glob("model*"):
        file.unlink()
    torch.save({**old.state_dict(), "x": _Code()}, tmp_path / "original" / "pytorch_model.bin")
    with pytest.raises(ConversionError, match=r"pytorch_model\.bin names code to run when it is read"):
        convert_qwen_audio(tmp_path / "original", tmp_path / "out")
    assert "ran" not in capfd.readouterr().out
    assert not (tmp_path / "out").exists()


def test_missing_unknown_and_misshapen_weights_are_told_in_one_error_and_nothing_is_written(tmp_path: Path) -> None:
    changed = {
        "transformer.h.1.mlp.w1.weight": None,
        "transformer.audio.audio_bos_eos_token.weight": None,
        "transformer.visual.proj": torch.zeros(2),
        "transformer.ln_f.weight": torch.ones(31),
    }
    write_checkpoint(tmp_path / "original", changed=changed)
    with pytest.raises(ConversionError) as caught:
        convert_qwen_audio(tmp_path / "original", tmp_path / "out")
    for part in (
        "2 missing: transformer.audio.audio_bos_eos_token.weight, transformer.h.1.mlp.w1.weight",
        "1 unknown: transformer.visual.proj",
        "1 of another shape: transformer.ln_f.weight is 31, expected 32",
        "hf download Qwen/Qwen-Audio",
    ):
        assert part in str(caught.value)
    assert not (tmp_path / "out").exists()


class _Killed(BaseException):
    """What ends a process from outside."""


def test_a_half_written_output_is_never_taken_for_whole_and_goes_on(tmp_path: Path) -> None:
    source, out = tmp_path / "original", tmp_path / "out"
    write_checkpoint(source)

    def kill(done: int, total: int) -> None:
        raise _Killed

    with pytest.raises(_Killed):
        convert_qwen_audio(source, out, shard_bytes=10**5, progress=kill)
    assert len(list(out.glob("*.safetensors"))) == 1
    with pytest.raises(ModelError, match=r"holds no config\.json\n.*fastadasp convert qwen_audio"):
        QwenAudio(path=str(out))
    first = next(iter(out.glob("*.safetensors"))).stat().st_mtime_ns
    convert_qwen_audio(source, out, shard_bytes=10**5)
    assert min(file.stat().st_mtime_ns for file in out.glob("*.safetensors")) == first
    QwenAudio(path=str(out)).load(device="cpu", dtype="float32", attention="sdpa")


def test_a_chat_checkpoint_ends_its_answers_at_the_turns_end(tmp_path: Path) -> None:
    for chat in (False, True):
        write_checkpoint(tmp_path / f"original {chat}", chat=chat, layers=1)
        convert_qwen_audio(tmp_path / f"original {chat}", tmp_path / f"out {chat}")
        adapter = QwenAudio(path=str(tmp_path / f"out {chat}"), chat=chat)
        model = adapter.load(device="cpu", dtype="float32", attention="sdpa")
        ends = adapter.processor.tokenizer.convert_ids_to_tokens(model.generation_config.eos_token_id)
        assert ends == (["<|im_end|>", "<|im_start|>", "<|endoftext|>"] if chat else ["<|endoftext|>"])
        assert model.generation_config.pad_token_id == len(trained_ranks())
    with pytest.raises(ConversionError, match="holds another conversion than that of"):
        convert_qwen_audio(tmp_path / "original True", tmp_path / "out False")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"model_type": "llama"}, r"config\.json: model_type is 'llama'.*expected Qwen-Audio"),
        ({"no_bias": False}, "no_bias is False, expected True"),
        ({"kv_channels": 16}, r"num_attention_heads x kv_channels \(4 x 16\)"),
        ({"seq_length": None}, "seq_length: missing, or no number"),
        ({"vocab_size": 300}, r"with the 456 ranks of qwen\.tiktoken the token <audio> has the id 3976"),
    ],
)
def test_another_architecture_is_refused_by_name(setting: dict[str, object], message: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "original", layers=1, **setting)
    with pytest.raises(ConversionError, match=message):
        convert_qwen_audio(tmp_path / "original", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "qwen.tiktoken", "model.safetensors.index.json"]
)
def test_a_file_that_is_not_there_is_named_with_where_to_get_it(name: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "original", layers=1)
    (tmp_path / "original" / name).unlink()
    with pytest.raises(InputError, match=rf"(?s){name.replace('.', '[.]')}.*hf download Qwen/Qwen-Audio"):
        convert_qwen_audio(tmp_path / "original", tmp_path / "out")
    with pytest.raises(ConversionError, match="nowhere does not exist; download it with"):
        convert_qwen_audio(tmp_path / "nowhere", tmp_path / "out")


def test_damaged_settings_are_named(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "original", layers=1)
    (tmp_path / "original" / "generation_config.json").write_text("{")
    with pytest.raises(ConversionError, match=r"generation_config\.json is damaged"):
        convert_qwen_audio(tmp_path / "original", tmp_path / "out")
    (tmp_path / "original" / "generation_config.json").write_text('{"chat_format": "xml"}')
    with pytest.raises(ConversionError, match="chat_format is 'xml'; expected 'raw'"):
        convert_qwen_audio(tmp_path / "original", tmp_path / "out")


def test_a_folder_that_was_not_converted_says_what_to_do(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "original", layers=1)
    with pytest.raises(ModelError, match=r"(?s)cannot be loaded: .*fastadasp convert qwen_audio ORIGINAL"):
        _ = QwenAudio(path=str(tmp_path / "original")).config


def test_the_command_converts_and_words_its_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_checkpoint(tmp_path / "original", layers=1)
    command(["qwen_audio", str(tmp_path / "original"), str(tmp_path / "out"), "--precision", "bfloat16"])
    told = capsys.readouterr()
    assert f"Done: fastadasp run model=qwen_audio model.path={tmp_path / 'out'}" in told.out
    assert "GB written" in told.err
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"
    with pytest.raises(SystemExit) as ended:
        command(["qwen_audio", str(tmp_path / "nowhere"), str(tmp_path / "other")])
    assert ended.value.code == 1
    assert "nowhere does not exist; download it with" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        command(["qwen_audio", "--help"])
    assert ended.value.code == 0
    assert "folder of the released checkpoint" in capsys.readouterr().out
