"""Models that are placed on several devices, offloaded, compiled, adapted or quantised: by `load`, in memory, in runs.

Each is a tiny GLM-ASR of random weights. Whatever does not change the weights must answer as the plain model does.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import transformers
from torch import nn

import fastadasp
from fastadasp import FastAdaSP, Generation, SpeechModel
from fastadasp.config.compose import compose_run
from fastadasp.errors import ConfigError
from fastadasp.evaluation.run import evaluate
from fastadasp.evaluation.setup import validate
from fastadasp.models.base import Engine
from fastadasp.models.pretrained import ModelError
from tests.helpers.family_parts import whisper_like
from tests.helpers.speech_families import FAMILIES
from tests.helpers.stored_runs import lines

CPU: dict[str, Any] = {"device": "cpu", "dtype": "float32"}
LAYERS = "model.language_model.layers"
HALF = FastAdaSP(ratio=0.5, layer=1)
Told = list[tuple[str, int]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers.logging.set_verbosity_error()
    folder = FAMILIES["glmasr"].save(tmp_path_factory.mktemp("whole"))
    for number, seconds in enumerate((2.0, 1.3)):
        noise = 0.1 * np.random.default_rng(number).standard_normal(round(seconds * 16_000))
        soundfile.write(folder / f"{number}.wav", noise, 16_000)
    return folder


@pytest.fixture(scope="module")
def lora(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as peft's save_pretrained() writes it."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    settings = LoraConfig(r=2, target_modules=r".*language_model.*\.[vo]_proj", init_lora_weights=False)
    adapted = get_peft_model(plain(folder).transformers_model, settings)
    where = tmp_path_factory.mktemp("lora")
    adapted.save_pretrained(where)
    return where


def plain(folder: Path, **settings: Any) -> SpeechModel:
    return fastadasp.load(folder, **{**CPU, **settings})


WAYS = [(HALF, Engine.auto, 1), (HALF, Engine.transformers, 1), (None, Engine.auto, 1), (HALF, Engine.auto, 2)]


def told(model: SpeechModel, folder: Path, ways: int = len(WAYS)) -> Told:
    """What is answered with and without a reduction, by both engines, and in beams; `ways`: in the first of these."""
    files = [folder / "0.wav", folder / "1.wav"]
    answers = [
        fastadasp.ask(
            model,
            files,
            "What is it?",
            method=method,
            generation=Generation(max_new_tokens=4, engine=engine, num_beams=beams),
            progress=False,
        )
        for method, engine, beams in WAYS[:ways]
    ]
    assert answers[0][0].audio_tokens_left < 0.6 * answers[0][0].audio_tokens
    return [(answer.text, answer.audio_tokens_left) for row in answers for answer in row]


@pytest.fixture(scope="module")
def expected(folder: Path) -> Told:
    return told(plain(folder), folder)


PLACED: dict[str, dict[str, Any]] = {
    "found by accelerate": {"device_map": "auto"},
    "in little memory": {"device_map": "auto", "max_memory": {"cpu": "40KB"}},
    "some layers on the disk": {"device_map": {f"{LAYERS}.1": "disk", f"{LAYERS}.3": "disk"}},
    "all on the disk": {"device_map": {"": "disk"}},
    "the encoder on the disk": {"device_map": {"model.audio_tower": "disk", "": "cpu"}},
    "compiled": {"compile": "eager"},
}


@pytest.mark.parametrize("way", PLACED)
def test_a_model_in_other_places_answers_as_it_does_in_one(
    way: str, folder: Path, tmp_path: Path, expected: Told
) -> None:
    settings = {**PLACED[way], **({"offload_folder": tmp_path / "parts"} if "max_memory" in PLACED[way] else {})}
    model = plain(folder, **settings)
    on_disk = [weight for weight in model.transformers_model.parameters() if weight.device.type == "meta"]
    assert bool(on_disk) == ("disk" in way or "memory" in way)
    ways = 1 if "compiled" in way else len(WAYS)  # compiling takes seconds
    assert told(model, folder, ways) == expected[: 2 * ways]


def offloaded(model: Any, tmp_path: Path) -> Any:
    from accelerate import disk_offload

    disk_offload(model, tmp_path / "parts", execution_device=torch.device("cpu"))
    return model


def in_host_memory(model: Any, _: Path) -> Any:
    from accelerate import cpu_offload

    cpu_offload(model, execution_device=torch.device("cpu"))
    return model


def compiled_by_layer(model: Any, _: Path) -> Any:
    for layer in model.model.language_model.layers:
        layer.compile(backend="eager")
    return model


WRAPPED: dict[str, Callable[[Any, Path], Any]] = {
    "bare": lambda model, _: model,
    "offloaded to the disk": offloaded,
    "offloaded to the host": in_host_memory,
    "DataParallel": lambda model, _: nn.DataParallel(model),
    "torch.compile": lambda model, _: torch.compile(model, backend="eager"),
    "layers compiled": compiled_by_layer,
}


@pytest.mark.parametrize("way", WRAPPED)
def test_a_model_in_memory_is_taken_as_it_is(way: str, folder: Path, tmp_path: Path, expected: Told) -> None:
    network = transformers.GlmAsrForConditionalGeneration.from_pretrained(folder)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = fastadasp.load(WRAPPED[way](network, tmp_path), processor=processor)
    assert model.transformers_model is network
    ways = 1 if "compiled" in way else len(WAYS)  # compiling takes seconds
    assert told(model, folder, ways) == expected[: 2 * ways]


def test_lora_weights_answer_alike_however_they_are_put_on(folder: Path, lora: Path, expected: Told) -> None:
    from peft import PeftModel

    processor = transformers.AutoProcessor.from_pretrained(folder)
    base = lambda: transformers.GlmAsrForConditionalGeneration.from_pretrained(folder)  # noqa: E731
    merged = PeftModel.from_pretrained(base(), lora).merge_and_unload()
    wanted = told(fastadasp.load(merged, processor=processor), folder)
    assert wanted != expected, "the weights matter"
    assert told(fastadasp.load(PeftModel.from_pretrained(base(), lora), processor=processor), folder) == wanted
    assert told(plain(folder, adapter=str(lora)), folder) == wanted
    assert told(plain(lora), folder) == wanted, "the folder names its base model"
    assert told(plain(folder, adapter=str(lora), device_map={LAYERS: "cpu"}), folder) == wanted


def damaged(lora: Path, copy: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    from safetensors.torch import load_file, save_file

    shutil.copytree(lora, copy)
    weights = load_file(copy / "adapter_model.safetensors")
    change(weights)
    save_file(weights, copy / "adapter_model.safetensors")
    return copy


def test_lora_weights_that_do_not_fit_are_refused(folder: Path, lora: Path, tmp_path: Path) -> None:
    lost = damaged(lora, tmp_path / "lost", lambda weights: weights.pop(sorted(weights)[0]))
    with pytest.raises(ModelError, match=r"model\.adapter=.*lacks 1 weights that its adapter_config\.json asks for"):
        plain(folder, adapter=str(lost))
    more = damaged(lora, tmp_path / "more", lambda weights: weights.update(other=torch.zeros(2)))
    with pytest.raises(ModelError, match=r"has 1 for which the model has no place \(other"):
        plain(folder, adapter=str(more))
    pickled = tmp_path / "pickled"
    shutil.copytree(lora, pickled)
    (pickled / "adapter_model.safetensors").unlink()
    torch.save({}, pickled / "adapter_model.bin")
    with pytest.raises(ModelError, match="only safetensors are read"):
        plain(folder, adapter=str(pickled))
    with pytest.raises(ModelError, match="there is neither a folder"):
        plain(folder, adapter="nowhere")


def test_an_adapter_that_adds_tokens_is_refused_with_the_reason(folder: Path) -> None:
    from peft import PrefixTuningConfig, get_peft_model

    network = transformers.GlmAsrForConditionalGeneration.from_pretrained(folder)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    tuned = get_peft_model(
        network,
        PrefixTuningConfig(
            task_type="CAUSAL_LM", num_virtual_tokens=2, num_layers=4, token_dim=32, num_attention_heads=4
        ),
    )
    with pytest.raises(ModelError, match="PREFIX_TUNING of peft puts tokens of its own before each prompt"):
        fastadasp.load(tuned, processor=processor)


def test_what_cannot_be_placed_says_why(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"lm_head\.weight on cpu and .*embed_tokens\.weight on disk, but these are"):
        plain(folder, device_map={"model.language_model": "disk"})
    with pytest.raises(ConfigError, match=r"names 'model\.ears', which GlmAsr.* has not; its parts are model, lm_head"):
        plain(folder, device_map={"model.ears": "cpu"})
    with pytest.raises(ConfigError, match="must be one of auto, balanced"):
        plain(folder, device_map="everywhere")
    with pytest.raises(ConfigError, match=r"hardware\.max_memory and hardware\.offload_folder need"):
        plain(folder, max_memory={"cpu": "1GiB"})
    with pytest.raises(ConfigError, match=r"hardware\.compile=fast is no backend of torch\.compile"):
        plain(folder, compile="fast")


def test_a_model_in_memory_needs_its_processor_and_no_settings_of_loading(folder: Path) -> None:
    network = transformers.GlmAsrForConditionalGeneration.from_pretrained(folder)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    with pytest.raises(ConfigError, match="needs its processor"):
        fastadasp.load(network)
    with pytest.raises(ConfigError, match="device_map, dtype: such settings are for loading"):
        fastadasp.load(network, processor=processor, device_map="auto", dtype="float32")
    with pytest.raises(ModelError, match="a Linear is no model of transformers"):
        fastadasp.load(nn.Linear(2, 2), processor=processor)
    with pytest.raises(ConfigError, match="a checkpoint brings its own"):
        fastadasp.load(folder, processor=processor)


def test_quantised_weights_run_where_the_package_is_installed(folder: Path, tmp_path: Path) -> None:
    """On loading, and as a checkpoint that was saved so."""
    pytest.importorskip("torchao", reason="make -f experiments/peers/Makefile quantised has it installed")
    model = plain(folder, quantization={"quant_method": "torchao", "quant_type": "Int8WeightOnlyConfig"})
    assert "Int8" in type(model.transformers_model.model.language_model.layers[0].mlp.up_proj.weight).__name__
    answers = told(model, folder)
    model.transformers_model.save_pretrained(tmp_path)
    for file in folder.glob("*.json*"):
        if not (tmp_path / file.name).exists():
            shutil.copy(file, tmp_path)
    shutil.copy(folder / "chat_template.jinja", tmp_path)
    assert told(plain(tmp_path), folder) == answers


@pytest.mark.parametrize("bits", [4, 8])
def test_bitsandbytes_runs_where_it_is_installed(bits: int, folder: Path, tmp_path: Path) -> None:
    """Its blocks of 64 weights need a model of that width."""
    bitsandbytes = pytest.importorskip("bitsandbytes")
    width = {"hidden_size": 64, "intermediate_size": 128}
    wide = dataclasses.replace(FAMILIES["glmasr"], model=whisper_like("GlmAsr", "llama", encoder=width, text=width))
    model = plain(wide.save(tmp_path), quantization={"quant_method": "bitsandbytes", f"load_in_{bits}bit": True})
    kind = {4: bitsandbytes.nn.Linear4bit, 8: bitsandbytes.nn.Linear8bitLt}[bits]
    assert isinstance(model.transformers_model.model.language_model.layers[0].mlp.up_proj, kind)
    told(model, folder)


def test_a_quantisation_that_is_not_possible_says_why(folder: Path) -> None:
    with pytest.raises(ConfigError, match="names no quant_method; `quantization` is written as"):
        plain(folder, quantization={"bits": 8})
    with pytest.raises(ConfigError, match="cannot be used: Unknown quantization type, got guess"):
        plain(folder, quantization={"quant_method": "guess"})


def run(tones: Path, *overrides: str) -> Path:
    """The folder of a run with `model=hf`, of two clips."""
    common = ("model=hf", "task=asr", f"task.manifest={tones}", "task.limit=1", "merge.ratio=0.5", "merge.layer=1")
    common = (*common, "hardware=cpu", "hardware.num_workers=0", "generation.max_new_tokens=4")
    cfg, folder = compose_run([*common, f"output_dir={tones.parent}/out", *overrides])
    evaluate(cfg, validate(cfg))
    return folder


def test_a_run_with_any_model_is_the_same_in_other_places(folder: Path, tones: Path) -> None:
    settings = (f"hardware.device_map={{{LAYERS}:disk}}", "hardware.compile=eager")
    wanted, found = (lines(run(tones, f"model.path={folder}", *more)) for more in ((), settings))
    assert [line["answer"] for line in found] == [line["answer"] for line in wanted]
    assert [line["audio_tokens_per_layer"] for line in found] == [line["audio_tokens_per_layer"] for line in wanted]


def test_a_run_with_lora_weights_of_their_own(folder: Path, lora: Path, tones: Path) -> None:
    with pytest.raises(
        ConfigError, match=rf"holds an adapter of peft alone\nSet model\.path={folder} and model\.adapter="
    ):
        run(tones, f"model.path={lora}")
    answered = run(tones, f"model.path={folder}", f"model.adapter={lora}")
    plainly = run(tones, f"model.path={folder}")
    assert answered.name != plainly.name, "its weights are part of the run's name"
    assert [line["answer"] for line in lines(answered)] != [line["answer"] for line in lines(plainly)]
    assert json.loads((answered / "metrics.json").read_text())["config"]["model"]["adapter"] == str(lora)
