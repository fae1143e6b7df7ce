"""Where the package, its configuration files and the checkout around them lie."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]

REPOSITORY = PACKAGE.parent
"""The checkout that holds the package; of an installed package, the folder into which it was installed."""

CONF = next(
    (folder for folder in (PACKAGE / "conf", REPOSITORY / "conf") if (folder / "config.yaml").is_file()),
    PACKAGE / "conf",
)
"""The folder of Hydra's groups: `conf/` of the checkout, which a wheel carries inside the package."""

OVERLAYS = CONF if CONF.parent == PACKAGE else REPOSITORY
"""The folder that holds the group `experiments`."""
