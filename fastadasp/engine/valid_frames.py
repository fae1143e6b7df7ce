"""Letting an audio encoder read the frames that hold audio, instead of the silence up to its 30 s as well.

Encoders in the shape of Whisper's read a fixed length: two convolutions, a table of positions, layers of attention. In
Qwen2-Audio, Audio Flamingo 3 and Music Flamingo a mask hides the padding from every layer, so that the frames of the
audio come out the same when the padding is left out. In Whisper itself, WavLLM, Voxtral and GLM-ASR nothing hides the
padding, and leaving it out would change the result. Which kind an encoder is, is shown by numbers on the first clip
that it reads, and never taken from the name of its class.

C clips, F frames of features, S encoder frames (after the convolutions), D channels.
"""

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fastadasp.engine.encoder import find_encoder, real_frames
from fastadasp.engine.model import model_inside
from fastadasp.engine.patch import replaced_forward, running_forward
from fastadasp.engine.remembered import is_listened_to, remembering

MARGIN = 2
"""Frames beyond the last valid one that are read too: the convolutions look ahead."""
MULTIPLE = 8
"""Lengths are rounded up to a multiple, so that a GPU meets few distinct shapes."""
GROUP_SHARE = 0.75
"""Clips shorter than this share of the longest one in their group are read in a group of their own."""
NOISY = 250
"""Frames (5 s) of padding that are read, with noise in them, to see whether the encoder hides them."""
WORTHWHILE_SHARE = 0.9
"""Above this share of the whole length nothing is left out."""
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.bfloat16: 3e-2, torch.float16: 1e-2}
"""Largest relative difference (norm over norm) of the valid frames at which an encoder counts as masking its padding;
measured for Qwen2-Audio's class: 1e-6 in float32."""

_lock = threading.RLock()
_inside: "weakref.WeakSet[nn.Module]" = weakref.WeakSet()
_proved: "weakref.WeakKeyDictionary[nn.Module, bool]" = weakref.WeakKeyDictionary()


@contextmanager
def valid_frames(model: Any) -> Iterator[None]:
    """Inside, the audio encoder of `model` computes only the frames that hold audio, if its class masks the others.

    The output has the usual shape; frames of padding are zeros in it. Differences are those of another order of
    summation. An encoder of another kind, one that is compiled, one whose attention or hidden states are asked for and
    one in training with dropped layers run as ever. Clips of much different lengths are read in several calls, unless
    somebody listens to the last attention, as methods that ask the encoder do: then all clips are read in one call, at
    the length of the longest. `merging()` opens this block itself.

    model: a SpeechLM of transformers, wrapped or not, or what `fastadasp.load` returns. A model without such an encoder
    is left alone.
    """
    encoder = find_encoder(model_inside(model))
    if encoder is None or encoder in _inside:
        yield
        return
    _inside.add(encoder)
    try:
        forward = running_forward(encoder)
        if _shaped_like_whisper(encoder):
            forward = _Reader(encoder, forward).forward
        with replaced_forward(encoder, remembering(encoder, forward)):
            yield
    finally:
        _inside.discard(encoder)


def _shaped_like_whisper(encoder: Any) -> bool:
    """Two convolutions, then layers; not compiled (a compiled graph has no place for hooks)."""
    convolutions = [getattr(encoder, name, None) for name in ("conv1", "conv2")]
    compiled = getattr(encoder, "_compiled_call_impl", None) is not None
    return all(isinstance(convolution, nn.Conv1d) for convolution in convolutions) and not compiled


