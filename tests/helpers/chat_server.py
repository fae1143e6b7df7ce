"""A server of the OpenAI chat-completions interface that answers from a manifest, and fails in every way servers do.

Which clip it is asked about, it finds by listening: it decodes the WAV of the request and looks for the recording whose
samples these are.
"""

import base64
import io
import json
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from fastadasp.config.compose import compose_run
from fastadasp.evaluation.setup import validate

KEY = "sk-a-key-that-must-not-be-seen"
MODEL = "some/speech-model"
TOKENS_PER_SECOND = 25


@dataclass
class ChatServer:
    """The state of the stand-in."""

    clips: Mapping[str, Path]
    """Recordings by the id of their clip."""
    answers: Mapping[str, str]
    url: str = ""
    key: str | None = None
    """What must come with each request; None: no key is wanted."""
    models: Sequence[str] | None = (MODEL,)
    """None: there is no list of models."""
    faults: dict[str, list[str]] = field(default_factory=dict)
    """By clip, or `*` for all, what goes wrong with its first, second, ... request."""
    kept: float = 1.0
    """Share of the audio tokens that it keeps; a request may give `mm_processor_kwargs.ratio` instead."""
    most: int | None = None
    """Longest prompt in tokens."""
    hold_after: int | None = None
    """Requests after so many wait until `go` is set."""
    go: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    """The clip of each request, in order."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def recordings(self) -> dict[str, tuple[Any, int]]:
        """The samples and the rate of each clip."""
        return {id: soundfile.read(path, dtype="float32") for id, path in self.clips.items()}

    @classmethod
    def of(cls, manifest: Path, answers: Mapping[str, str] | None = None, **settings: Any) -> "ChatServer":
        """One that answers with the field `text` of each line, where `answers` does not say otherwise."""
        lines = [json.loads(line) for line in manifest.read_text().splitlines()]
        clips = {line["id"]: manifest.parent / line["audio"] for line in lines}
        return cls(clips, {line["id"]: line.get("text", "") for line in lines} | dict(answers or {}), **settings)

    def heard(self, messages: Sequence[Mapping[str, Any]]) -> tuple[str, float]:
        """The clip of a request, and its seconds; KeyError where it is none of the manifest's."""
        parts = [part for part in messages[-1]["content"] if part["type"] in ("input_audio", "audio_url")]
        data = [
            part["input_audio"]["data"] if "input_audio" in part else part["audio_url"]["url"].partition("base64,")[2]
            for part in parts
        ]
        sounds = [soundfile.read(io.BytesIO(base64.b64decode(one)), dtype="float32") for one in data]
        (samples, rate), seconds = sounds[0], sum(len(one) / at for one, at in sounds)
        for id, (known, known_rate) in self.recordings.items():
            if known_rate == rate and len(known) == len(samples) and np.abs(known - samples).max() < 2 / 2**15:
                return id, seconds
        raise KeyError("the audio of the request is none of the clips")


