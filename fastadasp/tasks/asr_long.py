"""Recognition of long recordings: cut into windows, transcripts joined, one reference for the whole."""

from dataclasses import dataclass, replace

from fastadasp.data.manifest import Record
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Example


@dataclass(frozen=True)
class ASRLong(ASR):
    """Transcribe recordings of any length, window by window; WER or CER over whole recordings."""

    window_seconds: float | None = 30.0

    name = "asr_long"
    version = 1
    place = 6

    def _example(self, record: Record) -> Example:
        """As of recognition: models word both alike."""
        return replace(super()._example(record), task=ASR.name)
