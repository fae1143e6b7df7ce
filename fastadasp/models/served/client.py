"""Asking a server: attempts, the pauses between them, and what a failed one means."""

import asyncio
import logging
import math
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.text import short
from fastadasp.models.served.adapter import Asked, ServedModel
from fastadasp.models.served.pace import Pace
from fastadasp.models.served.replies import Pieces, Reply, read, usage_tokens
from fastadasp.models.served.troubles import ASKS_AGAIN, Means, RequestError, meaning

if TYPE_CHECKING:
    from openai import APIStatusError

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
"""Before the second attempt; each further pause is twice as long. A random share of up to half is taken off, so that
requests that failed together do not come back together."""
CONNECT_S = 10.0

T = TypeVar("T")


@dataclass(frozen=True)
class Answered:
    """A reply and what it took."""

    reply: Reply
    latency_s: float
    """From sending to the end of the answer, of the attempt that brought it."""
    ttft_s: float | None
    """From sending to the first words; None where the answer came as a whole."""
    attempts: int = 1


class Client(AbstractAsyncContextManager["Client"]):
    """Asks one server; used inside one event loop."""

    def __init__(self, served: ServedModel) -> None:
        from openai import AsyncOpenAI, Timeout

        self._served, self._key = served, served.key()
        self._pace = Pace(served.requests_per_minute, served.tokens_per_minute)
        self._mean_tokens: float | None = None
        self._client = AsyncOpenAI(
            base_url=served.base_url,
            api_key=self._key or "none",  # the library wants some key, and servers without keys pass it over
            max_retries=0,  # attempts are counted here: cut streams and broken JSON are among their reasons
            timeout=Timeout(served.timeout_s, connect=min(CONNECT_S, served.timeout_s)),
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._client.close()

    async def ask(self, name: str, asked: Asked, body: Mapping[str, Any]) -> Answered:
        """The answer to one prompt. Raises RequestError once no further attempt is worth it.

        name: of the model; body: the other fields of the request.
        """
        request = {"model": name, "messages": list(asked.messages), **body}
        answer = self._streamed if request.get("stream") else self._at_once
        expected = self._mean_tokens or float(asked.tokens)

        async def once() -> Answered:
            await self._pace.turn(expected)
            return await self._told(lambda: answer(request))

        answered, attempts = await self._insisting(once)
        if tokens := usage_tokens(answered.reply):
            self._pace.correct(tokens, expected)
            self._mean_tokens = tokens if self._mean_tokens is None else 0.9 * self._mean_tokens + 0.1 * tokens
        return Answered(answered.reply, answered.latency_s, answered.ttft_s, attempts)

    async def get(self, address: str) -> Any:
        """What stands at a path below `base_url`, or at a whole address; text that is no JSON as it is.

        Raises RequestError.
        """

        async def once() -> str:
            return await self._told(lambda: self._client.get(address, cast_to=str))

        text = (await self._insisting(once))[0]
        try:
            return parse(text)
        except JsonError:
            return text

    async def _insisting(self, once: Callable[[], Awaitable[T]]) -> tuple[T, int]:
        """What `once` returns, and in which attempt. Raises RequestError."""
        attempt = 1
        while True:
            try:
                return await once(), attempt
            except RequestError as trouble:
                if trouble.means is not Means.again:
                    raise
                wait = _pause(attempt, trouble)
                last = attempt >= self._served.attempts
                if last or wait > self._served.longest_wait_s:
                    raise _given_up(trouble, attempt, None if last else wait) from trouble
                log.warning("%s; asked again in %.1f s (attempt %d of %d)", trouble, wait, attempt + 1,
                            self._served.attempts)  # fmt: skip
                if trouble.retry_after is not None:
                    self._pace.pause(wait)  # the others wait too
            attempt += 1
            await asyncio.sleep(wait)

    async def _at_once(self, request: Mapping[str, Any]) -> Answered:
        began = time.perf_counter()
        completion = await self._parsed(self._client.post("/chat/completions", body=request, cast_to=str))
        return Answered(read(completion), time.perf_counter() - began, None)

    async def _streamed(self, request: Mapping[str, Any]) -> Answered:
        from openai import AsyncStream

        began, ttft_s, pieces = time.perf_counter(), None, Pieces()
        stream = await self._client.post(
            "/chat/completions", body=request, cast_to=object, stream=True, stream_cls=AsyncStream[object]
        )
        async with stream:
            async for piece in stream:
                if pieces.add(piece):
                    ttft_s = time.perf_counter() - began
        return Answered(pieces.whole(), time.perf_counter() - began, ttft_s)

    @staticmethod
    async def _parsed(sent: Awaitable[str]) -> Any:
        text = await sent
        try:
            return parse(text)
        except JsonError as error:
            raise RequestError(
                f"the server's answer is no JSON ({error}): {short(text, 120)!r}", Means.again
            ) from error

    async def _told(self, send: Callable[[], Awaitable[T]]) -> T:
        """What `send` brings, every way in which it can fail as a RequestError."""
        from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

        try:
            async with asyncio.timeout(self._served.timeout_s):
                return await send()
        except APIStatusError as error:
            raise self._of_status(error) from error
        except (APITimeoutError, TimeoutError) as error:
            seconds = f"{self._served.timeout_s:g} s (model.timeout_s)"
            raise RequestError(f"the server did not answer within {seconds}", Means.again) from error
        except APIConnectionError as error:
            raise _of_connection(error) from error
        except APIError as error:  # an event of a stream
            text = self._clean(short(error.message, 300))
            status = int(error.code) if error.code is not None and error.code.isdecimal() else 500
            raise RequestError(f"the server broke off the stream: {text}", meaning(status, text)) from error
        except RequestError as error:
            error.args = (self._clean(str(error)),)
            raise
        except ValueError as error:
            raise RequestError(
                f"a piece of the server's stream is no JSON ({short(error, 120)})", Means.again
            ) from error

    def _of_status(self, error: "APIStatusError") -> RequestError:
        told = error.body.get("message") if isinstance(error.body, Mapping) else None
        text = self._clean(short(told or error.response.text.strip() or error.response.reason_phrase, 300))
        status = error.status_code
        named = f"{told or ''} {error.code or ''} {error.type or ''} {error.response.text}"
        return RequestError(f"the server answers {status}: {text}", meaning(status, named), _retry_after(error), status)

    def _clean(self, text: str) -> str:
        """A text without the key, which a server may send back."""
        return text.replace(self._key, "***") if self._key else text


def _of_connection(error: BaseException) -> RequestError:
    """What kept a request from arriving, or its answer from coming."""
    causes = [*_chain(error)][::-1]
    system = next((one for one in causes if isinstance(one, OSError) and one.errno is not None), None)
    reason, unknown = next(filter(None, map(str, causes))), False
    if isinstance(system, socket.gaierror):
        unknown = system.errno == socket.EAI_NONAME
    elif system is not None and system.errno is not None:
        reason = os.strerror(system.errno)
    return RequestError(f"the connection failed: {short(reason, 200)}", Means.run if unknown else Means.again)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it comes from, the cause first found last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _pause(attempt: int, trouble: RequestError) -> float:
    """Seconds until the next attempt: at least what the server asks for, else exponentially more, with jitter."""
    grown = FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 30)
    if trouble.retry_after is not None:
        return trouble.retry_after + random.uniform(0.0, 0.25 * FIRST_PAUSE_S)
    return grown * random.uniform(0.5, 1.0)


def _retry_after(error: "APIStatusError") -> float | None:
    """Seconds that a server asks to wait: `retry-after-ms`, or `Retry-After` as seconds or as a date (RFC 9110)."""
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError):
        return None


def _given_up(trouble: RequestError, attempts: int, asked_to_wait: float | None) -> RequestError:
    """The error of a clip that gets no answer now, which a later run asks for again."""
    times = "once" if attempts == 1 else f"{attempts} times"
    pause = "" if asked_to_wait is None else f", which asks for a pause of {asked_to_wait:.0f} s (model.longest_wait_s)"
    text = f"{trouble}; asked {times}{pause}, and {ASKS_AGAIN}"
    return RequestError(text, Means.again, trouble.retry_after, trouble.status)
