"""Reading an example's audio from wherever it comes: a file, a member of an archive, a cut out of one, or several."""

import numpy as np

from fastadasp.data.archives import at_hand
from fastadasp.data.audio import Reading, audio_seconds, read_with_remarks
from fastadasp.data.audio_options import AudioOptions
from fastadasp.data.sources import Cut, Joined, Place, Source


def listen(source: Source, max_seconds: float, rate: int, options: AudioOptions) -> Reading:
    """The audio of a source as mono at `rate` Hz; limits and errors as `data.audio.read_with_remarks`."""
    match source:
        case Joined(parts, gap):
            heard = [listen(part, max_seconds, rate, options) for part in parts]
            silence = np.zeros(round(gap * rate), dtype=np.float32)
            pieces = [piece for one in heard for piece in (silence, one.samples)][1:]
            return Reading(np.concatenate(pieces), tuple(remark for one in heard for remark in one.remarks))
        case Cut(file, start, seconds):
            with at_hand(file) as path:
                return read_with_remarks(path, max_seconds, rate, options, start, seconds)
        case _:
            with at_hand(source) as path:
                return read_with_remarks(path, max_seconds, rate, options)


def seconds_of(place: Place) -> float:
    """Length of a whole recording in seconds, by its structure; errors as `data.audio.audio_seconds`."""
    with at_hand(place) as path:
        return audio_seconds(path)
