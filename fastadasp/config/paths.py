"""Where the package, its configuration files and the checkout around them lie."""

from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from fastadasp.config.own_folders import own_folders
from fastadasp.errors import ConfigError

PACKAGE = Path(__file__).resolve().parents[1]

REPOSITORY = PACKAGE.parent
"""The checkout that holds the package; of an installed package, the folder into which it was installed."""

CONF = next(
    (folder for folder in (PACKAGE / "conf", REPOSITORY / "conf") if (folder / "config.yaml").is_file()),
    PACKAGE / "conf",
)
"""The folder of Hydra's groups: `conf/` of the checkout, which a wheel carries inside the package."""

ENTRY_POINTS = "fastadasp.conf"
"""Group of entry points by which an installed package offers a folder of options, as the name of a package or module
next to which the folder's groups lie (`merge/`, `model/`, `task/`, ...)."""


def search_path() -> list[Path]:
    """Folders besides CONF whose groups count: that of the overlays, the user's own, and those that packages offer."""
    overlays = [] if CONF.parent == PACKAGE else [REPOSITORY]
    return [*overlays, *own_folders(), *_offered()]


@cache
def _offered() -> tuple[Path, ...]:
    folders = []
    for point in entry_points(group=ENTRY_POINTS):
        spec = find_spec(point.value)
        if spec is None or spec.origin is None:
            raise ConfigError(
                f"the entry point {point.name} of group {ENTRY_POINTS} names {point.value}, which cannot be found; "
                "reinstall the package that declares it"
            )
        folders.append(Path(spec.origin).parent)
    return tuple(folders)


def options(group: str) -> dict[str, Path]:
    """The file of each option of a group, wherever it comes from."""
    places = [CONF, *search_path()]
    return {file.stem: file for place in reversed(places) for file in sorted((place / group).glob("*.yaml"))}
