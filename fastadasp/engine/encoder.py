"""Reading the last self-attention of a SpeechLM's audio encoder while it runs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fastadasp.engine.decoder import AttentionTap
from fastadasp.errors import UnsupportedError
from fastadasp.ops.encoder_attention import EncoderAttention, count_runs, tokens_per_clip


class EncoderTap:
    """The inputs of the audio encoder's last attention layer when the encoder last ran.

    Found in encoders whose layers have `self_attn` in transformers' attention interface, as Whisper's and all shaped
    like it. Of several encoders the first counts.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model_name = type(model).__name__
        self.stride: int | None = getattr(model.config, "frames_per_audio_token", None)
        encoder = find_encoder(model)
        self.attention = None if encoder is None else encoder.layers[-1].self_attn
        self._tap: AttentionTap | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside, each run of the encoder is noted; costs the memory of one layer's queries and keys."""
        if self.attention is None:
            yield
            return
        start = self.attention.register_forward_pre_hook(self._start)
        end = self.attention.register_forward_hook(self._end, always_call=True)
        try:
            yield
        finally:
            start.remove()
            end.remove()
            self._tap = None

    def _start(self, *_: Any) -> None:
        self._tap = AttentionTap(self.attention).__enter__()

    def _end(self, *_: Any) -> None:
        if self._tap is not None:
            self._tap.__exit__()

    def read(self, beams: int, audio_BT: Tensor) -> EncoderAttention:
        """The encoder's attention between the prompt's audio tokens; ValueError if there is none to be had.

        audio_BT: `beams` equal rows for each prompt; the encoder may have run for each of them or once for all.
        """
        tap, self._tap = self._tap, None
        if tap is None or tap.query_BHTd is None:
            reason = (
                "its encoder did not run inside merging()"
                if self.attention is not None
                else "it has none in transformers' attention interface"
            )
            raise UnsupportedError(
                f"this method needs attention of the audio encoder, which {self.model_name} does not show ({reason}); "
                "choose a method that looks at the embeddings alone, or one inside the decoder"
            )
        if tap.calls > 1:
            raise UnsupportedError(
                f"this method needs attention between all frames of a clip, and the audio encoder of {self.model_name} "
                f"reads {tap.calls} pieces that do not attend to each other; choose a method that looks at the "
                "embeddings alone, or one inside the decoder"
            )
        clips, length = tap.query_BHTd.shape[0], tap.query_BHTd.shape[2]
        frames = real_frames(tap.mask, clips, length)
        once = rows_read_once(beams, tap.query_BHTd, frames, audio_BT, self.stride)
        tokens, stride = tokens_per_clip(frames, audio_BT[::once], self.stride)
        device = audio_BT.device
        return EncoderAttention(
            queries_CHFd=tap.query_BHTd.to(device),
            keys_CHFd=tap.key_BGTd.to(device),
            scaling=tap.scaling,
            frames=frames,
            tokens=tokens,
            stride=stride,
            audio_BT=audio_BT[::once],
            repeats=once,
        )


def rows_read_once(
    beams: int, queries_CHFd: Tensor, frames: Sequence[int], audio_BT: Tensor, stride: int | None
) -> int:
    """`beams` if the encoder ran once for all of a prompt's equal rows, 1 if for each of them.

    As many clips as runs of audio tell, then as many frames as tokens need. Where both readings fit (long audio, cut
    for the encoder, in one run, and a model that does not say how many frames make a token), clips that stand there
    `beams` times each were read for each row.
    """
    if beams == 1:
        return 1
    fitting = [once for once in (beams, 1) if _fits(frames, audio_BT[::once], stride)]
    by_runs = [once for once in fitting if count_runs(audio_BT[::once]) == len(frames)]
    if by_runs or len(fitting) < 2:
        return (by_runs or fitting or [1])[0]
    if len(frames) % beams:
        return beams
    queries_PKHFd = queries_CHFd.reshape(-1, beams, *queries_CHFd.shape[1:])
    alike = torch.allclose(queries_PKHFd, queries_PKHFd[:, :1].expand_as(queries_PKHFd), rtol=1e-2, atol=1e-3)
    return 1 if alike else beams


def _fits(frames: Sequence[int], audio_BT: Tensor, stride: int | None) -> bool:
    try:
        tokens_per_clip(frames, audio_BT, stride)
    except ValueError:
        return False
    return True


def _sees(name: str, module: Any) -> bool:
    """Whether a module reads pictures, by where it stands, its class, and its config's kind."""
    words = f"{name} {type(module).__name__} {getattr(getattr(module, 'config', None), 'model_type', '')}".lower()
    return any(word in words for word in ("vis", "image", "img", "video"))


def find_encoder(model: nn.Module) -> Any:
    """The audio encoder of a SpeechLM: the first stack of layers with self-attention that is no decoder of text.

    None if there is no such module.
    """
    for name, module in model.named_modules():
        layers = getattr(module, "layers", None)
        if hasattr(module, "embed_tokens") or _sees(name, module) or not isinstance(layers, nn.ModuleList):
            continue
        attention = getattr(layers[-1], "self_attn", None)
        family = sys.modules[type(attention).__module__]
        if hasattr(attention, "config") and hasattr(family, "ALL_ATTENTION_FUNCTIONS"):
            return module
    return None


def real_frames(mask: Tensor | None, clips: int, length: int) -> tuple[int, ...]:
    """Frames that each clip's mask lets through, whichever kernel the mask is for."""
    if mask is None:
        return (length,) * clips
    row = mask if mask.ndim == 2 else mask[:, 0, 0]
    real = row if row.dtype == torch.bool else row >= (0 if row.is_floating_point() else 1)
    return tuple(real.expand(clips, -1).sum(1).tolist())
