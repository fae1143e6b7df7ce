"""Recordings as users have them in Python: files, arrays, several for one prompt."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from fastadasp.data.audio import SAMPLE_RATE
from fastadasp.errors import InputError

Recording: TypeAlias = str | Path | NDArray[Any] | tuple[Any, int] | Mapping[str, Any]
"""A file; samples at 16 kHz as a NumPy array or torch tensor; a pair of samples and their rate in Hz; or a mapping with
`array` and `sampling_rate`, as Hugging Face's datasets have it. Samples are floats from -1 to 1, or whole numbers."""

Recordings: TypeAlias = Recording | Iterable[Recording | Sequence[Recording]]
"""One recording, or any number of them (a list, a generator), each for a prompt of its own; a list among them is one
prompt that holds several recordings."""

_MOST_CHANNELS = 32
_SUBTYPES = {"f": "FLOAT", "int16": "PCM_16", "int32": "PCM_32", "uint8": "PCM_U8"}


class RecordingError(InputError):
    """Something that is no recording; the message says where it stands in the list and what is allowed."""


def as_files(recordings: Recordings, folder: Path, *, must_exist: bool = True) -> list[tuple[Path, ...]]:
    """The files of each prompt; samples are written into `folder` as they are. Raises RecordingError.

    must_exist: look whether all files are there. What is wrong with a file's content is found where files are read.
    """
    listed = [recordings] if _is_one(recordings) else list(cast(Iterable[Any], recordings))
    prompts: list[tuple[Path, ...]] = []
    for place, item in enumerate(listed):
        several = item if isinstance(item, list) else [item]
        if not several:
            raise RecordingError(f"audio[{place}] is an empty list; a prompt needs at least one recording")
        names = [f"audio[{place}]" + (f"[{part}]" if isinstance(item, list) else "") for part in range(len(several))]
        prompts.append(tuple(_as_file(one, name, folder, must_exist) for one, name in zip(several, names, strict=True)))
    return prompts


def _is_one(recordings: Any) -> bool:
    """Whether this is one recording, not a number of them; what is neither counts as one, and is refused as such."""
    if isinstance(recordings, tuple) and len(recordings) == 2 and any(map(_is_number, recordings)):
        return True
    several = isinstance(recordings, Iterable) and not isinstance(recordings, str | bytes | np.ndarray | Mapping)
    return not several or _is_tensor(recordings) or hasattr(recordings, "read")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def _is_tensor(value: Any) -> bool:
    """Whether this is a tensor of torch, which need not be imported for that."""
    return hasattr(value, "is_floating_point") and hasattr(value, "numpy")


def _as_file(recording: Any, name: str, folder: Path, must_exist: bool) -> Path:
    if isinstance(recording, str | Path):
        path = Path(recording).expanduser()
        if must_exist and not path.is_file():
            raise RecordingError(f"{name}: {path} is no file")
        return path
    rate: Any = SAMPLE_RATE
    if isinstance(recording, Mapping):
        if not {"array", "sampling_rate"} <= set(recording):
            raise RecordingError(f"{name}: a mapping must hold `array` and `sampling_rate`, got {sorted(recording)}")
        recording, rate = recording["array"], recording["sampling_rate"]
    elif isinstance(recording, tuple) and len(recording) == 2:
        recording, rate = recording
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or rate < 1:
        what = repr(rate) if _is_number(rate) else f"a {type(rate).__name__}"
        raise RecordingError(
            f"{name}: its sampling rate must be a whole number of Hz, got {what}; a pair is (samples, rate)"
        )
    return _written(_samples(recording, name), int(rate), folder / f"{name}.wav")


def _samples(recording: Any, name: str) -> NDArray[Any]:
    """(samples,) or (samples, channels)."""
    if _is_tensor(recording):
        recording = recording.detach().cpu().float().numpy() if recording.is_floating_point() else recording.numpy()
    if not isinstance(recording, np.ndarray):
        raise RecordingError(
            f"{name} is a {type(recording).__name__}; a recording is a file's path, an array of samples at "
            f"{SAMPLE_RATE} Hz, a pair (samples, rate in Hz), or a mapping with `array` and `sampling_rate`"
            f"{'; a list is one of recordings, so give numbers as numpy.array(...)' if _is_number(recording) else ''}"
        )
    samples = recording
    if samples.ndim == 2:
        samples = samples if samples.shape[1] <= samples.shape[0] else samples.T
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not 1 <= samples.shape[1] <= _MOST_CHANNELS):
        raise RecordingError(
            f"{name}: an array of shape {recording.shape} is no recording; give (samples,), (channels, samples) or "
            "(samples, channels)"
        )
    if samples.dtype.kind != "f" and samples.dtype.name not in _SUBTYPES:
        raise RecordingError(
            f"{name}: samples of type {samples.dtype} have no known scale; give floats from -1 to 1, int16 or int32"
        )
    return samples.astype(np.float32) if samples.dtype.kind == "f" else samples


def _written(samples: NDArray[Any], rate: int, path: Path) -> Path:
    import soundfile

    floats = samples.dtype.kind == "f"
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.int16) - 128) << 8
    soundfile.write(path, samples, rate, subtype="FLOAT" if floats else _SUBTYPES[samples.dtype.name])
    return path
