"""Loading checkpoints from a local folder or the hub, safely and with errors that say what to do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fastadasp.files.text import FileError, short
from fastadasp.models.base import ModelError as ModelError
from fastadasp.models.checks import (
    check_config,
    check_eos,
    check_index,
    check_loaded,
    check_parts,
    check_processor,
    model_class,
)
from fastadasp.models.lora import base_of, put_on
from fastadasp.models.quantized import check_quantization, quantization_config
from fastadasp.models.speechlm import SpeechLM

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, ProcessorMixin

    from fastadasp.models.placing import Spread


@dataclass(frozen=True, kw_only=True)
class Pretrained(SpeechLM):
    """A trained checkpoint in transformers' format: safetensors only, and no code that comes with it is run."""

    path: str
    """Folder of the checkpoint, or its hub id."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    adapter: str | None = None
    """LoRA weights (or another adapter of peft) that are put on: a folder or hub id of their own, or a folder inside
    the checkpoint. Needs peft."""
    quantization: dict[str, Any] = field(default_factory=dict)
    """Weights of fewer bits, as config.json writes it: `{quant_method: bitsandbytes, load_in_8bit: true}`,
    `{quant_method: torchao, quant_type: Int8WeightOnlyConfig}`; empty: as the checkpoint has them."""

    model_type: ClassVar[str | None] = None
    """The only family that the adapter loads, as config.json names it; None takes any."""
    how_to_get: ClassVar[str] = (
        "Give the folder of a checkpoint, or a hub id that is reachable or cached (`hf download {path}`)"
    )
    """What to do where `model.path` cannot be loaded; `{path}` is replaced by it."""

    @classmethod
    def option_for(cls, described: Mapping[str, Any]) -> str | None:
        """The option of `conf/model` that suits a checkpoint with this config.json; None where this class does not."""
        return None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_quantization(self.quantization)
        folder = Path(self.path).expanduser()
        is_local = folder.is_absolute() or self.path.startswith(".")
        if is_local and not (folder / "config.json").is_file():
            what = "holds no config.json" if folder.is_dir() else "does not exist"
            how = self.how_to_get.replace("{path}", self.path)
            if (base := base_of(folder)) is not None:
                what, how = "holds an adapter of peft alone", f"Set model.path={base} and model.adapter={self.path}"
            raise ModelError(f"model.path={self.path}: the folder {what}\n{how}")

    @property
    def _source(self) -> str:
        return str(Path(self.path).expanduser()) if self.path.startswith("~") else self.path

    def _build_processor(self) -> "ProcessorMixin":
        with self._explained("its tokenizer or processor"):
            processor = self._fitted(self._read_processor())
            self._check_processor(processor)
            return processor

    def _read_processor(self) -> "ProcessorMixin":
        from transformers import AutoProcessor

        return AutoProcessor.from_pretrained(self._source, revision=self.revision, trust_remote_code=False)

    def _check_processor(self, processor: "ProcessorMixin") -> None:
        """FileError where it does not fit the model."""
        check_processor(processor, self.config)

    def _build_config(self) -> "PreTrainedConfig":
        from transformers import AutoConfig

        with self._explained("config.json"):
            config = AutoConfig.from_pretrained(self._source, revision=self.revision, trust_remote_code=False)
        if self.model_type not in (None, config.model_type):
            raise ModelError(
                f"model.path={self.path} holds a {config.model_type} checkpoint, {type(self).__name__} loads "
                f"{self.model_type}; choose the model=... that fits"
            )
        with self._explained():
            check_parts(self._source, self.revision, config)
            self._check_config(config)
        return config

    def _check_config(self, config: "PreTrainedConfig") -> None:
        """FileError where config.json cannot be that of a SpeechLM."""
        check_config(config)

    def _build_model(
        self, *, device: str, dtype: str, attention: str, device_map: "Spread | None"
    ) -> "PreTrainedModel":
        return self._from_files(device=device, dtype=dtype, attention=attention, device_map=device_map)

    def _from_files(
        self, *, device: str, dtype: str, attention: "str | dict[str, str]", device_map: "Spread | None"
    ) -> "PreTrainedModel":
        """As `_build_model`; attention: for all parts, or by the part's name in the configuration."""
        placed = {"device_map": {"": device}} if device_map is None else self._spread(device_map, device)
        quantized = {"quantization_config": quantization_config(self.quantization)} if self.quantization else {}
        with self._explained():
            check_index(self._source, self.revision)
            # Weights of other sizes would end the loading with a hint at what transformers has printed.
            model, report = self._model_class().from_pretrained(
                self._source,
                revision=self.revision,
                dtype=dtype,
                attn_implementation=attention,
                **placed,
                **quantized,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
            check_loaded(report)
            check_eos(model.generation_config.eos_token_id)
        return model

    def _spread(self, spread: "Spread", device: str) -> dict[str, Any]:
        """The placement as `from_pretrained` takes it."""
        import torch

        with self._explained("the model"), torch.device("meta"):
            empty = self._model_class()(self.config)
        return spread.arguments(empty, device)

    def load(self, *, device: str, dtype: str, attention: str, device_map: "Spread | None" = None) -> "PreTrainedModel":
        """As in ModelAdapter; LoRA weights that come with the checkpoint are on."""
        model = super().load(device=device, dtype=dtype, attention=attention, device_map=device_map)
        if self.adapter is not None:
            put_on(model, self.adapter, self._source, self.revision)
        if getattr(model, "_hf_peft_config_loaded", False):
            model.enable_adapters()
        return model

    def take(self, model: "PreTrainedModel", processor: "ProcessorMixin") -> None:
        """Use a model and a processor that are in memory, instead of `load`; they are checked as a checkpoint's are.

        The model is put into eval mode, and its generation config is replaced as in `load`.
        """
        self.__dict__["_given"] = type(model).__name__  # for messages; the dataclass is frozen
        with self._explained("the model"):
            self._check_config(model.config)
            self.__dict__["config"] = model.config  # a cached property
        with self._explained("the processor"):
            processor = self._fitted(processor)
            self._check_processor(processor)
            self.__dict__["processor"] = processor  # another
        self._use(model.eval())

    def _fitted(self, processor: "ProcessorMixin") -> "ProcessorMixin":
        """The processor with what the settings change in it."""
        return processor

    def _model_class(self) -> "type[PreTrainedModel]":
        """The class that config.json names."""
        return model_class(self.config)

    @property
    def _named(self) -> str:
        given = self.__dict__.get("_given")
        return f"model.path={self.path}" if given is None else f"the {given} given"

    @contextmanager
    def _explained(self, part: str = "") -> Iterator[None]:
        """Word errors in reading a checkpoint for the person who set `model.path`.

        Whatever its files make transformers, tokenizers or torch raise, they are what is wrong. part: which of them,
        where the error does not say so. What was found in a file needs no advice on how to get the file.
        """
        try:
            yield
        except ModelError:
            raise
        except Exception as error:
            told = isinstance(error, FileError | OSError | RuntimeError)  # these say what they are about
            reason = short(error, 300) if told else f"{part} ({type(error).__name__}: {short(error, 300)})".strip()
            verb = "used" if "_given" in self.__dict__ else "loaded"
            how = "\n" + self.how_to_get.replace("{path}", self.path)
            if isinstance(error, FileError) or "_given" in self.__dict__:
                how = ""
            elif not Path(self._source).is_dir():
                reason = f"there is no such folder, and no such hub id can be reached ({reason})"
            raise ModelError(f"{self._named} cannot be {verb}: {reason}{how}") from error
