"""Writing the page: one HTML file with its styles, scripts, pictures, answers and sound inside."""

import json
from pathlib import Path
from typing import Any

from fastadasp.report.page.content import Content

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; img-src data: blob:; media-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "worker-src blob:"
)
"""What the page may load: nothing that is not inside it."""


def write_page(content: Content, file: Path) -> None:
    """Write the page; about 5 MB, most of which is plotly.js."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["data"] = lambda value: Markup(as_data(value))
    text = environment.get_template("page.html").render(
        content=content,
        policy=POLICY,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        plotly=Markup(get_plotlyjs()),
        scripts=Markup("\n".join((HERE / name).read_text(encoding="utf-8") for name in ("charts.js", "clips.js"))),
    )
    file.write_text(text, encoding="utf-8")


def as_data(value: Any) -> str:
    """JSON that can stand inside a script element, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
