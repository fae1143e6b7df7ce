"""Where the trials of a sweep are kept, for several processes and machines to share and to resume."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastadasp.errors import InputError
from fastadasp.sweep.file import Goal

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

JOURNAL = "journal:"
WAIT_S = 60
"""How long a process waits for another one that writes to the same SQLite file."""


class StorageError(InputError):
    """The storage of a sweep cannot be opened or used."""


def open_study(url: str, name: str, goals: Sequence[Goal]) -> "Study":
    """The study `name` in the storage `url`, made where there is none.

    url: `journal:FILE`, `sqlite:///FILE`, or any database of SQLAlchemy such as `postgresql+psycopg://user@host/base`.
    Raises StorageError where the storage cannot be opened.
    """
    import optuna
    from optuna.study import StudyDirection

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    ways = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
    directions = [ways[goal.maximize] for goal in goals]
    return optuna.create_study(
        storage=_storage(url), study_name=name, directions=directions, load_if_exists=True, pruner=pruner()
    )


def pruner() -> "optuna.pruners.BasePruner":  # type: ignore[name-defined]  # noqa: F821
    """What gives up a run whose score after some of its clips is below the median of the runs before."""
    import optuna

    return optuna.pruners.MedianPruner(n_startup_trials=4)


def _storage(url: str) -> "BaseStorage":
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    if url.startswith(JOURNAL):
        file = Path(url.removeprefix(JOURNAL))
        file.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(file)))
    if "://" not in url:
        raise StorageError(f"--storage {url} is no URL; give {JOURNAL}FILE, sqlite:///FILE or postgresql+psycopg://...")
    if url.startswith("sqlite:///") and url != "sqlite:///:memory:":
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    settings = {"connect_args": {"timeout": WAIT_S}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    for last in (False, True):
        try:
            return RDBStorage(url, engine_kwargs=settings)
        except (ArgumentError, ImportError) as error:
            raise StorageError(
                f"--storage {_without_password(url)} cannot be opened: {_first_line(error)}. A database needs "
                "its driver (PostgreSQL: pip install 'fastadasp[postgres]')"
            ) from error
        except SQLAlchemyError as error:
            if last:  # the first time, another process may have made the tables at the same moment
                raise StorageError(
                    f"--storage {_without_password(url)} cannot be opened: {_first_line(error)}"
                ) from error
    raise StorageError(f"--storage {_without_password(url)} cannot be opened")


def _without_password(url: str) -> str:
    kind, _, place = url.partition("://")
    return f"{kind}://{place.rpartition('@')[2]}"


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).split("\n")[0]
