"""`docs/methods.md` against the methods that there are."""

import re
from pathlib import Path

from conftest import composed

from fastadasp.config import build
from fastadasp.fingerprint import REPOSITORY


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
        assert f"**`{name}`**" in text