@dataclass(frozen=True)
class _Reader:
    """One encoder whose `forward` was `whole`."""

    encoder: Any
    whole: Callable[..., Any]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The encoder's output, computed from valid frames alone where that gives the same output."""
        call = None if torch.compiler.is_compiling() else _Call.of(self.encoder, args, kwargs)
        if call is None or not call.worthwhile or _proved.get(self.encoder, True) is False:
            return self.whole(*args, **kwargs)
        with _lock:  # hooks are on the encoder while it reads
            if self.encoder not in _proved:
                _proved[self.encoder] = self._hides_padding(call)
            return self._read(call) if _proved[self.encoder] else self.whole(*args, **kwargs)

    def _hides_padding(self, call: "_Call") -> bool:
        """Whether the shortest clip's valid frames come out the same without its padding, and with noise in its place.

        The noise makes a small part of padding tell as much as a large one: NOISY frames of it are read, not all 30 s.
        """
        clip = call.rows([min(range(len(call.frames)), key=call.frames.__getitem__)])
        noisy = clip.with_noise(clip.kept * _stride(self.encoder))
        with torch.no_grad():
            expected = getattr(self._trimmed(noisy, _rounded(clip.kept + NOISY)), "last_hidden_state", None)
            if expected is None:  # its output has another form, such as tokens that are pooled already
                return False
            length = clip.frames[0] * expected.shape[1] // clip.length
            got = self._trimmed(clip, clip.kept).last_hidden_state[:, :length].float()
        expected = expected[:, :length].float()
        bound = TOLERANCE.get(clip.features.dtype, TOLERANCE[torch.float16])
        return bool((got - expected).norm() <= bound * expected.norm())

    def _read(self, call: "_Call") -> Any:
        """The encoder's output, by groups of like lengths; in one call where a method listens to the encoder."""
        groups = [list(range(len(call.frames)))] if is_listened_to(self.encoder) else _groups(call.frames)
        if len(groups) == 1:
            return self._trimmed(call, call.kept)
        outputs = [self._trimmed(part, part.kept) for part in map(call.rows, groups)]
        order = torch.tensor([row for group in groups for row in group]).argsort()
        merged = torch.cat([output.last_hidden_state for output in outputs])
        outputs[0].last_hidden_state = merged[order.to(merged.device)]
        return outputs[0]

    def _trimmed(self, call: "_Call", kept: int) -> Any:
        """The encoder's own forward; what its parts are given is cut to `kept` encoder frames on the way."""
        if kept >= WORTHWHILE_SHARE * call.length:
            return self.whole(*call.args, **call.kwargs)
        encoder, layers = self.encoder, self.encoder.layers
        with ExitStack() as undo:
            for hook in (
                encoder.conv1.register_forward_pre_hook(partial(_cut_features, kept * _stride(encoder))),
                encoder.conv2.register_forward_hook(partial(_pad_channels, call.length)),
                *(layer.register_forward_pre_hook(partial(_cut_layer, kept), with_kwargs=True) for layer in layers),
                layers[-1].register_forward_hook(partial(_pad_frames, call.length)),
            ):
                undo.callback(hook.remove)
            return self.whole(*call.args, **call.kwargs)


