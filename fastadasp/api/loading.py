"""`fastadasp.load`: a model by its folder, its hub id, or the name of an option of `conf/model`."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hydra.utils import get_class
from omegaconf import OmegaConf

import fastadasp.config.compose  # noqa: F401  # registers the resolvers that options use
from fastadasp.api.recordings import Recordings, as_files
from fastadasp.config.build import build
from fastadasp.config.messages import suggest
from fastadasp.config.paths import options
from fastadasp.errors import ConfigError
from fastadasp.evaluation.hardware import Hardware, resolve
from fastadasp.evaluation.hardware import load as load_adapter
from fastadasp.models.base import ModelAdapter
from fastadasp.models.lora import base_of
from fastadasp.models.pretrained import ModelError, Pretrained
from fastadasp.models.speechlm import SpeechLM
from fastadasp.tasks.base import Example

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import BatchFeature, PreTrainedModel, ProcessorMixin

_GENERAL = "fastadasp.models.chat.ChatSpeechLM"
"""The adapter that loads a checkpoint of a family that no other class knows."""


class SpeechModel:
    """A loaded speech language model: what `transcribe`, `ask` and `merging` take."""

    def __init__(self, adapter: SpeechLM) -> None:
        """adapter: loaded already."""
        self.adapter = adapter

    @property
    def transformers_model(self) -> "PreTrainedModel":
        """The model itself, a class of transformers."""
        return self.adapter.model

    @property
    def processor(self) -> "ProcessorMixin":
        """Its tokenizer and feature extractor."""
        return self.adapter.processor

    def inputs(self, audio: Recordings, instruction: str) -> "BatchFeature":
        """A left-padded batch on the model's device: one prompt for each recording, each with this instruction.

        Raises RecordingError or AudioError for what is no readable audio.
        """
        with TemporaryDirectory() as folder:
            examples = [
                Example(id=f"audio[{place}]", audio=files, instruction=instruction, reference="")
                for place, files in enumerate(as_files(audio, Path(folder)))
            ]
            return self.adapter.encode([self.adapter.prepare(example) for example in examples])

    def audio_mask(self, inputs: "BatchFeature") -> "Tensor":
        """(B, T) bool: which tokens of the prompts are audio; for `merging`."""
        return self.adapter.audio_mask(inputs)

    def generate(self, inputs: "BatchFeature", **settings: Any) -> "Tensor":
        """Ids (B, new) of the answers, without the prompts. settings: of transformers' `generate()`."""
        prompt = self.adapter.beam_prompt(inputs) if settings.get("num_beams", 1) > 1 else inputs
        ids: Tensor = self.transformers_model.generate(**prompt, **settings)
        return ids[:, inputs["input_ids"].shape[1] :]

    def texts(self, ids: "Tensor") -> list[str]:
        """The texts of generated ids (B, new)."""
        return self.adapter.texts(ids)

    def __repr__(self) -> str:
        model = self.transformers_model
        return f"SpeechModel({type(model).__name__}, {model.dtype}, {model.device})"


def load(
    model: "str | Path | nn.Module",
    *,
    processor: "ProcessorMixin | None" = None,
    like: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    attention: str = "auto",
    device_map: str | Mapping[str, str | int] | None = None,
    max_memory: Mapping[str | int, str | int] | None = None,
    offload_folder: str | Path | None = None,
    compile: str | None = None,
    **settings: Any,
) -> SpeechModel:
    """Load a speech language model for `transcribe`, `ask` and `merging`.

    model: the folder of a checkpoint, a hub id, an option of `conf/model` such as `tiny`, the model that comes with the
    package, a folder with LoRA weights alone (their base model is loaded, too), or a model of transformers that is in
    memory, however it is wrapped, quantised, placed or compiled; such a model is put into eval mode, and its
    generation config is replaced.
    processor: of a model in memory.
    like: the option whose prompts and limits suit the checkpoint; None: the one with this hub id, else the one of its
    family.
    revision: branch, tag or commit on the hub.
    device: auto, cpu, cuda, cuda:1, mps; dtype: auto, float32, bfloat16, float16; attention: auto, sdpa, eager,
    flash_attention_2. `auto` takes what the machine has.
    device_map: accelerate's placement of a model over several devices, such as `auto`, or a device for each part by its
    name, `{"model.language_model": "cuda:0", "model.audio_tower": "disk"}`; parts that are not named go to `device`.
    max_memory: what `device_map="auto"` may fill, by device: `{0: "20GiB", "cpu": "60GiB"}`.
    offload_folder: for weights on the disk that cannot be read from the checkpoint as they stand.
    compile: backend of `torch.compile`, such as `inductor`; None: not compiled.
    settings: keys of `conf/model`, such as `max_seconds=120`, `instructions={"asr": "Transcribe."}`,
    `adapter="folder/with/lora"` or `quantization={"quant_method": "bitsandbytes", "load_in_8bit": True}`.

    Raises ModelError where there is no such checkpoint, saying what to do, and ConfigError for a bad setting.
    """
    if not isinstance(model, str | Path):
        loading: dict[str, Any] = {
            "revision": revision,
            "device_map": device_map,
            "max_memory": max_memory,
            "compile": compile,
            "offload_folder": offload_folder,
            **{name: settings.get(name) for name in ("adapter", "quantization")},
        }
        chosen = {"device": device, "dtype": dtype, "attention": attention}
        given = [name for name, value in loading.items() if value is not None]
        given += [name for name, value in chosen.items() if value != "auto"]
        if given:
            raise ConfigError(
                f"{', '.join(given)}: such settings are for loading, but the model given is loaded already"
            )
        return SpeechModel(_taken(model, processor, like, settings))
    if processor is not None:
        raise ConfigError("processor= is for a model in memory; a checkpoint brings its own")
    if (base := base_of(model)) is not None:
        model, settings = base, {"adapter": str(model), **settings}
    node = _settings(str(model), like, revision)
    node |= {"revision": revision} if revision is not None else {}
    adapter = build(OmegaConf.create({**node, **settings}), "model")
    kind = device.partition(":")[0]
    hardware = Hardware(
        device=kind,
        dtype=dtype,
        attention=attention,
        device_map=device_map,
        max_memory={str(name): limit for name, limit in (max_memory or {}).items()},
        offload_folder=None if offload_folder is None else str(offload_folder),
        compile=compile,
    )
    placement = resolve(hardware)
    load_adapter(adapter, placement, None if kind == device else device)
    return SpeechModel(adapter)


