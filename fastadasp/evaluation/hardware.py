"""What a run computes on; conf/hardware/*.yaml are its profiles."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.evaluation.trainer_settings import local_processes, trainer_problems
from fastadasp.models.placing import Spread
from fastadasp.process.cores import usable_cores

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from fastadasp.models.base import ModelAdapter

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")
ATTENTIONS = ("auto", "sdpa", "eager", "flash_attention_2")
MOST_THREADS = 1024
"""Above this, operating systems refuse to start threads, which ends the process."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hardware:
    """Device, number format and batch; `auto` picks what the machine has (`resolve`)."""

    device: str = "auto"
    """auto | cpu | cuda | mps."""
    dtype: str = "auto"
    """Of the weights: auto | float32 | bfloat16 | float16; auto: bfloat16 where a GPU has it, else float32."""
    attention: str = "auto"
    """Kernel: auto | sdpa | eager | flash_attention_2; auto: flash_attention_2 where installed, else sdpa."""
    device_map: Any = None
    """accelerate's placement of a model that is too large for one GPU: `auto`, or a device for each part by its name
    (`{model.language_model: cuda:0, model.audio_tower: cpu}`; `disk` is one, too); parts that are not named go to
    `device`. null: one device."""
    max_memory: dict[str, Any] = field(default_factory=dict)
    """Memory that `device_map=auto` may fill, by device: `{"0": 20GiB, cpu: 60GiB}`."""
    offload_folder: str | None = None
    """Folder for weights on the disk that cannot be read from the checkpoint as they stand."""
    compile: str | None = None
    """Backend of `torch.compile` for the model's forward pass, such as `inductor`; null: not compiled. Each new shape
    of a batch may compile anew."""
    batch_size: int = 8
    """Examples in one batch; halved and retried where memory runs out."""
    batch_tokens: int | None = None
    """Prompt tokens of a batch, padding included: as many examples run together as fit; null: `batch_size` of them."""
    encoder_cache_gb: float | None = None
    """GiB on the disk in which encoder outputs are kept for later runs over the same clips; null: none are kept. Times
    of runs that find them lack the encoder."""
    num_workers: int = 2
    """Processes that read and resample audio ahead of the model; 0 reads in the main process."""
    threads: int | None = None
    """CPU threads of torch; null: the cores that this process may use, shared out among the processes of one run."""
    peak_flops: float | None = None
    """Dense FLOP/s of one device in `dtype`, from its data sheet."""
    bandwidth: float | None = None
    """Memory bandwidth of one device, bytes/s, from its data sheet."""
    trainer: dict[str, Any] = field(default_factory=dict)
    """Processes of the run: devices, num_nodes, strategy (ddp_spawn | ddp); and enable_progress_bar."""

    def __post_init__(self) -> None:
        problems = []
        for name, allowed in (("device", DEVICES), ("dtype", DTYPES), ("attention", ATTENTIONS)):
            if getattr(self, name) not in allowed:
                problems.append(f"hardware.{name} must be one of {', '.join(allowed)}, got {getattr(self, name)}")
        for name, least in (("batch_size", 1), ("batch_tokens", 1), ("num_workers", 0), ("threads", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                problems.append(f"hardware.{name} must be at least {least}, got {value}")
        if self.threads is not None and self.threads > MOST_THREADS:
            problems.append(f"hardware.threads must be at most {MOST_THREADS}, got {self.threads}")
        for name in ("peak_flops", "bandwidth", "encoder_cache_gb"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                problems.append(f"hardware.{name} must be a number above 0, got {value}")
        problems += trainer_problems(self.trainer)
        try:
            spread = self.spread
        except ConfigError as error:
            spread, problems = None, [*problems, str(error)]
        if spread is None and self.device_map is None and (self.max_memory or self.offload_folder is not None):
            problems.append("hardware.max_memory and hardware.offload_folder need a hardware.device_map, such as auto")
        if self.device_map is not None and not problems and (local_processes(self.trainer) or 1) != 1:
            problems.append(
                f"hardware.device_map={self.device_map} spreads one model over all GPUs, so that "
                f"hardware.trainer.devices={self.trainer['devices']} copies of it would share them; set one of the two"
            )
        if problems:
            raise ConfigError("\n".join(problems))

    @property
    def spread(self) -> Spread | None:
        """The placement over several devices; None for one."""
        return None if self.device_map is None else Spread(self.device_map, self.max_memory, self.offload_folder)


@dataclass(frozen=True)
class Placement:
    """A Hardware profile on this very machine: nothing is `auto` any more."""

    accelerator: str
    """lightning's name: cpu | cuda | mps."""
    dtype: str
    attention: str
    spread: Spread | None = None
    """A placement over several devices; None: one device."""
    threads: int | None = None
    """CPU threads of torch; None: torch's own choice."""
    encoder_cache_gb: float | None = None
    """Of encoder outputs that are kept on the disk; None: none."""
    compile: str | None = None
    """Backend of `torch.compile`; None: not compiled."""


def resolve(hardware: Hardware) -> Placement:
    """Settle every `auto`; raises ConfigError where the machine lacks what the profile asks for."""
    import torch

    has: Mapping[str, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    device = next(name for name in has if has[name]) if hardware.device == "auto" else hardware.device
    if not has[device]:
        raise ConfigError(f"hardware.device={device}, but torch sees no such device here; try hardware=cpu")
    flash = find_spec("flash_attn") is not None
    if hardware.attention == "flash_attention_2" and not (flash and device == "cuda"):
        lacking = "the package flash_attn is not installed" if device == "cuda" else f"the device is {device}"
        raise ConfigError(f"hardware.attention=flash_attention_2, but {lacking}; use sdpa")
    half = device == "cuda" and torch.cuda.is_bf16_supported()
    dtype = ("bfloat16" if half else "float32") if hardware.dtype == "auto" else hardware.dtype
    usable = flash and device == "cuda" and dtype != "float32"
    attention = ("flash_attention_2" if usable else "sdpa") if hardware.attention == "auto" else hardware.attention
    if device == "cpu" and not computes(dtype):
        log.warning(
            "This processor has no instructions for %s: the answers are right, but come about ten times more slowly "
            "than with hardware.dtype=float32",
            dtype,
        )
    threads = threads_of_a_job(hardware)
    return Placement(device, dtype, attention, hardware.spread, threads, hardware.encoder_cache_gb, hardware.compile)


def computes(dtype: str) -> bool:
    """Whether this machine's processor has instructions for a number format; True where torch does not tell."""
    import torch

    known: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    name = {"bfloat16": "bf16", "float16": "fp16"}.get(dtype)
    of_format = [bool(has) for feature, has in known.items() if name is not None and name in feature]
    return any(of_format) or not of_format


def threads_of_a_job(hardware: Hardware) -> int | None:
    """Threads of each process of a run, whose processes share the cores of this machine; None leaves torch's choice."""
    import torch

    if hardware.threads is not None or os.environ.get("OMP_NUM_THREADS"):
        return hardware.threads
    threads = max(1, usable_cores() // (local_processes(hardware.trainer) or 1))
    return threads if threads < torch.get_num_threads() else None


def use_threads(placement: Placement) -> None:
    """Give torch the threads of a placement."""
    import torch

    if placement.threads is not None:
        torch.set_num_threads(placement.threads)


def load(adapter: "ModelAdapter", placement: Placement, device: str | None = None) -> "PreTrainedModel":
    """Load an adapter's model where and as `placement` says; every command loads a model by this function.

    Raises ModelError where the adapter does not keep the rules of docs/add-a-model.md.

    device: torch's name of one of several devices, such as `cuda:1`; None: that of the placement.
    """
    from fastadasp.models.contract import check_model
    from fastadasp.models.encoder_cache import attach

    use_threads(placement)
    model = adapter.load(
        device=device or placement.accelerator,
        dtype=placement.dtype,
        attention=placement.attention,
        device_map=placement.spread,
    )
    check_model(adapter, model)
    if placement.compile is not None:
        compile_forward(model, placement.compile)
    if placement.encoder_cache_gb is not None:
        attach(model, placement.encoder_cache_gb)
    return model


def compile_forward(model: "PreTrainedModel", backend: str) -> None:
    """Let torch compile the model's forward pass, which it does when it is first used. ConfigError for no backend."""
    import torch

    known = torch.compiler.list_backends(exclude_tags=())
    if backend not in known:
        raise ConfigError(f"hardware.compile={backend} is no backend of torch.compile; it has {', '.join(known)}")
    model.compile(backend=backend)
