"""A report's page in a real browser: `python -m experiments.tools.page_check report.html --out screenshots`.

Chromium opens the page in each of VIEWS, without a network. The command fails where the console is not empty, where the
page asks for anything outside of itself, or where a text is clipped or covers another or data, and it leaves a
screenshot of the page's top and of each of its pictures, since not everything that is ugly can be measured.
"""

import argparse
import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.tools.browser import Tab, browser
from fastadasp.config.messages import readable_errors
from fastadasp.errors import InputError
from fastadasp.report.plain import file_name

CHECKS = Path(__file__).with_name("page_check.js")
SHOWN = "header, .picture, .map, #clips, section > details"
"""Parts of the page of which there are screenshots."""
DRAWN = 'document.readyState == "complete" && [...document.querySelectorAll(".plot")].every((plot) => plot.data)'
USE = """\
for (const one of document.querySelectorAll("details")) one.open = true;
for (const one of document.querySelectorAll(".methods p")) (one.querySelector("button") || one).click();
window.choose = (one, place) => { one.value = one.options[place].value; one.dispatchEvent(new Event("change")); };
for (const table of document.querySelectorAll("#pair select[name=table]"))
  for (const place of [...[...table.options].keys()].reverse()) {
    window.choose(table, place);
    const second = document.querySelector("#pair select[name=second]");
    window.choose(second, second.options.length >> 1);
  }
for (const one of document.querySelectorAll(".methods p")) (one.querySelector("button") || one).click();
for (const one of document.querySelectorAll(".methods")) one.open = false;
"""
"""What a reader does: open what is folded, bring methods to the fore and back, compare runs of every table."""
SCROLL = """\
(() => {
  const part = parts[NUMBER], title = part.querySelector("h1, h2, h3, summary");
  part.scrollIntoView();
  const place = part.getBoundingClientRect();
  return {title: title ? title.textContent : part.id, x: place.x + scrollX, y: place.y + scrollY, width: place.width,
          height: Math.min(place.height, innerHeight - place.y)};
})()
"""
"""Brings one part into the window and tells where on the page it stands, as far as it is in the window."""


@dataclass(frozen=True)
class View:
    """How the page is looked at."""

    name: str
    width: int
    scheme: str = "light"
    vision: str = "none"


VIEWS = (
    View("desktop", 1280),
    View("narrow", 400),
    View("dark", 1280, "dark"),
    View("narrow_dark", 400, "dark"),
    View("grey", 1280, vision="achromatopsia"),
)


def check(page: Path, out: Path | None, program: str | None = None) -> list[str]:
    """What is wrong with the page, one sentence each. out: folder for screenshots, none without."""
    address = page.resolve().as_uri()
    found: list[str] = []
    with browser(program) as tab:
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        for view in VIEWS:
            _look(tab, view)
            tab.call("Page.navigate", url=address)
            _wait(tab)
            tab.value(USE)
            time.sleep(0.3)  # Plotly draws what was clicked
            found += [f"{view.name}: {problem}" for problem in tab.value(CHECKS.read_text(encoding="utf-8"))]
            found += [f"{view.name}: {problem}" for problem in complaints(tab.events, address)]
            tab.events.clear()
            if out is not None:
                _photograph(tab, view, out)
    return found


def complaints(events: Sequence[Mapping[str, Any]], address: str) -> Iterator[str]:
    """What Chromium's events tell of errors, and of requests for anything but `address` and what is inside it."""
    for event in events:
        told, what = event.get("method"), event.get("params", {})
        if told == "Runtime.exceptionThrown":
            details = what["exceptionDetails"]
            yield f"an error: {details.get('exception', {}).get('description') or details.get('text')}"
        elif told == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            yield f"the console: {json.dumps([one.get('value', one.get('description')) for one in what['args']])}"
        elif told == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            yield f"the log: {what['entry']['text']}"
        elif told == "Network.requestWillBeSent":
            url = what["request"]["url"]
            if url.partition("#")[0] != address and not url.startswith(("data:", "blob:")):
                yield f"a request for {url}"


def _look(tab: Tab, view: View) -> None:
    tab.call("Emulation.setDeviceMetricsOverride", width=view.width, height=1400, deviceScaleFactor=1, mobile=False)
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": view.scheme}])
    tab.call("Emulation.setEmulatedVisionDeficiency", type=view.vision)


def _wait(tab: Tab) -> None:
    until = time.monotonic() + 60
    while not tab.value(DRAWN):
        if time.monotonic() > until:
            raise InputError("the page has not drawn its charts after 60 s; open it by hand and look at its console")
        time.sleep(0.1)


def _photograph(tab: Tab, view: View, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tab.value(f"window.parts = [...document.querySelectorAll({json.dumps(SHOWN)})]; 0")
    for number in range(tab.value("parts.length")):
        place = tab.value(SCROLL.replace("NUMBER", str(number)))
        if not place["width"] or not place["height"]:
            continue
        clip = {**{key: place[key] for key in ("x", "y", "width", "height")}, "scale": 1}
        shot = tab.call("Page.captureScreenshot", format="png", clip=clip)
        name = f"{view.name}-{number:02d}-{file_name(place['title'])[:60]}.png"
        (out / name).write_bytes(base64.b64decode(shot["data"]))


def main() -> None:
    """Check a page and say what is wrong with it."""
    parser = argparse.ArgumentParser(description="Open a report's page in headless Chromium and check it.")
    parser.add_argument("page", type=Path, help="a report.html")
    parser.add_argument("--out", type=Path, help="folder for screenshots")
    parser.add_argument("--browser", help="command of Chromium (default: the first that is found)")
    given = parser.parse_args()
    with readable_errors():
        if not given.page.is_file():
            raise InputError(f"{given.page} does not exist; `fastadasp report ... --out DIR` writes DIR/report.html")
        found = check(given.page, given.out, given.browser)
    for problem in found:
        print(problem)
    names = ", ".join(view.name for view in VIEWS)
    print(f"{len(found)} problems in {given.page} ({names})")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
