"""What the check of a page in a browser calls an error, from Chromium's events; `make page-check` needs the browser."""

from experiments.tools.page_check import VIEWS, complaints

PAGE = "file:///reports/report.html"


def asked(url: str) -> dict[str, object]:
    return {"method": "Network.requestWillBeSent", "params": {"request": {"url": url}}}


def test_a_page_that_stays_by_itself_is_without_complaint() -> None:
    events = [
        asked(PAGE), asked(f"{PAGE}#clips"), asked("data:image/png;base64,AA"), asked("blob:null/1"),
        {"method": "Runtime.consoleAPICalled", "params": {"type": "log", "args": [{"value": "drawn"}]}},
        {"method": "Page.loadEventFired", "params": {}},
    ]  # fmt: skip
    assert list(complaints(events, PAGE)) == []


def test_requests_errors_and_warnings_are_told() -> None:
    events = [
        asked("https://cdn.example.org/plotly.js"),
        asked("file:///reports/other.html"),
        {"method": "Runtime.exceptionThrown",
         "params": {"exceptionDetails": {"text": "Uncaught", "exception": {"description": "TypeError: x is null"}}}},
        {"method": "Runtime.consoleAPICalled", "params": {"type": "warning", "args": [{"value": "no WebGL"}]}},
        {"method": "Log.entryAdded",
         "params": {"entry": {"level": "error", "text": "Refused to load: Content Security Policy"}}},
    ]  # fmt: skip
    assert list(complaints(events, PAGE)) == [
        "a request for https://cdn.example.org/plotly.js",
        "a request for file:///reports/other.html",
        "an error: TypeError: x is null",
        'the console: ["no WebGL"]',
        "the log: Refused to load: Content Security Policy",
    ]


def test_the_page_is_looked_at_wide_and_narrow_light_dark_and_grey() -> None:
    seen = {(view.width < 640, view.scheme, view.vision) for view in VIEWS}
    assert {(False, "light", "none"), (True, "light", "none"), (False, "dark", "none")} <= seen
    assert any(view.vision == "achromatopsia" for view in VIEWS)
