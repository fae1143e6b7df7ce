"""Run a speech language model with token reduction on a task: `python run.py task=sqa merge.ratio=0.3`."""

import hydra
from omegaconf import DictConfig

from fastadasp.config import readable_errors, validate, validate_benchmark


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float:
    """Evaluate one configuration; the value is the task's objective, which Hydra's sweepers optimise."""
    if cfg.benchmark is not None:
        return benchmark(cfg)
    setup = validate(cfg)  # a wrong setting stops here, before seconds go into importing torch and lightning
    from fastadasp.run import evaluate

    return evaluate(cfg, setup)


def benchmark(cfg: DictConfig) -> float:
    """Time what an overlay such as experiments/long_audio.yaml asks for; there is no objective."""
    wanted, hardware = validate_benchmark(cfg)
    wanted.run(cfg, hardware)
    return 0.0


if __name__ == "__main__":
    with readable_errors():
        main()
