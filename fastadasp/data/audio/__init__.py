"""Audio files as waveforms: any format that can be read whole, and a plain sentence about every other.

`read` goes through a file in four steps: `containers` inspects its structure (format, length, whether its end is
there), `decoders` turns its bytes into samples, `channels` makes one channel of several, and soxr resamples.
"""

from fastadasp.data.audio.clips import SAMPLE_RATE, Samples, pad_to, split_clips
from fastadasp.data.audio.errors import AudioError, AudioWarning, CutOffError
from fastadasp.data.audio.read import MAX_PEAK, Reading, Stream, audio_seconds, read_audio, read_with_remarks
from fastadasp.data.audio.windows import Window, bounds, windows

__all__ = [
    "MAX_PEAK",
    "SAMPLE_RATE",
    "AudioError",
    "AudioWarning",
    "CutOffError",
    "Reading",
    "Samples",
    "Stream",
    "Window",
    "audio_seconds",
    "bounds",
    "pad_to",
    "read_audio",
    "read_with_remarks",
    "split_clips",
    "windows",
]