@dataclass(frozen=True)
class _Call:
    """The arguments of one encoder call and what they say of the clips."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    frames: tuple[int, ...]
    """Valid encoder frames of each clip."""
    length: int
    """S, padding included."""

    @classmethod
    def of(cls, encoder: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> "_Call | None":
        """None where no mask tells the valid frames, or where more than the last hidden state is asked for."""
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        features = _features(given)
        if features is None or _asks_for_more(encoder, kwargs) or (encoder.training and _drops_layers(encoder)):
            return None
        length = (features.shape[2] - 1) // _stride(encoder) + 1
        for mask in (value for value in given if value is not features and len(value) == len(features)):
            if mask.ndim == 2 and mask.shape[1] == features.shape[2]:
                frames = ((mask.sum(1) - 1) // _stride(encoder) + 1).tolist()
            elif mask.shape[-1] == length and mask.ndim in (2, 4):
                frames = list(real_frames(mask, len(features), length))
            else:
                continue
            return cls(args, kwargs, tuple(frames), length) if min(frames) > 0 else None
        return None

    @property
    def features(self) -> Any:
        """(C, mels, F): one of the arguments."""
        return _features((*self.args, *self.kwargs.values()))

    @property
    def kept(self) -> int:
        """Encoder frames to compute: all that are valid in the longest clip, and a margin."""
        return _rounded(max(self.frames))

    @property
    def worthwhile(self) -> bool:
        """Whether any clip is much shorter than the whole length."""
        return _rounded(min(self.frames)) < WORTHWHILE_SHARE * self.length

    def rows(self, chosen: Sequence[int]) -> "_Call":
        """The call for some of the clips."""
        index = torch.tensor(chosen, device=self.features.device)

        def some(value: Any) -> Any:
            batched = isinstance(value, Tensor) and value.ndim and len(value) == len(self.features)
            return value[index.to(value.device)] if batched else value

        return self._with(some, tuple(self.frames[row] for row in chosen))

    def with_noise(self, first: int) -> "_Call":
        """The call with loud noise in all frames of features from `first` on."""
        features = self.features
        noise = 10 * torch.randn(features[..., first:].shape, generator=torch.Generator().manual_seed(0))
        noisy = torch.cat([features[..., :first], noise.to(features)], -1)
        return self._with(lambda value: noisy if value is features else value, self.frames)

    def _with(self, change: Callable[[Any], Any], frames: tuple[int, ...]) -> "_Call":
        """The call with each argument changed."""
        kwargs = {name: change(value) for name, value in self.kwargs.items()}
        return _Call(tuple(map(change, self.args)), kwargs, frames, self.length)


def _features(given: Sequence[Any]) -> Tensor | None:
    """The one argument that can be features, if there is one."""
    return next((v for v in given if isinstance(v, Tensor) and v.ndim == 3 and v.is_floating_point()), None)


def _rounded(frames: int) -> int:
    return -(-(frames + MARGIN) // MULTIPLE) * MULTIPLE


def _asks_for_more(encoder: Any, kwargs: Mapping[str, Any]) -> bool:
    wanted = ("output_attentions", "output_hidden_states")
    return any(kwargs.get(name) or getattr(encoder.config, name, False) for name in wanted)


def _drops_layers(encoder: Any) -> bool:
    return bool(getattr(encoder, "layerdrop", 0.0))


def _stride(encoder: Any) -> int:
    """Frames of features for each encoder frame."""
    return int(encoder.conv1.stride[0] * encoder.conv2.stride[0])


def _groups(frames: Sequence[int]) -> list[list[int]]:
    """Rows by falling length, a new group where the length falls below `GROUP_SHARE` of the group's longest."""
    groups: list[list[int]] = []
    for row in sorted(range(len(frames)), key=lambda row: -frames[row]):
        if groups and frames[row] + MARGIN >= GROUP_SHARE * (frames[groups[-1][0]] + MARGIN):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _cut_features(frames: int, _: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (args[0][..., :frames], *args[1:])


def _pad_channels(length: int, _: nn.Module, args: Any, output_CDS: Tensor) -> Tensor:
    return nn.functional.pad(output_CDS, (0, length - output_CDS.shape[2]))


def _cut_layer(
    kept: int, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Hidden states (C, S, D) and masks ((C, S) or (C, 1, S, S)) cut to `kept` frames."""

    def cut(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if value.ndim == 4:
            return value[..., :kept, :kept]
        return value[:, :kept] if value.ndim in (2, 3) else value

    return tuple(map(cut, args)), {name: cut(value) for name, value in kwargs.items()}


def _pad_frames(length: int, _: nn.Module, args: Any, output: Any) -> Any:
    def pad(states_CSD: Tensor) -> Tensor:
        return nn.functional.pad(states_CSD, (0, 0, 0, length - states_CSD.shape[1]))

    return (pad(output[0]), *output[1:]) if isinstance(output, tuple) else pad(output)
