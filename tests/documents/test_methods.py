"""`docs/methods.md` against the methods that there are."""

import re
from pathlib import Path

from experiments.tools.measured import with_lines
from fastadasp.config.build import build
from fastadasp.config.paths import REPOSITORY
from tests.helpers.configs import composed


def test_the_index_lists_every_method_at_its_site() -> None:
    text = Path(REPOSITORY, "docs", "methods.md").read_text(encoding="utf-8")
    listed = {}
    for names, sites in re.findall(r"^\| (`[^|]*`) \| ([^|]*) \|", text, re.MULTILINE):
        listed |= dict.fromkeys(re.findall(r"`(\w+)`", names), sites)
    options = {path.stem for path in Path(REPOSITORY, "conf", "merge").glob("*.yaml")}
    assert listed.keys() == options
    for name in options - {"none", "chain"}:
        stages = build(composed(f"merge={name}", "merge.ratio=0.3").merge, "merge").stages()
        assert listed[name] == ", ".join(stage.site.name for stage in stages)
        paragraph = text.partition(f"\n**`{name}`** ")[2].partition("\n\n")[0]
        assert all(f"*{fact}:* " in paragraph for fact in ("Site", "Cost", "From", "Measured")), name


def test_lines_of_methods_are_renewed_from_the_tables() -> None:
    cell = {"asked": {"flops_reduction": 0.3}, "score": {"value": 0.135}}
    worse = {**cell, "difference_from_full_tokens": {"low": 0.01, "high": 0.08}}
    table = {"task": "asr", "objective": "wer", "higher_is_better": False, "full_tokens": {"score": {"value": 0.08}}}
    text = "**`fastv`** keeps\n*Measured:* old\n\n**`tova`** scores\n*Measured:* not yet.\n"
    renewed = with_lines(text, {"fastv": "FastV"}, [{**table, "rows": {"FastV": [worse]}}])
    assert "*Measured:* asr wer 13.5† and - (full 8.0) at 30% and 50%.\n" in renewed
    assert renewed.endswith(text.partition("\n\n")[2])
