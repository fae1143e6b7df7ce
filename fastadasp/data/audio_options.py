"""How a task's audio files are to be read; known before numpy or torch is imported.

`task.audio` holds the settings of all files; the field `audio_options` of a manifest line replaces some for its files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, Self

from fastadasp.errors import ConfigError

Encoding = Enum(
    "Encoding", ["u8", "s8", "s16", "s24", "s32", "f32", "f64", "mulaw", "alaw", "gsm", "vox"]
)  # fmt: skip
"""How files without a header code samples: integers and floats by their bits, mu-law and A-law (G.711), GSM 6.10 frames
of 33 bytes, Dialogic (VOX) ADPCM."""

_BYTES = {
    "u8": 1,
    "s8": 1,
    "s16": 2,
    "s24": 3,
    "s32": 4,
    "f32": 4,
    "f64": 8,
    "mulaw": 1,
    "alaw": 1,
    "gsm": 33,
    "vox": 1,
}
_FRAMES = {"gsm": 160, "vox": 2}
_MOST = 10**9
"""Above this no number of a manifest line is meant; Python refuses to print much larger ones."""
CHANNELS = ("mean", "left", "right", "louder")


@dataclass(frozen=True)
class RawFormat:
    """What the header of a file would say, for a file that has none."""

    encoding: Encoding
    rate: int
    """Hz."""
    channels: int = 1
    """Interleaved."""
    big_endian: bool = False

    @property
    def frame_bytes(self) -> int:
        """Bytes of the smallest whole piece of all channels."""
        return _BYTES[self.encoding.name] * self.channels

    @property
    def block_frames(self) -> int:
        """Samples per channel in `frame_bytes`."""
        return _FRAMES.get(self.encoding.name, 1)

    def __str__(self) -> str:
        order = ", big-endian" if self.big_endian else ""
        return f"{self.encoding.name}, {self.rate} Hz, {self.channels} channel{'s' * (self.channels > 1)}{order}"


@dataclass(frozen=True)
class AudioOptions:
    """Settings for reading audio files; the schema of `task.audio`."""

    channel: str = "mean"
    """Which channel of several: their `mean`, the `left` (first) or `right` (second) one, the `louder` (loudest) one,
    or a number counted from 1. Files with one channel are read whatever this says."""
    encoding: Encoding | None = None
    """Of files without a header (raw, .ul, .gsm, ...); null refuses them. Files with a header are read by it."""
    rate: int | None = None
    """Hz of files without a header."""
    channels: int = 1
    """Interleaved channels of files without a header."""
    big_endian: bool = False
    """Byte order of files without a header."""

    def __post_init__(self) -> None:
        number = self.channel.isascii() and self.channel.isdigit() and len(self.channel) <= 3 and int(self.channel) > 0
        if self.channel not in CHANNELS and not number:
            raise ConfigError(
                f"task.audio.channel must be {', '.join(CHANNELS)} or the number of a channel from 1, "
                f"got {_short(self.channel)}"
            )
        if (self.encoding is None) != (self.rate is None):
            raise ConfigError(
                "task.audio.encoding and task.audio.rate describe files without a header: give both or neither, got "
                f"encoding={self.encoding and self.encoding.name}, rate={self.rate}"
            )
        if self.rate is not None and not 1000 <= self.rate <= 768_000:
            raise ConfigError(f"task.audio.rate must lie in [1000, 768000] Hz, got {self.rate}")
        if not 1 <= self.channels <= 64:
            raise ConfigError(f"task.audio.channels must lie in [1, 64], got {self.channels}")
        if self.channels > 1 and self.encoding in (Encoding.gsm, Encoding.vox):
            raise ConfigError(f"task.audio.channels must be 1 for encoding {self.encoding.name}, got {self.channels}")

    @property
    def raw(self) -> RawFormat | None:
        """The declared format of files without a header."""
        if self.encoding is None or self.rate is None:
            return None
        return RawFormat(self.encoding, self.rate, self.channels, self.big_endian)

    def updated(self, line: object) -> Self:
        """These options with those of a manifest line's `audio_options` put in their place.

        Raises ConfigError where that is not a mapping of this class's fields to values that they can have.
        """
        kinds = {field.name: field.type for field in fields(self)}
        if not isinstance(line, Mapping) or not set(line) <= set(kinds):
            raise ConfigError(f"audio_options must be an object with some of {', '.join(kinds)}; got {_short(line)}")
        given: dict[str, Any] = dict(line)
        if "channel" in given and isinstance(given["channel"], int) and not isinstance(given["channel"], bool):
            given["channel"] = str(given["channel"])
        if isinstance(encoding := given.get("encoding"), str):
            if encoding not in Encoding.__members__:
                known = ", ".join(Encoding.__members__)
                raise ConfigError(f"audio_options.encoding must be one of {known}; got {_short(encoding)}")
            given["encoding"] = Encoding[encoding]
        for name, value in given.items():
            allowed = {"channel": str, "big_endian": bool, "encoding": Encoding | None, "rate": int | None}.get(
                name, int
            )
            if not isinstance(value, allowed) or (isinstance(value, bool) and name != "big_endian"):
                raise ConfigError(f"audio_options.{name} has a value of the wrong kind: {_short(value)}")
            if isinstance(value, int) and abs(value) > _MOST:
                raise ConfigError(f"audio_options.{name} is a number above {_MOST}")
        return replace(self, **given)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
