"""Generated files are what `make docs` would write, and the names of the library are the methods that there are."""

import subprocess
import sys

from hydra.utils import get_class
from omegaconf import OmegaConf

import fastadasp
from experiments.tools.documents import stale
from fastadasp.config.paths import CONF
from tests.helpers.configs import METHODS


def test_generated_documents_and_stubs_are_current() -> None:
    assert stale() == [], "run `make docs`"


def test_every_method_with_an_option_is_exported_under_its_class_name() -> None:
    for option in METHODS:
        target = get_class(OmegaConf.load(CONF / "merge" / f"{option}.yaml")._target_)
        assert getattr(fastadasp, target.__name__) is target
        assert target.__name__ in dir(fastadasp)


def test_all_exported_names_load() -> None:
    assert all(getattr(fastadasp, name).__name__ == name for name in dir(fastadasp))


def test_importing_the_package_loads_no_library() -> None:
    script = "import sys, fastadasp; dir(fastadasp); fastadasp.FastAdaSP(ratio=0.3); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "transformers", "hydra", "omegaconf"} & set(loaded)
