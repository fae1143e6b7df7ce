"""What was measured before a benchmark was broken off."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastadasp.evaluation.hardware import Hardware


class Journal:
    """Measured values by key, one JSON line each; a later line for the same key counts.

    A half-written last line, all that a kill can leave behind, is dropped.
    """

    def __init__(self, file: Path, hardware: Hardware) -> None:
        """hardware: what was measured under other settings does not count."""
        self._file, self._hardware = file, asdict(hardware)
        text = file.read_bytes() if file.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            file.write_bytes(whole)
        entries = map(json.loads, whole.decode().splitlines())
        self._known = {json.dumps(entry["key"]): entry["value"] for entry in entries}

    def get(self, key: Sequence[Any]) -> Any:
        """What was measured, None if nothing was."""
        return self._known.get(self._name(key))

    def add(self, key: Sequence[Any], value: Any) -> Any:
        """Keep `value` on disk; returns it as it will be read back."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": [self._hardware, *key], "value": value}) + "\n")
        self._known[self._name(key)] = json.loads(json.dumps(value))
        return self._known[self._name(key)]

    def once(self, key: Sequence[Any], measure: Callable[[], Any]) -> Any:
        """What is known of `key`, else what `measure` finds."""
        known = self.get(key)
        return self.add(key, measure()) if known is None else known

    def _name(self, key: Sequence[Any]) -> str:
        return json.dumps([self._hardware, *key])
