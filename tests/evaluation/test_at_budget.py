"""The score that searches at a FLOPs budget optimise."""

from fastadasp.evaluation.logged import at_budget


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
