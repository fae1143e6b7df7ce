"""What the long-audio benchmark is to measure: prompts, contenders and sizes; no measuring."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import product
from typing import TYPE_CHECKING

from fastadasp.benchmark.base import Benchmark
from fastadasp.benchmark.shapes import SpeechShape
from fastadasp.errors import ConfigError
from fastadasp.reduction.method import Schedule

if TYPE_CHECKING:
    pass

Way = Enum("Way", ["released", "merging", "static"])
"""`released`: eager attention and a Python merge loop; `merging`: ours inside transformers' generate(); `static`: ours
with static caches that share the prompt, and CUDA graphs on a GPU."""


@dataclass(frozen=True)
class Case:
    """One prompt that all contenders answer."""

    shape: str
    seconds: float
    beams: int
    batch_size: int
    new_tokens: int


@dataclass  # not frozen: OmegaConf cannot fill frozen dataclasses inside others
class Sweep:
    """Prompts to answer: all combinations of the lists."""

    seconds: list[float]
    """Of audio."""
    beams: list[int] = field(default_factory=lambda: [1])
    batch_sizes: list[int] = field(default_factory=lambda: [1])
    new_tokens: int = 1
    """1 measures the prefill alone."""
    repeats: int = 3
    """Measured rounds, of which medians are taken; at least one more goes before them to warm up."""
    paths: list[Way] = field(default_factory=lambda: list(Way))

    def __post_init__(self) -> None:
        for name in ("seconds", "beams", "batch_sizes", "paths"):
            values = getattr(self, name)
            if not values or (name != "paths" and min(values) <= 0):
                raise ConfigError(f"benchmark.sweeps.*.{name} must list at least one value, all above 0, got {values}")
        if min(self.new_tokens, self.repeats) < 1:
            raise ConfigError(
                "benchmark.sweeps.*.new_tokens and .repeats must be at least 1, got "
                f"{self.new_tokens} and {self.repeats}"
            )

    def cases(self, shape: str) -> Iterator[Case]:
        """Short audio first."""
        for seconds, beams, rows in product(self.seconds, self.beams, self.batch_sizes):
            yield Case(shape, seconds, beams, rows, self.new_tokens)

    def quick(self) -> "Sweep":
        """The shortest audio in the smallest batch, one measured round, at most 8 new tokens."""
        seconds, rows = min(self.seconds), min(self.batch_sizes)
        return replace(self, seconds=[seconds], batch_sizes=[rows], new_tokens=min(self.new_tokens, 8), repeats=1)


@dataclass(frozen=True)
class LongAudioCases(Benchmark):
    """The fields of the `benchmark` node in experiments/long_audio*.yaml."""

    shapes: dict[str, SpeechShape]
    sweeps: dict[str, Sweep]
    ratio: float = 0.5
    """Share of the audio tokens removed, averaged over the layers after `layer`."""
    layer: int = 2
    schedules: list[Schedule] = field(default_factory=lambda: [Schedule.once, Schedule.constant, Schedule.decay])
    memory_gib: float | None = None
    """Device memory to fill with the largest batch and the longest audio; null: all that the GPU has."""

    def __post_init__(self) -> None:
        if not self.shapes or not self.sweeps:
            raise ConfigError("benchmark.shapes and benchmark.sweeps must each name at least one entry")
        if not 0 < self.ratio < 1:
            raise ConfigError(f"benchmark.ratio must lie in (0, 1), got {self.ratio}; it is the share of audio removed")
        if self.memory_gib is not None and self.memory_gib <= 0:
            raise ConfigError(f"benchmark.memory_gib must be above 0, got {self.memory_gib}")

    @property
    def longest(self) -> float:
        """Seconds of the longest audio of any sweep."""
        return max(max(sweep.seconds) for sweep in self.sweeps.values())
