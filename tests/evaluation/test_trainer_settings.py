"""What `hardware.trainer` may hold is listed; all else is refused with the reason, before anything is loaded."""

import pytest
import torch

from fastadasp.errors import ConfigError
from fastadasp.evaluation.hardware import Hardware, Placement, resolve
from fastadasp.evaluation.team import team_of
from fastadasp.evaluation.trainer_settings import local_processes, trainer_problems

CPU, CUDA, MPS = (Placement(name, "float32", "sdpa") for name in ("cpu", "cuda", "mps"))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"devices": 2, "strategy": "ddp_spawn", "num_nodes": 1},
        {"devices": [0, 2]},
        {"devices": "auto", "enable_progress_bar": False},
        {"devices": -1, "profiler": "simple"},
        {"devices": None},
    ],
)
def test_what_an_evaluation_has_use_for_is_taken(settings: dict[str, object]) -> None:
    assert trainer_problems(settings) == []
    Hardware(trainer=settings)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"precision": "bf16-mixed"}, "hardware.dtype sets the number format"),
        ({"limit_test_batches": 1}, "would leave examples of the run unanswered; task.limit"),
        ({"limit_val_batches": 0.5}, "would leave examples"),
        ({"fast_dev_run": True}, "would leave examples"),
        ({"max_time": "00:01:00:00"}, "would leave examples"),
        ({"accelerator": "tpu"}, "hardware.device sets the device"),
        ({"logger": True}, "the group logger"),
        ({"callbacks": []}, "an evaluation calls none"),
        ({"deterministic": True}, "the same in every repetition"),
        ({"benchmark": True}, "without changing the run's name"),
        ({"device": 2}, "did you mean devices?"),
        ({"speed": 11}, "Allowed: devices, enable_progress_bar, num_nodes, profiler, strategy"),
        ({"devices": 0}, "must be a number of processes from 1 on"),
        ({"devices": "two"}, "must be a number of processes"),
        ({"devices": [1, 1]}, "must be a number of processes"),
        ({"devices": True}, "must be a number of processes"),
        ({"devices": 2.0}, "must be a number of processes"),
        ({"num_nodes": 0}, "must be a number of machines"),
        ({"strategy": "fsdp"}, "must be one of auto, ddp, ddp_spawn"),
        ({"strategy": ["ddp"]}, "must be one of auto"),
        ({"enable_progress_bar": "no"}, "must be true or false"),
        ({"profiler": "pytorch"}, "must be null or one of simple, advanced"),
    ],
)
def test_all_else_is_refused_with_the_reason(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Hardware(trainer=settings)
    assert f"hardware.trainer{'.' if 'must' in reason else ' '}" in str(caught.value)
    assert next(iter(settings)) in str(caught.value) and reason in str(caught.value)


def test_all_problems_of_a_profile_are_listed_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Hardware(device="tpu", batch_size=0, bandwidth=float("nan"), trainer={"speed": 1, "devices": 0})
    assert len(str(caught.value).split("\n")) == 5


def test_one_model_over_all_gpus_is_not_loaded_by_several_processes() -> None:
    with pytest.raises(ConfigError, match=r"device_map=auto spreads one model over all GPUs.*devices=2"):
        Hardware(device_map="auto", trainer={"devices": 2})
    assert Hardware(device_map="auto", trainer={"devices": 1}).device_map == "auto"


@pytest.mark.parametrize(
    ("devices", "processes"), [(None, None), (-1, None), ("auto", None), (1, 1), (3, 3), ([4, 7], 2), ([0], 1)]
)
def test_processes_of_a_machine(devices: object, processes: int | None) -> None:
    assert local_processes({"devices": devices}) == processes


def test_more_processes_than_a_cpu_has_cores_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert team_of(Hardware(trainer={"devices": 4}), CPU)[0].size == 4, "a few are let through, to try things"
    with pytest.raises(ConfigError, match=r"devices=99, but this machine has 2 processor cores.*at most .*devices=4"):
        team_of(Hardware(trainer={"devices": 99}), CPU)
    with pytest.raises(ConfigError, match=r"devices=\[0, 1\] names GPUs, but the device is cpu"):
        team_of(Hardware(trainer={"devices": [0, 1]}), CPU)
    with pytest.raises(ConfigError, match=r"devices=2, but there is one device of kind mps"):
        team_of(Hardware(trainer={"devices": 2}), MPS)
    assert team_of(Hardware(trainer={"devices": -1}), CPU)[0].size == 1


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    for devices, size, gpus in ((None, 1, [0]), (2, 2, [0, 1]), ([1, 3], 2, [1, 3]), (-1, 4, [0, 1, 2, 3])):
        team, numbers = team_of(Hardware(trainer={"devices": devices}), CUDA)
        assert (team.size, numbers) == (size, gpus)
    with pytest.raises(ConfigError, match=r"devices=8, but torch sees 4 GPUs here.*at most hardware.trainer.devices=4"):
        team_of(Hardware(trainer={"devices": 8}), CUDA)
    with pytest.raises(ConfigError, match=r"devices=\[4\], but torch sees 4 GPUs"):
        team_of(Hardware(trainer={"devices": [4]}), CUDA)


def test_a_task_of_slurm_that_sees_one_gpu_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name, value in {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "1"}.items():
        monkeypatch.setenv(name, value)
    team, numbers = team_of(Hardware(trainer={"devices": 2}), CUDA)
    assert numbers[team.local_rank] == 0


def test_the_cores_are_shared_out_among_the_processes_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("fastadasp.evaluation.hardware.usable_cores", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)

    def threads(**settings: object) -> int | None:
        return resolve(Hardware(device="cpu", **settings)).threads  # type: ignore[arg-type]

    assert threads() is None, "torch's own choice is all of them"
    assert threads(trainer={"devices": 4}) == 2
    assert threads(trainer={"devices": 3}, threads=5) == 5
    monkeypatch.setattr("fastadasp.evaluation.hardware.usable_cores", lambda: 2)  # a container's share of eight
    assert threads() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert threads() is None, "what the user has set stays"


def test_a_number_format_that_the_processor_lacks_is_said_once_at_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "amx_bf16": False, "avx512_bf16": False})
    resolve(Hardware(device="cpu", dtype="float32"))
    resolve(Hardware(device="cpu", dtype="float16"))
    assert not caplog.records, "torch does not tell of float16 here"
    resolve(Hardware(device="cpu", dtype="bfloat16"))
    (said,) = caplog.records
    assert "no instructions for bfloat16" in said.getMessage() and "hardware.dtype=float32" in said.getMessage()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True, "fp16": True})
    resolve(Hardware(device="cpu", dtype="bfloat16"))
    resolve(Hardware(device="cpu", dtype="float16"))
    assert len(caplog.records) == 1
