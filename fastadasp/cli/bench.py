"""Time long audio, start-up or evaluation, by an overlay: `fastadasp bench long_audio_cpu benchmark.quick=true`."""

import argparse
from collections.abc import Sequence

from omegaconf import OmegaConf

from fastadasp.cli.run import main as run
from fastadasp.config.paths import options


def main(arguments: Sequence[str]) -> None:
    """`fastadasp run experiments=<overlay> ...` for the overlays that hold a benchmark."""
    overlays = [name for name, file in sorted(options("experiments").items()) if "benchmark" in OmegaConf.load(file)]
    parser = argparse.ArgumentParser(prog="fastadasp bench", description="Time what an overlay asks for.")
    parser.add_argument("overlay", choices=overlays)
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, such as benchmark.quick=true hardware=h100")
    given = parser.parse_args(arguments)
    run([f"experiments={given.overlay}", *given.overrides])
