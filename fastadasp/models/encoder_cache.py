"""What an audio encoder has made of clips, kept on the disk: sweeps read the same clips again and again.

A clip is known by the content of all that the encoder reads of it (features and mask, hence by the audio and how that
was read), and by the encoder: weights, settings, number format, attention kernel and versions. C clips, S frames.
"""

import contextlib
import hashlib
import logging
import os
import time
import uuid
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from fastadasp.config.content import CACHE_VARIABLE

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

GIB = 2**30
_DIGEST = 16
"""Bytes of a digest, which stands before the content of an entry."""
_LOOK_EVERY = 20
"""How often the folder is looked through while as much as it may hold is written: others write into it too."""

_attached: "weakref.WeakKeyDictionary[nn.Module, EncoderCache]" = weakref.WeakKeyDictionary()


class EncoderCache:
    """The memory of an encoder (`engine.remembered`) on the disk; several processes may share a folder.

    An entry that is damaged counts as absent. Where more than `limit` bytes lie there, those that were not used for the
    longest time go; processes may together exceed the limit by a twentieth each.
    """

    def __init__(self, encoder: "nn.Module", folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self.asked = self.found = 0
        """Clips that the encoder was to read, and how many of them were known."""
        self._encoder, self._of_encoder = encoder, _encoder_digest(encoder)
        self._written: int | None = None
        """Bytes written since the folder was looked through; None: it was not yet."""

    def __call__(self, compute: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The encoder's output for a call, read from the disk where it is known (see `engine.remembered.Memory`)."""
        from fastadasp.engine.remembered import is_listened_to

        clips = _clips(args, kwargs)
        if clips is None or is_listened_to(self._encoder):
            return compute(*args, **kwargs)
        keys = [self._key(args, kwargs, row) for row in range(clips)]
        known = [self._read(key) for key in keys]
        self.asked, self.found = self.asked + clips, self.found + sum(states is not None for states in known)
        missing = [row for row, states in enumerate(known) if states is None]
        if missing:
            computed = compute(*_rows(args, missing, clips), **_rows(kwargs, missing, clips))
            if not _is_plain(computed, len(missing)):
                return computed if len(missing) == clips else compute(*args, **kwargs)
            for row, states_SD in zip(missing, computed.last_hidden_state, strict=True):
                known[row] = states_SD
                self._write(keys[row], states_SD)
            if len(missing) == clips:
                return computed
        return self._output([states for states in known if states is not None], args, kwargs)

    def _output(self, states: Sequence["Tensor"], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        features = next(_tensors(args, kwargs))
        dtype = next(self._encoder.parameters()).dtype
        return BaseModelOutput(last_hidden_state=torch.stack([one.to(features.device, dtype) for one in states]))

    def _key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], row: int) -> str:
        import torch

        digest = hashlib.blake2b(self._of_encoder, digest_size=_DIGEST)
        for name, value in [*enumerate(args), *sorted(kwargs.items())]:
            content = value
            if isinstance(value, torch.Tensor):
                own = value[row].detach().cpu().contiguous()
                content = f"{own.dtype}{tuple(own.shape)}"
                digest.update(own.reshape(-1).view(torch.uint8).numpy().data)
            digest.update(f"{name}={content!r};".encode())
        return digest.hexdigest()

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def _read(self, key: str) -> "Tensor | None":
        """(S, D) of a clip; None where it is not known, or its file is damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        file = self._file(key)
        try:
            content = file.read_bytes()
        except OSError:
            return None
        if _check(content[_DIGEST:]) != content[:_DIGEST]:
            return None  # it is written anew
        with contextlib.suppress(OSError):
            os.utime(file)  # used just now
        try:
            parts = load(content[_DIGEST:])
        except SafetensorError:
            return None
        return _unfolded(parts["states"], int(parts["frames"]))

    def _write(self, key: str, states_SD: "Tensor") -> None:
        import torch
        from safetensors.torch import save

        content = save({"states": _folded(states_SD), "frames": torch.tensor(len(states_SD))})
        if len(content) + _DIGEST > self.limit:
            return
        file = self._file(key)
        draft = file.with_name(f"{uuid.uuid4().hex}.new")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(_check(content) + content)
            draft.replace(file)
        except OSError as error:  # a full disk or a read-only home: the encoder computes, as without the cache
            log.debug("what the encoder gave cannot be kept in %s: %s", self.folder, error)
            with contextlib.suppress(OSError):
                draft.unlink()
            return
        self._written = None if self._written is None else self._written + len(content) + _DIGEST
        if self._written is None or self._written > self.limit // _LOOK_EVERY:
            self._keep_limit()

    def _keep_limit(self) -> None:
        """Take away what was not used for the longest time, until the folder holds no more than it may."""
        files = sorted(_entries(self.folder))
        total = sum(size for _, size, _ in files)
        for _, size, file in files:
            if total <= self.limit:
                break
            with contextlib.suppress(OSError):  # another process was faster
                file.unlink()
            total -= size
        self._written = 0


def attach(model: "nn.Module", gibibytes: float) -> EncoderCache | None:
    """Let the audio encoder of `model` use the cache in the user's cache folder; None where there is no such encoder.

    The environment variable FASTADASP_CACHE names another folder.
    """
    from fastadasp.engine.encoder import find_encoder
    from fastadasp.engine.remembered import remember

    if (encoder := find_encoder(model)) is None:
        return None
    if (known := _attached.get(encoder)) is not None:
        return known
    named = os.environ.get(CACHE_VARIABLE)
    folder = (Path(named) if named else user_cache_path("fastadasp")) / "encoder"
    cache = EncoderCache(encoder, folder, round(gibibytes * GIB))
    remember(encoder, cache)
    _attached[encoder] = cache
    return cache


def attached(model: "nn.Module") -> EncoderCache | None:
    """The cache of a model's encoder, if it has one."""
    from fastadasp.engine.encoder import find_encoder

    encoder = find_encoder(model)
    return None if encoder is None else _attached.get(encoder)


def _entries(folder: Path) -> list[tuple[float, int, Path]]:
    """Time of last use, size and path of all files; drafts that a killed process has left too."""
    found = []
    for file in folder.glob("*/*"):
        with contextlib.suppress(OSError):
            about = file.stat()
            if file.suffix != ".new" or about.st_mtime < time.time() - 60:
                found.append((about.st_mtime, about.st_size, file))
    return found


def _encoder_digest(encoder: "nn.Module") -> bytes:
    """Of weights, settings and all else that decides what comes out."""
    import torch
    import transformers

    digest = hashlib.blake2b(digest_size=_DIGEST)
    config = encoder.config
    digest.update(f"{type(encoder).__qualname__} {torch.__version__} {transformers.__version__}".encode())
    digest.update(f"{config.to_json_string()} {config._attn_implementation}".encode())  # type: ignore[operator, union-attr]
    for name, tensor in encoder.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} {tensor.device.type}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.digest()


