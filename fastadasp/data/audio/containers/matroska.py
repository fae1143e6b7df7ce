"""Matroska and WebM: elements within elements; what browsers record has no lengths on the outside."""

from fastadasp.data.audio.containers.base import Container, Decoder, whole
from fastadasp.data.audio.errors import cut_off, damaged
from fastadasp.data.audio.source import Source

_SEGMENT, _CLUSTER, _VOID, _CRC = 0x18538067, 0x1F43B675, 0xEC, 0xBF
_TOP = {0x114D9B74, 0x1549A966, 0x1654AE6B, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367}
"""Children of a segment: seek head, info, tracks, clusters, cues, attachments, chapters, tags."""
_IN_CLUSTER = {0xE7, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, 0x5854}
"""Children of a cluster: timestamp, position, size of the cluster before, blocks."""
_CODECS = (b"A_OPUS", b"A_VORBIS", b"A_AAC", b"A_FLAC", b"A_PCM", b"A_MPEG", b"A_AC3")


def inspect_matroska(source: Source) -> Container:
    """A file that begins with an EBML header."""
    kind = "WebM" if b"webm" in source.at(0, 64) else "Matroska"
    offset, end = 0, source.size
    clusters = 0
    head = b""
    while offset < end:
        identity, body, size = _element(source, kind, offset)
        if identity == _SEGMENT or (identity == _CLUSTER and size is None):
            if size is not None and body + size > source.size:
                raise cut_off(
                    source.path, kind, f"its header announces {body + size} bytes, the file has {source.size}"
                )
            clusters += identity == _CLUSTER
            offset = body
            continue
        if offset and identity not in _TOP | _IN_CLUSTER | {_VOID, _CRC, 0x1A45DFA3}:
            raise damaged(source.path, kind, f"byte {offset} should begin an element")
        if size is None:
            raise damaged(source.path, kind, f"the element at byte {offset} has no length")
        if body + size > source.size:
            raise cut_off(source.path, kind, "its last element is incomplete")
        if identity == _CLUSTER:
            clusters += 1
            _check_cluster(source, kind, body, body + size)
        elif identity == 0x1654AE6B:
            head = source.at(body, min(size, 4096))
        offset = body + size
    if not clusters or not head:
        raise cut_off(source.path, kind, "it ends before its samples begin")
    codec = next((name.decode()[2:].capitalize() for name in _CODECS if name in head), "")
    return Container(f"{kind} ({codec})" if codec else kind, (whole(source),), None, Decoder.ffmpeg)


def _check_cluster(source: Source, kind: str, offset: int, end: int) -> None:
    while offset < end:
        identity, body, size = _element(source, kind, offset)
        if identity not in _IN_CLUSTER | {_VOID, _CRC} or size is None or body + size > end:
            raise damaged(source.path, kind, f"byte {offset} should begin a block")
        offset = body + size


def _element(source: Source, kind: str, offset: int) -> tuple[int, int, int | None]:
    """Identity, first byte of the content, and size (None: unknown) of the element at `offset`."""
    head = source.at(offset, 12)
    wide = 9 - head[0].bit_length() if head else 1
    if wide > 4:
        raise damaged(source.path, kind, f"byte {offset} should begin an element")
    length = 9 - head[wide].bit_length() if len(head) > wide else 1
    if len(head) < wide + length:
        raise cut_off(source.path, kind, "its last element is incomplete")
    if length > 8:
        raise damaged(source.path, kind, f"the element at byte {offset} has an impossible size")
    size = int.from_bytes(head[wide : wide + length], "big") & (1 << 7 * length) - 1
    unknown = size == (1 << 7 * length) - 1
    return int.from_bytes(head[:wide], "big"), offset + wide + length, None if unknown else size
