"""The training code lies outside the package: let `experiments` be imported however pytest is started."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
