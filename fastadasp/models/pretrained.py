"""Loading checkpoints from a local folder or the hub, safely and with errors that say what to do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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
from fastadasp.models.speechlm import SpeechLM

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, ProcessorMixin


@dataclass(frozen=True, kw_only=True)
class Pretrained(SpeechLM):
    """A trained checkpoint in transformers' format: safetensors only, and no code that comes with it is run."""

    path: str
    """Folder of the checkpoint, or its hub id."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""

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
        folder = Path(self.path).expanduser()
        is_local = folder.is_absolute() or self.path.startswith(".")
        if is_local and not (folder / "config.json").is_file():
            what = "holds no config.json" if folder.is_dir() else "does not exist"
            how = self.how_to_get.replace("{path}", self.path)
            raise ModelError(f"model.path={self.path}: the folder {what}\n{how}")

    @property
    def _source(self) -> str:
        return str(Path(self.path).expanduser()) if self.path.startswith("~") else self.path

    def _build_processor(self) -> "ProcessorMixin":
        with self._explained("its tokenizer or processor"):
            processor = self._read_processor()
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

    def _build_model(self, *, device: str, dtype: str, attention: str, device_map: str | None) -> "PreTrainedModel":
        return self._from_files(device=device, dtype=dtype, attention=attention, device_map=device_map)

    def _from_files(
        self, *, device: str, dtype: str, attention: "str | dict[str, str]", device_map: str | None
    ) -> "PreTrainedModel":
        """As `_build_model`; attention: for all parts, or by the part's name in the configuration."""
        with self._explained():
            check_index(self._source, self.revision)
            # Weights of other sizes would end the loading with a hint at what transformers has printed.
            model, report = self._model_class().from_pretrained(
                self._source,
                revision=self.revision,
                dtype=dtype,
                attn_implementation=attention,
                device_map=device_map or {"": device},
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
            check_loaded(report)
            check_eos(model.generation_config.eos_token_id)
        return model

    def _model_class(self) -> "type[PreTrainedModel]":
        """The class that config.json names."""
        return model_class(self.config)

    @property
    def _named(self) -> str:
        return f"model.path={self.path}"

    @contextmanager
    def _explained(self, part: str = "") -> Iterator[None]:
        """Word errors in reading a checkpoint for the person who set `model.path`.

        Whatever its files make transformers, tokenizers or torch raise, they are what is wrong. part: which of them,
        where the error does not say so.
        """
        try:
            yield
        except ModelError:
            raise
        except Exception as error:
            told = isinstance(error, FileError | OSError | RuntimeError)  # these say what they are about
            reason = short(error, 300) if told else f"{part} ({type(error).__name__}: {short(error, 300)})".strip()
            if not Path(self._source).is_dir():
                reason = f"there is no such folder, and no such hub id can be reached ({reason})"
            how = self.how_to_get.replace("{path}", self.path)
            raise ModelError(f"{self._named} cannot be loaded: {reason}\n{how}") from error
