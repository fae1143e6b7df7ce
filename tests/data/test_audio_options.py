"""How audio is to be read can be said for a task and for a manifest line; what is wrong is said before any weight."""

import pytest

from fastadasp.data.audio_options import AudioOptions, Encoding
from fastadasp.errors import ConfigError


def test_a_line_replaces_what_the_task_says() -> None:
    task = AudioOptions(channel="left", encoding=Encoding.mulaw, rate=8000)
    assert task.updated({"channel": 2}) == AudioOptions("2", Encoding.mulaw, 8000)
    assert task.updated({"encoding": "s16", "rate": 16_000, "big_endian": True}) == AudioOptions(
        "left", Encoding.s16, 16_000, big_endian=True
    )
    assert task.updated({"encoding": None, "rate": None}).raw is None
    assert task.updated({}) == task


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("left", "must be an object"),
        ({"chanel": "left"}, "must be an object with some of channel, encoding"),
        ({"channel": "middle"}, "channel must be mean, left, right, louder or the number"),
        ({"channel": 0}, "number of a channel from 1"),
        ({"channel": True}, "wrong kind"),
        ({"encoding": "mp3", "rate": 8000}, "encoding must be one of u8"),
        ({"encoding": "gsm"}, "give both or neither"),
        ({"rate": 8000}, "give both or neither"),
        ({"encoding": "s16", "rate": "8 kHz"}, "rate has a value of the wrong kind"),
        ({"encoding": "s16", "rate": 8000.5}, "rate has a value of the wrong kind"),
        ({"encoding": "s16", "rate": 0}, r"must lie in \[1000, 768000\]"),
        ({"encoding": "s16", "rate": 8000, "channels": 0}, r"must lie in \[1, 64\]"),
        ({"encoding": "gsm", "rate": 8000, "channels": 2}, "must be 1 for encoding gsm"),
        ({"channel": "x" * 5000}, "got 'xxx"),
        ({"channel": "9" * 5000}, "number of a channel"),
        ({"encoding": "s16", "rate": 10**6000}, "above 1000000000"),
    ],
)
def test_a_wrong_option_is_named(line: object, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        AudioOptions().updated(line)
    assert len(str(caught.value)) < 400
