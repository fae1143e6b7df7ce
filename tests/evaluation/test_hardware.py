"""`auto` is settled on this machine, and what it lacks is refused."""

import pytest
import torch

from fastadasp.errors import ConfigError
from fastadasp.evaluation.hardware import Hardware, Placement, resolve


def test_everything_is_settled_on_a_cpu() -> None:
    assert resolve(Hardware(device="cpu")) == Placement("cpu", "float32", "sdpa")
    assert resolve(Hardware(device="cpu", dtype="bfloat16", attention="eager")) == Placement("cpu", "bfloat16", "eager")


def test_auto_takes_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    placement = resolve(Hardware())
    assert (placement.accelerator, placement.dtype) == ("cuda", "bfloat16")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert resolve(Hardware()).dtype == "float32"


def test_a_device_or_kernel_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"hardware\.device=cuda, but torch sees no such device"):
        resolve(Hardware(device="cuda"))
    with pytest.raises(ConfigError, match=r"flash_attention_2, but the device is cpu"):
        resolve(Hardware(device="cpu", attention="flash_attention_2"))


@pytest.mark.parametrize("settings", [{"device": "tpu"}, {"dtype": "int8"}, {"attention": "fast"}, {"threads": 0}])
def test_values_out_of_range_name_their_key(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"hardware\.{next(iter(settings))} must be"):
        Hardware(**settings)  # type: ignore[arg-type]