class Handler(BaseHTTPRequestHandler):
    """Answers requests to the server in `state`."""

    state: ChatServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def reply(self, content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        kind = "text/html" if text.startswith("<") else "application/json"
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(text)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def error(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply({"error": {"message": message, "type": "some_error", "code": code}}, status, named)

    def do_GET(self) -> None:
        if self._refused():
            return
        if self.path == "/v1/models" and self.state.models is not None:
            cards = [{"id": name, "object": "model", "owned_by": "vllm", "root": name} for name in self.state.models]
            self.reply({"object": "list", "data": cards})
        elif self.path == "/version":
            self.reply({"version": "1.2.3"})
        elif self.path == "/page/models":
            self.reply("<html>Welcome</html>")
        else:
            self.reply({"detail": "Not Found"}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._refused():
            return
        if self.path != "/v1/chat/completions":
            self.reply({"detail": "Not Found"}, 404)
            return
        state = self.state
        clip, seconds = state.heard(body["messages"])
        with state.lock:
            state.asked.append(clip)
            state.bodies.append(body)
            state.headers.append(dict(self.headers))
            state.times.append(time.monotonic())
            state.at_once += 1
            state.most_at_once = max(state.most_at_once, state.at_once)
            queue = state.faults.get(clip) or state.faults.get("*") or []
            fault = queue.pop(0) if queue else None
            held = state.hold_after is not None and len(state.asked) > state.hold_after
        try:
            if held:
                state.go.wait(60)
            if fault is not None and (done := FAULTS[fault](self, body)) is None:
                return
            self._answer(clip, seconds, body, done if fault is not None else {})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with state.lock:
                state.at_once -= 1

    def _refused(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.state.key is None or given == self.state.key:
            return False
        self.error(401, f"Incorrect API key provided: {given}", "invalid_api_key")
        return True

    def _answer(self, clip: str, seconds: float, body: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
        state = self.state
        if body["model"] not in (state.models or (MODEL,)):
            self.error(404, f"The model `{body['model']}` does not exist.", "404")
            return
        kept = 1 - body.get("mm_processor_kwargs", {}).get("ratio", 1 - state.kept)
        text = state.answers[clip]
        words = len(text.split()) + 1
        usage = {"prompt_tokens": 10 + round(seconds * TOKENS_PER_SECOND * kept), "completion_tokens": words}
        if state.most is not None and usage["prompt_tokens"] > state.most:
            told = f"This model's maximum context length is {state.most} tokens, and you requested more."
            self.error(400, told, "context_length_exceeded")
            return
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        completion = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"]}
        completion |= {"choices": [{**choice, **changed}], "usage": usage}
        if body.get("stream"):
            self._stream(pieces(completion))
        else:
            self.reply(completion)

    def _stream(self, events: Sequence[str], cut: int | None = None) -> None:
        """Send events, of which the connection ends after `cut`."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in events[:cut]:
            self.wfile.write(f"data: {event}\n\n".encode())
            self.wfile.flush()
        self.close_connection = True


def pieces(completion: Mapping[str, Any]) -> list[str]:
    """A completion as the events of a stream: a word in each."""
    (choice,) = completion["choices"]
    words = choice["message"]["content"]
    words = [] if words is None else [f" {word}" for word in words.split(" ")]
    same = {key: completion[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words)]
    deltas[1:2] = [{"content": delta["content"][1:]} for delta in deltas[1:2]]
    events = [{**same, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({**same, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    events.append({**same, "choices": [], "usage": completion["usage"]})
    return [*map(json.dumps, events), "[DONE]"]


def _reset(handler: Handler, _: Mapping[str, Any]) -> None:
    """Close the connection with a reset in the place of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(handler.connection.detach())
    handler.close_connection = True


def _cut(handler: Handler, body: Mapping[str, Any]) -> None:
    """Begin an answer, and close the connection before its end."""
    some = {"choices": [{"message": {"content": "one two three"}, "finish_reason": "stop"}], "usage": {}}
    if body.get("stream"):
        handler._stream(pieces({"id": "1", "created": 1, "model": "m", **some}), cut=3)
        return
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def _broken(handler: Handler, body: Mapping[str, Any]) -> None:
    """An answer that is no JSON."""
    if body.get("stream"):
        handler._stream(['{"choices": [{"delta"', "[DONE]"])
    else:
        handler.reply('{"choices": [')


def _without(handler: Handler, body: Mapping[str, Any], content: object) -> None:
    """JSON without an answer."""
    if body.get("stream"):
        handler._stream([json.dumps(content), "[DONE]"])
    else:
        handler.reply(content)


def _slow(_: Handler, __: Mapping[str, Any]) -> dict[str, Any]:
    time.sleep(0.6)
    return {}


def _date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


FAULTS: Mapping[str, Any] = {
    "429": lambda handler, _: handler.error(429, "Rate limit reached", "rate_limit_exceeded"),
    "429 after 1": lambda handler, _: handler.error(429, "Rate limit reached", Retry_After="1"),
    "429 after a date": lambda handler, _: handler.error(429, "Rate limit reached", Retry_After=_date(2)),
    "429 after an hour": lambda handler, _: handler.error(429, "Come back later", Retry_After="3600"),
    "quota": lambda handler, _: handler.error(429, "You exceeded your current quota", "insufficient_quota"),
    "500": lambda handler, _: handler.error(500, "Internal server error"),
    "503": lambda handler, _: handler.reply("<html><h1>503 Service Unavailable</h1></html>", 503),
    "reset": _reset,
    "cut": _cut,
    "slow": _slow,
    "no JSON": _broken,
    "no choices": lambda handler, body: _without(handler, body, {"id": "1", "object": "chat.completion"}),
    "empty choices": lambda handler, body: (
        _without(handler, body, {"id": "1", "choices": []})
        if not body.get("stream")
        else _without(handler, body, {"id": "1", "choices": [{}]})
    ),
    "a list": lambda handler, body: _without(handler, body, [1, 2]),
    "error in 200": lambda handler, body: _without(handler, body, {"error": {"message": "overloaded", "code": 502}}),
    "null": lambda handler, body: {"message": {"role": "assistant", "content": None}},
    "abort": lambda handler, body: {"finish_reason": "abort"},
    "filter": lambda handler, body: {"finish_reason": "content_filter"},
    "length": lambda handler, body: {"finish_reason": "length"},
    "reasoned": lambda handler, body: {"message": {"content": None}, "finish_reason": "length"},
    "400": lambda handler, _: handler.error(400, "Unknown field: ratoi", "bad_request"),
    "401": lambda handler, _: handler.error(401, f"Incorrect API key provided: {KEY}", "invalid_api_key"),
    "404": lambda handler, _: handler.error(404, "The model `x` does not exist.", "404"),
}
"""What goes wrong: each sends its own answer and returns None, or what is changed in the usual one."""


@contextmanager
def serving(state: ChatServer) -> Iterator[ChatServer]:
    """Serve on this machine until the block ends."""
    handler = type("Handler", (Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    assert state.recordings, "decoded before the first request"
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.go.set()
        server.shutdown()
        server.server_close()
        thread.join()


def ask(output: Path, url: str, *overrides: str) -> Path:
    """The folder of `python run.py model=openai model.base_url=URL ...`, done in this process."""
    from fastadasp.evaluation.run import evaluate

    cfg, folder = compose_run([*settings(output, url), *overrides])
    evaluate(cfg, validate(cfg))
    return folder


def settings(output: Path, url: str) -> tuple[str, ...]:
    """Of a run that asks a server."""
    return ("model=openai", f"model.base_url={url}", "hardware.num_workers=0", f"output_dir={output}", "logger=none")


def repeated(state: ChatServer) -> dict[str, int]:
    """How often each clip was asked, where more than once."""
    return {clip: times for clip, times in Counter(state.asked).items() if times > 1}
