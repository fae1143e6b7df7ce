"""What was measured before a benchmark was broken off."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastadasp.evaluation.hardware import Hardware
from fastadasp.evaluation.store import drop_torn_line
from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.records import record
from fastadasp.files.text import read_lines

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Entry:
    """One line."""

    key: list[Any]
    value: Any


def _entries(file: Path) -> Iterator[_Entry]:
    for number, line in read_lines(file, complete=True) if file.exists() else ():
        try:
            yield record(_Entry, parse(line))
        except JsonError as error:
            log.warning("%s, line %d is damaged (%s): its value is measured again", file, number, error)


class Journal:
    """Measured values by key, one JSON line each; a later line for the same key counts.

    A half-written last line, all that a kill can leave behind, is dropped; what a damaged line held is measured again.
    """

    def __init__(self, file: Path, hardware: Hardware) -> None:
        """hardware: what was measured under other settings does not count."""
        self._file, self._hardware = file, asdict(hardware)
        if file.exists():
            drop_torn_line(file)
        self._known = {json.dumps(entry.key): entry.value for entry in _entries(file)}

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
