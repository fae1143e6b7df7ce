"""What a run computes on; conf/hardware/*.yaml are its profiles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from fastadasp.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")
ATTENTIONS = ("auto", "sdpa", "eager", "flash_attention_2")


@dataclass(frozen=True)
class Hardware:
    """Device, number format and batch; `auto` picks what the machine has (`resolve`)."""

    device: str = "auto"
    """auto | cpu | cuda | mps."""
    dtype: str = "auto"
    """Of the weights: auto | float32 | bfloat16 | float16; auto: bfloat16 where a GPU has it, else float32."""
    attention: str = "auto"
    """Kernel: auto | sdpa | eager | flash_attention_2; auto: flash_attention_2 where installed, else sdpa."""
    device_map: str | None = None
    """accelerate's placement of a model that is too large for one GPU, e.g. `auto`; null: one device."""
    batch_size: int = 8
    """Examples in one batch; halved and retried where memory runs out."""
    num_workers: int = 2
    """Processes that read and resample audio ahead of the model; 0 reads in the main process."""
    threads: int | None = None
    """CPU threads of torch; null leaves torch's choice."""
    peak_flops: float | None = None
    """Dense FLOP/s of one device in `dtype`, from its data sheet."""
    bandwidth: float | None = None
    """Memory bandwidth of one device, bytes/s, from its data sheet."""
    trainer: dict[str, Any] = field(default_factory=dict)
    """Further arguments of lightning's Trainer: devices, num_nodes, strategy, ..."""

    def __post_init__(self) -> None:
        for name, allowed in (("device", DEVICES), ("dtype", DTYPES), ("attention", ATTENTIONS)):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"hardware.{name} must be one of {', '.join(allowed)}, got {getattr(self, name)}")
        for name, least in (("batch_size", 1), ("num_workers", 0), ("threads", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"hardware.{name} must be at least {least}, got {value}")


@dataclass(frozen=True)
class Placement:
    """A Hardware profile on this very machine: nothing is `auto` any more."""

    accelerator: str
    """lightning's name: cpu | cuda | mps."""
    dtype: str
    attention: str


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
    return Placement(device, dtype, attention)