def _check(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST).digest()


def _tensors(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    import torch

    return (value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor))


def _clips(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int | None:
    """Number of clips, if every tensor has a row for each."""
    rows = {len(value) if value.ndim else 0 for value in _tensors(args, kwargs)}
    return rows.pop() if len(rows) == 1 and 0 not in rows else None


def _rows(given: Any, chosen: Sequence[int], clips: int) -> Any:
    """Arguments for some of the clips."""
    import torch

    if len(chosen) == clips:
        return given
    if isinstance(given, Mapping):
        return {name: _rows((value,), chosen, clips)[0] for name, value in given.items()}
    return tuple(value[list(chosen)] if isinstance(value, torch.Tensor) else value for value in given)


def _is_plain(output: Any, clips: int) -> bool:
    """Whether an encoder gave nothing but its last hidden states (C, S, D), and of each clip by itself."""
    states = getattr(output, "last_hidden_state", None)
    others = (
        [value for name, value in dict(output).items() if name != "last_hidden_state"] if states is not None else []
    )
    return states is not None and states.ndim == 3 and len(states) == clips and not any(v is not None for v in others)


def _folded(states_SD: "Tensor") -> "Tensor":
    """Without all but the first of the equal frames at the end: padding."""
    differs_S = (states_SD != states_SD[-1]).any(dim=1)
    last = int(differs_S.nonzero()[-1]) + 1 if differs_S.any() else 0
    return states_SD[: last + 1].detach().cpu().contiguous()


def _unfolded(states_SD: "Tensor", frames: int) -> "Tensor":
    import torch

    return torch.cat([states_SD, states_SD[-1:].expand(frames - len(states_SD), -1)])
