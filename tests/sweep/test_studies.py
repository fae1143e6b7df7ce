"""What a search optimises, and the name of its study."""

from pathlib import Path

import optuna
import pytest

from fastadasp.evaluation.logged import at_budget
from fastadasp.sweep import search
from fastadasp.sweep.command import Asked, sweep


def test_quality_at_a_budget_puts_every_run_within_it_before_every_other() -> None:
    for higher, good, bad in ((True, 0.9, 0.1), (False, 0.1, 0.9)):
        rated = [
            at_budget(good, 0.5, 0.3, higher),
            at_budget(bad, 0.3, 0.3, higher),
            at_budget(good, 0.25, 0.3, higher),
            at_budget(good, 0.0, 0.3, higher),
        ]
        assert rated == sorted(rated, reverse=higher)
        assert len(set(rated)) == 4
    assert at_budget(7.0, 0.5, 0.3, higher_is_better=False) == 1.0, "a WER above 1 is no worse than a missed budget"
    assert at_budget(0.5, 0.299, 0.3, higher_is_better=True) == 0.5, "whole tokens meet a share only nearly"


def test_studies_do_not_share_a_name_when_what_is_searched_differs(tmp_path: Path) -> None:
    names = set()
    for text in (SIX, SIX.replace("0.8", "0.7"), SIX.replace("limit=2", "limit=3"), SIX.replace("accuracy", "removed")):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(search, "_values", lambda *_: [0.0])
            names.add(sweep(Asked(written(tmp_path, text), (), storage=f"journal:{tmp_path}/x")).study_name)
    assert len(names) == 4
    assert len(optuna.get_all_study_names(f"sqlite:///{tmp_path}/none.db")) == 0
