"""Requests that fail: each is asked again, or ends in one clear message, against a server that fails as servers do."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fastadasp.models.base import Generation
from fastadasp.models.served import client as client_module
from fastadasp.models.served.adapter import ServedModel
from fastadasp.models.served.client import Answered, Client, _pause
from fastadasp.models.served.contact import Server, ended, meet
from fastadasp.models.served.pace import Pace
from fastadasp.models.served.troubles import ASKS_AGAIN, Means, RequestError, ServerError
from fastadasp.tasks.base import Example
from tests.helpers.chat_server import KEY, MODEL, ChatServer, serving

CLIP = "tone-3"
ANSWER = "tone number 3"


@pytest.fixture
def server(tones: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving(ChatServer.of(tones)) as state:
        yield state


def example(server: ChatServer, clip: str = CLIP) -> Example:
    return Example(clip, (server.clips[clip],), "Transcribe the speech.", "", task="asr")


def answer(server: ChatServer, *clips: str, name: str = MODEL, **settings: Any) -> list[Answered]:
    """What comes of asking for clips at once."""
    served = ServedModel(base_url=server.url, **settings)

    async def ask() -> list[Answered]:
        async with Client(served) as client:
            asked = [served.prepare(example(server, clip)) for clip in clips or (CLIP,)]
            body = served.body(Generation(), 0)
            return await asyncio.gather(*(client.ask(name, one, body) for one in asked))

    return asyncio.run(ask())


def contact(url: str, **settings: Any) -> Server:
    served = ServedModel(base_url=url, **{"attempts": 2, **settings})

    async def ask() -> Server:
        async with Client(served) as client:
            return await meet(client, served)

    return asyncio.run(ask())


AGAIN = {
    "429": "429: Rate limit reached",
    "500": "500: Internal server error",
    "503": "503: <html>",
    "reset": "the connection failed",
    "cut": "",
    "no JSON": "no JSON",
    "no choices": "no choices",
    "empty choices": "",
    "a list": "something else than a JSON object",
    "error in 200": "overloaded",
    "abort": "finish_reason=abort",
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", sorted(AGAIN))
def test_what_may_pass_is_asked_again(
    server: ChatServer, fault: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults = {CLIP: [fault]}
    (answered,) = answer(server, stream=stream)
    assert (answered.reply.text, answered.attempts, server.asked) == (ANSWER, 2, [CLIP, CLIP])
    assert (answered.ttft_s is not None) is stream
    (line,) = [record.message for record in caplog.records if "asked again" in record.message]
    assert AGAIN[fault] in line or (fault, stream) == ("no choices", True)


def test_content_that_is_null_and_an_answer_that_takes_too_long_are_asked_again(server: ChatServer) -> None:
    server.faults = {CLIP: ["null", "slow"]}
    (answered,) = answer(server, timeout_s=0.3)
    assert (answered.reply.text, answered.attempts) == (ANSWER, 3)


@pytest.mark.parametrize("fault", ["500", "reset", "no JSON", "429"])
def test_a_server_that_stays_in_trouble_is_asked_so_often_and_the_clip_is_worth_another_run(
    server: ChatServer, fault: str
) -> None:
    server.faults = {CLIP: [fault] * 9}
    with pytest.raises(RequestError, match=f"asked 3 times, and {ASKS_AGAIN}") as caught:
        answer(server, attempts=3)
    assert caught.value.means is Means.again
    assert len(server.asked) == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "means", "text"),
    [
        ("filter", Means.clip, "content filter withheld"),
        ("400", Means.refused, "400: Unknown field: ratoi"),
        ("401", Means.run, "401"),
        ("404", Means.run, "does not exist"),
        ("quota", Means.run, "exceeded your current quota"),
    ],
)
def test_what_stays_wrong_is_asked_once(server: ChatServer, fault: str, means: Means, text: str, stream: bool) -> None:
    server.faults = {CLIP: [fault]}
    with pytest.raises(RequestError, match=text) as caught:
        answer(server, stream=stream)
    assert (caught.value.means, len(server.asked)) == (means, 1)
    assert ASKS_AGAIN not in str(caught.value)


def test_a_prompt_that_is_too_long_and_an_answer_that_is_all_reasoning_are_the_clips_own(server: ChatServer) -> None:
    server.most = 20
    with pytest.raises(RequestError, match="maximum context length is 20") as long:
        answer(server)
    server.most, server.faults = None, {CLIP: ["reasoned"]}
    with pytest.raises(RequestError, match=r"within generation\.max_new_tokens") as reasoned:
        answer(server)
    assert [long.value.means, reasoned.value.means] == [Means.clip, Means.clip]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_at_its_limit_is_kept_as_truncated(server: ChatServer, stream: bool) -> None:
    server.faults = {CLIP: ["length"]}
    (cut,), (whole,) = answer(server, stream=stream), answer(server, stream=stream)
    assert (cut.reply.text, cut.reply.truncated) == (ANSWER, True)
    assert (whole.reply.truncated, dict(whole.reply.usage)) == (
        False,
        {"prompt_tokens": 10 + round(0.6 * 25), "completion_tokens": 4},
    )


def test_a_pause_that_the_server_asks_for_holds_all_requests(server: ChatServer) -> None:
    server.faults = {CLIP: ["429 after 1"]}
    served = ServedModel(base_url=server.url)

    async def ask() -> None:
        async with Client(served) as client:
            first = asyncio.create_task(client.ask(MODEL, served.prepare(example(server)), {}))
            while not server.asked:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)  # the server's answer has come
            await asyncio.gather(first, client.ask(MODEL, served.prepare(example(server, "tone-1")), {}))

    asyncio.run(ask())
    began, *later = server.times
    assert sorted(server.asked[1:]) == ["tone-1", CLIP]
    assert all(time - began >= 1.0 for time in later)


def test_a_pause_may_be_given_as_a_date_and_one_too_long_uses_up_the_attempts(server: ChatServer) -> None:
    server.faults = {CLIP: ["429 after a date", "429 after an hour"]}
    with pytest.raises(RequestError, match=r"asked 2 times, which asks for a pause of 3600 s \(model.longest_wait_s\)"):
        answer(server)
    first, second = server.times
    assert second - first >= 1.0  # two seconds ahead, in whole seconds


def test_pauses_double_and_a_random_part_of_up_to_half_is_taken_off() -> None:
    trouble = RequestError("", Means.again)
    for attempt in range(1, 8):
        pauses = {_pause(attempt, trouble) for _ in range(50)}
        most = 2.0 ** (attempt - 1)
        assert len(pauses) > 40
        assert most / 2 <= min(pauses) <= max(pauses) <= most
    assert 7.0 <= _pause(1, RequestError("", Means.again, retry_after=7.0)) <= 7.25


@pytest.mark.parametrize("limit", [{"requests_per_minute": 600.0}, {"tokens_per_minute": 6000.0}])
def test_requests_leave_no_faster_than_they_may(limit: Mapping[str, float]) -> None:
    leaving: list[float] = []

    async def leave(pace: Pace) -> None:
        await pace.turn(tokens=10.0)
        leaving.append(asyncio.get_running_loop().time())

    async def all_at_once() -> None:
        pace = Pace(**limit)
        await asyncio.gather(*(leave(pace) for _ in range(5)))

    asyncio.run(all_at_once())
    assert len(leaving) == 5
    assert all(later - leaving[0] >= 0.1 * number - 0.01 for number, later in enumerate(leaving))


def test_more_tokens_than_expected_delay_the_next_request() -> None:
    async def wait() -> float:
        pace = Pace(tokens_per_minute=6000.0)
        await pace.turn(tokens=1.0)
        pace.correct(tokens=21.0, expected=1.0)
        began = asyncio.get_running_loop().time()
        await pace.turn(tokens=1.0)
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(wait()) >= 0.18


def test_the_key_is_sent_and_never_shown(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server.key = KEY
    monkeypatch.setenv("MY_KEY", KEY)
    answer(server, api_key_env="MY_KEY")
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    monkeypatch.setenv("MY_KEY", f"{KEY}-wrong")
    with pytest.raises(ServerError, match="environment variable MY_KEY was sent; check it") as wrong:
        contact(server.url, api_key_env="MY_KEY")
    with pytest.raises(ServerError, match="OPENAI_API_KEY is not set") as none:
        contact(server.url)
    shown = [*map(str, (wrong.value, none.value)), *(record.message for record in caplog.records)]
    assert not any(KEY in text for text in shown)
    assert "provided: ***" in shown[0]


def test_the_only_model_of_a_server_needs_no_name(server: ChatServer) -> None:
    found = contact(server.url)
    assert (found.name, found.facts["root"], found.facts["version"]) == (MODEL, MODEL, "1.2.3")
    server.models = None
    assert contact(server.url, name="anything").name == "anything"


@pytest.mark.parametrize(
    ("models", "path", "name", "message"),
    [
        (("a", "b"), "/v1", None, r"lists 2 models: a, b; set model\.name"),
        ((), "/v1", None, "lists no model"),
        (None, "/v1", None, r"gives no list of models .* set model\.name"),
        ((MODEL,), "", None, r"usually ends in /v1"),
        ((MODEL,), "/page", None, r"not as a server of the OpenAI interface does: .*Welcome"),
    ],
)
def test_a_server_whose_model_is_not_clear_ends_in_one_message(
    server: ChatServer, models: Any, path: str, name: str | None, message: str
) -> None:
    server.models = models
    with pytest.raises(ServerError, match=message):
        contact(server.url.removesuffix("/v1") + path, name=name)


def test_no_server_and_no_such_host_end_in_one_message(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerError, match=r"Connection refused; asked 2 times.* Check that the server runs there"):
        contact("http://127.0.0.1:1/v1")
    with pytest.raises(ServerError, match=r"the connection failed: .*Check that the server runs there"):
        contact("http://no-such-host.invalid/v1")


def test_a_model_that_the_server_lacks_is_named_with_those_it_has(server: ChatServer) -> None:
    with pytest.raises(RequestError) as caught:
        answer(server, name="some/speech-modle")
    told = str(ended(ServedModel(base_url=server.url, name="some/speech-modle"), caught.value, (MODEL, "other")))
    assert "The model `some/speech-modle` does not exist" in told
    assert f"did you mean {MODEL}?" in told
    assert re.search(r"Allowed: other, some/speech-model\)", told)


def test_no_answer_leaves_the_library_half_read(server: ChatServer) -> None:
    """Several faults and answers on one client, whose connections are used again."""
    server.faults = {"tone-1": ["cut", "500"], "tone-2": ["reset"], "tone-4": ["no JSON", "empty choices"]}
    clips = [f"tone-{number}" for number in range(1, 6)]
    found = answer(server, *clips, stream=True)
    assert [one.reply.text for one in found] == [f"tone number {number}" for number in range(1, 6)]
    assert [one.attempts for one in found] == [3, 2, 1, 3, 1]
    assert json.dumps([one.reply.model for one in found]) == json.dumps([MODEL] * 5)
