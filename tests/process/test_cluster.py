"""Who leads a run follows from the processes that it has, whatever variables are left over in a shell."""

import pytest

from fastadasp.errors import ConfigError
from fastadasp.process.cluster import Launcher, Team, first_host, team

SLURM = {"SLURM_JOB_ID": "123456", "SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NODEID": "1"}
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "x",
    "WORLD_SIZE": "4",
    "RANK": "2",
    "LOCAL_RANK": "0",
    "LOCAL_WORLD_SIZE": "2",
    "GROUP_RANK": "1",
    "MASTER_ADDR": "node7",
    "MASTER_PORT": "1234",
}
LEFT_OVER = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "8", "NODE_RANK": "2", "MASTER_ADDR": "gone"}


@pytest.mark.parametrize("environment", [{}, LEFT_OVER, {"SLURM_PROCID": "5"}, {"RANK": "nonsense"}])
def test_a_run_of_one_process_leads_itself(environment: dict[str, str]) -> None:
    assert team(None, 1, environment) == (Team(), None)
    assert team(1, 1, environment)[0].leads


def test_processes_on_this_machine_are_started_from_here() -> None:
    found, remark = team(3, 1, LEFT_OVER)
    assert found == Team(size=3, local_size=3) and found.starts_others and remark is None
    assert not team(None, 1, {})[0].starts_others


def test_the_tasks_of_a_slurm_step_share_a_run_that_asks_for_as_many() -> None:
    found, remark = team(2, 2, {**SLURM, "SLURM_STEP_NODELIST": "gpu[3-4]", "SLURM_STEP_ID": "2"})
    assert remark is None and found.launcher is Launcher.slurm
    assert (found.size, found.rank, found.local_rank, found.local_size, found.node) == (4, 3, 1, 2, 1)
    assert found.address == "gpu3" and 15000 <= found.port < 35000
    assert not found.leads and team(4, 1, {**SLURM, "SLURM_PROCID": "0"})[0].leads
    assert found.port != team(2, 2, {**SLURM, "SLURM_STEP_ID": "3"})[0].port, "steps of one job do not meet"


def test_tasks_that_are_runs_of_their_own_lead_themselves_and_are_told_how_to_share() -> None:
    found, remark = team(None, 1, SLURM)
    assert found == Team() and found.leads
    assert remark is not None and "4 tasks" in remark and "hardware.trainer.devices" in remark


@pytest.mark.parametrize("name", ["bash", "interactive"])
def test_a_shell_inside_slurm_is_one_process(name: str) -> None:
    assert team(None, 1, {**SLURM, "SLURM_JOB_NAME": name}) == (Team(), None)
    assert team(2, 1, {**SLURM, "SLURM_JOB_NAME": name})[0].starts_others


def test_a_step_of_fewer_tasks_than_its_job_has_counts_by_its_own() -> None:
    assert team(None, 1, {**SLURM, "SLURM_STEP_NUM_TASKS": "1"}) == (Team(), None)


def test_torchruns_processes_are_always_one_run() -> None:
    for devices in (None, 1, 4):
        found, remark = team(devices, 1, TORCHRUN)
        assert remark is None and found.launcher is Launcher.torchrun
        assert (found.size, found.rank, found.local_rank, found.local_size, found.node) == (4, 2, 0, 2, 1)
        assert (found.address, found.port) == ("node7", 1234)
    assert team(None, 1, {**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0"})[0] == Team()


@pytest.mark.parametrize(
    ("devices", "nodes", "environment", "message"),
    [
        (2, 1, SLURM, r"this Slurm step has 4 tasks, but the run asks for 2 processes"),
        (3, 1, TORCHRUN, r"torchrun has started 4 processes, but the run asks for 3"),
        (1, 2, {}, r"num_nodes=2, but nobody has started processes on 2 nodes"),
        (1, 1, {"SLURM_NTASKS": "four"}, r"SLURM_NTASKS should be a whole number, got 'four'"),
    ],
)
def test_processes_that_nobody_has_started_are_refused(
    devices: int, nodes: int, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        team(devices, nodes, environment)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("a", "a"),
        ("a,b", "a"),
        ("gpu[007-009,12],login1", "gpu007"),
        ("gpu[3,5]", "gpu3"),
        ("gpu[3]-ib", "gpu3-ib"),
        ("login1,gpu[3-5]", "login1"),
    ],
)
def test_the_first_host_of_slurms_list(nodes: str, first: str) -> None:
    assert first_host(nodes) == first
