"""Logs of several starts become one curve and one table of lessons."""

from pathlib import Path

from experiments.training.tiny.curves import read_curve, read_kinds

FIRST = """minutes,step,epoch,answers,loss_asr,right_asr
1.0,19,0,3.0,,
,20,0,,2.5,0.5
2.0,39,1,2.0,,
,40,1,,2.0,0.6
"""
SECOND = """minutes,step,epoch,answers,loss_asr,right_asr,loss_sqa,right_sqa
1.5,39,1,1.0,,,,
,40,1,,1.5,0.7,0.5,0.9
"""


def test_what_a_restart_repeats_counts_once(tmp_path: Path) -> None:
    for number, text in enumerate((FIRST, SECOND)):
        folder = tmp_path / "log" / f"version_{number}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text(text)
    assert [(row["minutes"], row["answers"]) for row in read_curve(tmp_path)] == [(1.0, 3.0), (1.5, 1.0)]
    assert [tuple(row.values()) for row in read_kinds(tmp_path)] == [
        ("0", "asr", "2.500", "0.500"),
        ("1", "asr", "1.500", "0.700"),
        ("1", "sqa", "0.500", "0.900"),
    ]
