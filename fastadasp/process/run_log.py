"""The log file of a run."""

import io
import logging
import sys
from pathlib import Path


class RunLog(logging.FileHandler):
    """Appends what a run says to a file, and goes without where that cannot be written.

    A finished run in a folder that can only be read is still to be read; a full disk is told of by what needs it more.
    """

    def __init__(self, filename: str) -> None:
        super().__init__(filename, encoding="utf-8", delay=True)
        self._lost = False

    def _open(self) -> io.TextIOWrapper:
        try:
            return super()._open()
        except OSError as error:
            self._lose(error)
            return io.TextIOWrapper(io.BytesIO())

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that the log cannot be written, instead of a traceback for each line."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._lose(error)
        else:
            super().handleError(record)

    def _lose(self, error: OSError) -> None:
        if not self._lost:
            self._lost = True
            print(f"{Path(self.baseFilename)} cannot be written: {error.strerror}", file=sys.stderr)
