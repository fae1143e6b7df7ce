"""From a composed config to a checked benchmark, before torch is imported."""

from omegaconf import DictConfig

from fastadasp.benchmark.base import Benchmark
from fastadasp.config.build import build_all
from fastadasp.evaluation.hardware import Hardware


def validate_benchmark(cfg: DictConfig) -> tuple[Benchmark, Hardware]:
    """What the `benchmark` node of an overlay in experiments/ asks for, and on what; ConfigError as in `validate`."""
    built = build_all(cfg, {"benchmark": "benchmark", "hardware": "hardware"})
    return built["benchmark"], built["hardware"]