def _taken(model: Any, processor: Any, like: str | None, settings: Mapping[str, Any]) -> Pretrained:
    """The adapter of a model in memory."""
    from transformers import PreTrainedModel

    from fastadasp.engine.model import model_inside

    network = model_inside(model)
    if not isinstance(network, PreTrainedModel):
        raise ModelError(f"a {type(model).__name__} is no model of transformers, nor does it hold one")
    learnt = [kind for kind in getattr(model, "peft_config", {}).values() if getattr(kind, "is_prompt_learning", False)]
    if learnt:
        raise ModelError(
            f"{learnt[0].peft_type.value} of peft puts tokens of its own before each prompt, which fastadasp does not "
            "place; adapters that change weights (LoRA and its like) work"
        )
    if processor is None:
        raise ConfigError(
            f"a model in memory needs its processor: load({type(network).__name__.lower()}, "
            "processor=AutoProcessor.from_pretrained(...))"
        )
    known = options("model")
    if like is not None and like not in known:
        raise ConfigError(f"like={like!r} is no option of conf/model; {suggest(like, known)}")
    nodes = {name: _node(name) for name in known}
    option = like or _option_of(network.config.to_dict(), nodes)
    node = nodes[option] if option else {"_target_": _GENERAL}
    own: dict[str, Any] = {
        "path": network.config._name_or_path or type(network).__name__,
        "adapter": None,
        "quantization": {},
    }
    adapter: Pretrained = build(OmegaConf.create({**node, **own, **settings}), "model")
    adapter.take(network, processor)
    return adapter


def _settings(model: str, like: str | None, revision: str | None) -> dict[str, Any]:
    """The node of `conf/model` for this model."""
    known = options("model")
    if like is not None and like not in known:
        raise ConfigError(f"like={like!r} is no option of conf/model; {suggest(like, known)}")
    if model in known and not (Path(model) / "config.json").is_file():
        node = _node(model)
        if not issubclass(get_class(node["_target_"]), ModelAdapter):
            raise ConfigError(
                f"model={model} has no weights that this process could load: its models answer behind a server; "
                f"evaluate them with `fastadasp run model={model}` (docs/serving.md)"
            )
        return node
    nodes = {name: _node(name) for name in known}
    named = next((name for name, node in nodes.items() if node.get("path") == model), None)
    option = like or named or _option_of(_described(model, revision), nodes)
    return {**(nodes[option] if option else {"_target_": _GENERAL}), "path": model}


def _node(option: str) -> dict[str, Any]:
    """The settings of an option, which may stand below `model` in its file beside those of other groups."""
    content: Any = OmegaConf.to_container(OmegaConf.load(options("model")[option]), resolve=True)
    return dict(content if "_target_" in content else content["model"])


def _option_of(described: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The option that suits a checkpoint with this config.json, by its adapter's word; None if no adapter knows it."""
    for target in sorted({node["_target_"] for node in nodes.values()}):
        adapter = get_class(target)
        option = adapter.option_for(described) if issubclass(adapter, Pretrained) else None
        if option is not None:
            return option
    return None


def _described(model: str, revision: str | None) -> dict[str, Any]:
    """The content of the checkpoint's config.json."""
    from transformers import PreTrainedConfig

    path = str(Path(model).expanduser()) if model.startswith("~") else model
    if Path(path).is_dir() and not (Path(path) / "config.json").is_file():
        raise ModelError(f"{model}: the folder holds no config.json; give the folder of a checkpoint")
    try:
        described, _ = PreTrainedConfig.get_config_dict(path, revision=revision)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{model!r} is no option of conf/model, there is no such folder, and no such hub id can be reached "
            f"({reason})\nGive a checkpoint's folder, a hub id that is reachable or cached (`hf download {model}`), or "
            f"an option. {suggest(model, options('model'))}"
        ) from error
    return dict(described)
