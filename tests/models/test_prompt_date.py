"""A chat template that writes a date gets the date of the settings, today and next year."""

import pytest

from fastadasp.errors import ConfigError
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom

TEMPLATE = (
    "{{ strftime_now('%d %B %Y') }} "
    "{% for part in messages[0]['content'] %}"
    "{{ '<|audio_bos|><|AUDIO|><|audio_eos|>' if part['type'] == 'audio' else part['text'] }}"
    "{% endfor %}"
)


@pytest.mark.parametrize(
    ("settings", "written"), [({}, "01 January 2025"), ({"date": "2031-12-24"}, "24 December 2031")]
)
def test_a_template_takes_the_date_of_the_settings(settings: dict[str, str], written: str) -> None:
    adapter = Qwen2AudioRandom(**settings)  # type: ignore[arg-type]
    adapter.processor.chat_template = TEMPLATE
    prompt = adapter.render([{"type": "audio"}, {"type": "text", "text": "What?"}], clips=1)
    assert prompt.startswith(f"{written} <|audio_bos|>")


@pytest.mark.parametrize("wrong", ["today", "24.12.2031", "2031-13-01", ""])
def test_what_is_no_date_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.date must be a date such as 2025-01-01"):
        Qwen2AudioRandom(date=wrong)
