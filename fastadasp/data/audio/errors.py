"""What is said about an audio file that cannot be used, or that is used with a reservation."""

from pathlib import Path

from fastadasp.errors import InputError


class AudioError(InputError):
    """An audio file that cannot be used; the message names the file, what is wrong with it and what helps."""


class CutOffError(AudioError):
    """An audio file whose end is missing."""


class UnsupportedError(AudioError):
    """An audio file that libsndfile cannot open, although its structure is whole: another library may."""


class AudioWarning(UserWarning):
    """An audio file that was read, but probably does not hold what its user expects."""


def cut_off(path: Path, kind: str, missing: str) -> CutOffError:
    """The error for a file of the format `kind` whose end is missing; `missing` says how that was noticed."""
    return CutOffError(f"{path}: the {kind} file is cut off ({missing}); copy or download the file again")


def damaged(path: Path, kind: str, what: str) -> AudioError:
    """The error for a file of the format `kind` whose content contradicts the format; `what` says where."""
    return AudioError(
        f"{path}: the {kind} file is damaged ({what}); copy or download the file again, or, if a player plays the "
        f"whole of it, write it anew with `ffmpeg -i {path.name} new.wav`"
    )
