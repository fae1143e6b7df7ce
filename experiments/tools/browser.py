"""A headless Chromium, spoken to in the DevTools protocol through two pipes: no port is opened, no package needed."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastadasp.errors import InputError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LONGEST_S = 120.0
"""Seconds within which Chromium must answer a call."""


class Tab:
    """One tab: calls, and the events that came in between."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from, self._unread = to_browser, from_browser, b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        """What the browser told without being asked, oldest first."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **arguments: Any) -> Any:
        """The result of a method of the protocol; InputError where Chromium refuses it or does not answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": arguments}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + LONGEST_S
        while (answer := self._next(until)).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise InputError(f"Chromium refuses {method}: {answer['error'].get('message')}")
        return answer["result"]

    def value(self, script: str) -> Any:
        """What a script, or the promise that it gives, evaluates to; InputError where it throws."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            thrown = found["exceptionDetails"]
            raise InputError(f"the page throws: {thrown.get('exception', {}).get('description') or thrown['text']}")
        return found["result"].get("value")

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            if not select.select([self._from], [], [], max(0.0, until - time.monotonic()))[0]:
                raise InputError(f"Chromium has not answered for {LONGEST_S:g} s")
            part = os.read(self._from, 1 << 20)
            if not part:
                raise InputError("Chromium has ended; start it by hand to see why")
            self._unread += part
        message, self._unread = self._unread.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found


@contextmanager
def browser(program: str | None = None) -> Iterator[Tab]:
    """A tab of a Chromium of its own, which ends with the block. program: its command (default: the first of NAMES).

    Raises InputError where there is no Chromium.
    """
    command = program or next((name for name in NAMES if shutil.which(name)), None)
    if command is None or not shutil.which(command):
        raise InputError(
            f"no {command or ' or '.join(NAMES)} on this machine; install chromium, or name one (--browser)"
        )
    read_there, write_here = os.pipe()
    read_here, write_there = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        flags = [
            *("--headless=new", "--remote-debugging-pipe", f"--user-data-dir={home}", "--disable-gpu", "--mute-audio"),
            *("--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--disable-background-networking"),
        ]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # Chromium has none for root
        pipes = f'exec "$0" "$@" 3<&{read_there} 4>&{write_there}'  # the numbers that Chromium looks for
        process = subprocess.Popen(
            ["sh", "-c", pipes, command, *flags], pass_fds=(read_there, write_there), stderr=subprocess.DEVNULL
        )
        os.close(read_there)
        os.close(write_there)
        try:
            yield Tab(write_here, read_here)
        finally:
            process.terminate()
            process.wait(timeout=30)
            os.close(write_here)
            os.close(read_here)
