"""`hydra/launcher=ray`: the runs of a multirun as tasks of Ray Core, on this machine or on a cluster of Ray.

Hydra takes launchers from the package `hydra_plugins` alone, hence this folder.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, configure_log, filter_overrides, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

log = logging.getLogger(__name__)


class RayLauncher(Launcher):
    """Starts each run as one task of Ray; Ray gives a task its cores and GPUs, and starts it again if its node is lost.

    A task that starts again finds the answers of its first start in the run's folder.
    """

    def __init__(
        self, address: str | None, num_cpus: float, num_gpus: float, workers: int | None, retries: int
    ) -> None:
        self.address, self.num_cpus, self.num_gpus = address, num_cpus, num_gpus
        self.workers, self.retries = workers, retries
        self.config: DictConfig | None = None
        self.task_function: TaskFunction | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over before `launch`."""
        self.config, self.task_function, self.hydra_context = config, task_function, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """The returns of all runs, in their order. Raises ConfigError where Ray is not installed."""
        from fastadasp.errors import ConfigError

        try:
            import ray
        except ImportError as error:
            raise ConfigError(
                "hydra/launcher=ray needs the package ray: pip install -c constraints.txt 'fastadasp[ray]'"
            ) from error
        if self.config is None:
            raise RuntimeError("a launcher is set up before it launches")
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        begun = not ray.is_initialized()
        if begun:
            ray.init(**self._cluster())
        try:
            task = ray.remote(num_cpus=self.num_cpus, num_gpus=self.num_gpus, max_retries=self.retries)(_run)
            state = ray.put(Singleton.get_state())
            shared = (self.hydra_context, self.config, self.task_function)
            waiting = []
            for number, overrides in enumerate(job_overrides, start=initial_job_idx):
                log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
                waiting.append(task.remote(number, list(overrides), *shared, state))
            return list(ray.get(waiting))
        finally:
            if begun:
                ray.shutdown()

    def _cluster(self) -> dict[str, Any]:
        if self.address is not None:
            return {"address": self.address}
        own = {} if self.workers is None else {"num_cpus": max(1, round(self.workers * self.num_cpus))}
        return {"include_dashboard": False, **own}


def _run(
    number: int,
    overrides: list[str],
    hydra_context: HydraContext,
    config: DictConfig,
    task_function: TaskFunction,
    state: Any,
) -> JobReturn:
    """One run, in a process of Ray."""
    import fastadasp.cli  # noqa: F401  # sets how threads wait, before torch is imported

    setup_globals()
    Singleton.set_state(state)
    swept = hydra_context.config_loader.load_sweep_config(config, overrides)
    with open_dict(swept):
        swept.hydra.job.id, swept.hydra.job.num = f"{swept.hydra.job.name}_{number}", number
    HydraConfig.instance().set_config(swept)
    return run_job(
        hydra_context=hydra_context,
        config=swept,
        task_function=task_function,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
