"""Where the parts of a model that is too large for one device are kept: accelerate's device maps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from fastadasp.errors import ConfigError
from fastadasp.files.text import shown

if TYPE_CHECKING:
    from torch import nn

NAMED_MAPS = ("auto", "balanced", "balanced_low_0", "sequential")
"""Placements that accelerate works out itself, from the memory that is free."""

Device: TypeAlias = str | int


@dataclass(frozen=True)
class Spread:
    """A model over several devices, with parts in the memory of the host (`cpu`) or on the disk."""

    device_map: str | Mapping[str, Device]
    """One of NAMED_MAPS, or a device for each part by its name, such as `{"model.language_model.layers": "disk"}`:
    `cuda:0` or 0, `cpu`, `disk`, ... Parts that are not named go to the model's device."""
    max_memory: Mapping[str, Device] = field(default_factory=dict)
    """By device, the memory that a named map may fill, such as `{0: "20GiB", "cpu": "60GiB"}`."""
    offload_folder: str | None = None
    """Where parts on the disk go whose weights cannot be read from the checkpoint as they stand."""

    def __post_init__(self) -> None:
        problems = []
        if isinstance(self.device_map, str):
            if self.device_map not in NAMED_MAPS:
                problems.append(
                    f"hardware.device_map must be one of {', '.join(NAMED_MAPS)}, or a device for each part of the "
                    f"model by its name, got {shown(self.device_map)}"
                )
        elif not isinstance(self.device_map, Mapping) or not self.device_map:
            problems.append(
                f"hardware.device_map must name parts of the model and their devices, got {shown(self.device_map)}"
            )
        else:
            problems += [
                f"hardware.device_map: {shown(part)} is placed on {shown(device)}; a device is cpu, disk, cuda:0 or 0"
                for part, device in self.device_map.items()
                if not isinstance(part, str) or isinstance(device, bool) or not isinstance(device, str | int)
            ]
        if self.max_memory and not isinstance(self.device_map, str):
            problems.append("hardware.max_memory limits a device_map such as auto; here each part has its device")
        if problems:
            raise ConfigError("\n".join(problems))

    def arguments(self, model: "nn.Module", device: str) -> dict[str, Any]:
        """What `from_pretrained` gets. ConfigError where a part that is named is not there, or cannot be placed so.

        model: the same without weights, on the meta device; device: that of parts which are not named.
        """
        limits = {_device(name): limit for name, limit in self.max_memory.items()}
        placed: str | dict[str, Device] = (
            self.device_map if isinstance(self.device_map, str) else whole_map(model, self.device_map, device)
        )
        return {
            "device_map": placed,
            **({"max_memory": limits} if limits else {}),
            **({"offload_folder": self.offload_folder} if self.offload_folder is not None else {}),
        }


def whole_map(model: "nn.Module", named: Mapping[str, Device], device: Device) -> dict[str, Device]:
    """A device for every part: that of the closest part around it in `named`, else `device`. As few entries as can be.

    accelerate takes no map in which one part lies within another. ConfigError for a part that the model has not, and
    for weights that are one and the same under two names but would be in two places.
    """
    known = {name for name, _ in model.named_modules()} | {name for name, _ in model.named_parameters()}
    if unknown := sorted(set(named) - known):
        parts = ", ".join(name for name, _ in model.named_children())
        deeper = ", ".join(
            f"{name}.{child}" for name, part in model.named_children() for child, _ in part.named_children()
        )
        raise ConfigError(
            f"hardware.device_map names {shown(unknown[0])}, which {type(model).__name__} has not; its parts are "
            f"{parts}, and inside them {deeper or 'none'}"
        )
    devices = {name: _device(place) for name, place in {"": device, **named}.items()}
    _refuse_divided_ties(model, devices)
    return dict(_entries(model, "", devices))


def _entries(module: "nn.Module", name: str, devices: Mapping[str, Device]) -> Iterable[tuple[str, Device]]:
    """The least map of a module: one entry where all that it holds is in one place."""
    around = _placed(name, devices)
    inside = {place for part, place in devices.items() if part.startswith(f"{name}." if name else "") and part != name}
    if inside <= {around}:
        yield name, around
        return
    for part, _ in module.named_parameters(recurse=False):
        full = f"{name}.{part}" if name else part
        yield full, _placed(full, devices)
    for part, child in module.named_children():
        yield from _entries(child, f"{name}.{part}" if name else part, devices)


def _placed(name: str, devices: Mapping[str, Device]) -> Device:
    """The device of the closest part around `name`."""
    while name and name not in devices:
        name = name.rpartition(".")[0]
    return devices[name]


def _refuse_divided_ties(model: "nn.Module", devices: Mapping[str, Device]) -> None:
    tied: Mapping[str, str] = getattr(model, "all_tied_weights_keys", None) or {}
    for one, other in tied.items():
        if _placed(one, devices) != _placed(other, devices):
            raise ConfigError(
                f"hardware.device_map places {one} on {_placed(one, devices)} and {other} on "
                f"{_placed(other, devices)}, but these are the same weights under two names; give both parts one device"
            )


def _device(name: Device) -> Device:
    """`0` as a number, whether it was written as one or as a text."""
    return int(name) if isinstance(name, str) and name.isdigit() else name
