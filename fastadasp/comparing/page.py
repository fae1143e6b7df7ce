"""Clips that broke or were mended as one HTML page, to read and to listen to."""

import base64
import html
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from fastadasp.comparing.clips import Clip
from fastadasp.comparing.pairs import Compared, Comparison
from fastadasp.data.sources import Cut, Joined, Source
from fastadasp.files.text import short

_STYLE = (
    "body{font:16px/1.4 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "article{border-top:1px solid #bbb;padding:.6rem 0}dt{color:#555;float:left;clear:left;width:6rem}"
    "dd{margin:0 0 .2rem 6.5rem}audio{width:100%;height:2.2rem}"
)


def page(found: Compared, sounds: Mapping[str, tuple[Source, ...]], folder: Path, listed: int, embed: bool) -> str:
    """The page, which lies in `folder`; up to `listed` clips of each kind and comparison.

    sounds: by id, where audio lies. embed: put the audio into the page, else it refers to the files.
    """
    title = f"{found.task}: {found.metric}, {found.clips} clips"
    body = [f"<h1>{_safe(title)}</h1>"]
    for one in found.comparisons:
        body.append(f"<h2>{_safe(f'{one.second} against {one.first}: {one.verdict}')}</h2>")
        for name, clips in (("Broken", one.broken), ("Mended", one.mended)):
            body.append(f"<h3>{name}: {len(clips)}</h3>")
            body += [_article(clip, one, sounds.get(clip.id, ()), folder, embed) for clip in clips[:listed]]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_safe(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _article(clip: Clip, one: Comparison, sounds: Sequence[Source], folder: Path, embed: bool) -> str:
    players = "".join(_player(source, folder, embed) for source in sounds)
    texts = (("reference", clip.reference), (one.first, clip.first), (one.second, clip.second))
    listed = "".join(f"<dt>{_safe(short(name, 60))}</dt><dd>{_safe(text) or '&nbsp;'}</dd>" for name, text in texts)
    return f"<article><strong>{_safe(clip.id)}</strong>{players}<dl>{listed}</dl></article>"


def _player(source: Source, folder: Path, embed: bool) -> str:
    if embed:
        return _tag(_embedded(source))
    match source:
        case Joined(parts):
            return "".join(_player(part, folder, embed) for part in parts)
        case Cut(file, start, seconds) if isinstance(file, Path):
            end = "" if seconds is None else f",{start + seconds:g}"
            return _tag(f"{_address(file, folder)}#t={start:g}{end}")
        case Path():
            return _tag(_address(source, folder))
        case _:  # a browser cannot look into an archive
            return _tag(_embedded(source))


def _tag(address: str) -> str:
    return f'<audio controls preload="none" src="{html.escape(address)}"></audio>' if address else ""


def _address(file: Path, folder: Path) -> str:
    return quote(os.path.relpath(file.resolve(), folder.resolve()).replace(os.sep, "/"))


def _embedded(source: Source) -> str:
    """The audio as a data address (16-bit WAV, 16 kHz); empty where it cannot be read."""
    import soundfile

    from fastadasp.data.audio import SAMPLE_RATE, AudioError
    from fastadasp.data.audio_options import AudioOptions
    from fastadasp.data.listen import listen

    try:
        heard = listen(source, float("inf"), SAMPLE_RATE, AudioOptions())
    except AudioError:
        return ""
    content = io.BytesIO()
    soundfile.write(content, heard.samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(content.getvalue()).decode()}"


def _safe(text: str) -> str:
    return html.escape(text)
