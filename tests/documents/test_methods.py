"""`docs/methods.md` against the methods that there are."""

import re
from pathlib import Path

from experiments.tools.measured import DOCUMENT, README, RESULTS, section, summary, with_lines
from fastadasp.config.build import build
from fastadasp.config.paths import REPOSITORY
from fastadasp.report.stored import find_tables
from fastadasp.report.tables import Cell, Table
from fastadasp.statistics.intervals import Interval
from tests.helpers.configs import composed


def test_the_index_lists_every_method_at_its_site() -> None:
    text = Path(REPOSITORY, "docs", "methods.md").read_text(encoding="utf-8")
    listed = {}
    index = text.partition("\n## Where methods depart")[0]
    for names, sites in re.findall(r"^\| (`[^|]*`) \| ([^|]*) \|", index, re.MULTILINE):
        listed |= dict.fromkeys(re.findall(r"`(\w+)`", names), sites)
    options = {path.stem for path in Path(REPOSITORY, "conf", "merge").glob("*.yaml")}
    assert listed.keys() == options
    for name in options - {"none", "chain"}:
        stages = build(composed(f"merge={name}", "merge.ratio=0.3").merge, "merge").stages()
        assert listed[name] == ", ".join(stage.site.name for stage in stages)
        paragraph = text.partition(f"\n**`{name}`** ")[2].partition("\n\n")[0]
        assert all(f"*{fact}:* " in paragraph for fact in ("Site", "Cost", "From", "Measured")), name


def test_lines_of_methods_are_renewed_from_the_tables() -> None:
    facts = {"fingerprint": "x", "flops_paper_saved": 0.3, "quality": {}}
    worse = Cell(("flops_reduction", 0.3), Interval(0.135, 0.1, 0.2), Interval(0.05, 0.01, 0.08), facts)
    full = Cell(None, Interval(0.08, 0.07, 0.09), None, facts)
    table = Table("asr", "tiny", "wer", False, 64, full, {"FastV": [worse]})
    text = "**`fastv`** keeps\n*Measured:* old\n\n**`tova`** scores\n*Measured:* not yet.\n"
    renewed = with_lines(text, {"fastv": "FastV"}, [table])
    assert "*Measured:* asr wer 13.5† and - (full 8.0) at 30% and 50%.\n" in renewed
    assert renewed.endswith(text.partition("\n\n")[2])


def test_the_documents_hold_the_scores_of_the_stored_tables() -> None:
    tables = [table for table, _ in find_tables([RESULTS])]
    for file, content in ((DOCUMENT, section(tables)), (README, summary(tables))):
        assert content in file.read_text(encoding="utf-8"), f"{file.name}: run make table-texts"
