"""Reading a chat completion, whole or in pieces, as any server may have sent it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastadasp.files.text import short
from fastadasp.models.served.troubles import Means, RequestError, meaning

USAGE = ("prompt_tokens", "completion_tokens")


@dataclass(frozen=True)
class Reply:
    """An answer and what it took."""

    text: str
    truncated: bool
    """The answer was cut off at the most tokens that it may have."""
    usage: Mapping[str, int] = field(default_factory=dict)
    """`prompt_tokens`, `completion_tokens`, and where the server tells them `audio_tokens` and `cached_tokens` of the
    prompt; without those that it does not tell."""
    model: str = ""
    """How the server calls the model that answered."""


def read(completion: object) -> Reply:
    """The answer in the JSON object of a whole completion. Raises RequestError where there is none."""
    found = _object(completion)
    return reply(_choice(found), found)


def reply(choice: Mapping[str, Any], completion: Mapping[str, Any]) -> Reply:
    """The answer in one choice of a completion. Raises RequestError where it holds none."""
    reason = choice.get("finish_reason")
    message = choice.get("message")
    told: Mapping[str, Any] = message if isinstance(message, Mapping) else {}
    text = _text(told.get("content"))
    if reason == "content_filter":
        raise RequestError("the server's content filter withheld the answer", Means.clip)
    if reason in ("abort", "error"):
        raise RequestError(f"the server broke off the answer (finish_reason={reason})", Means.again)
    if text is None:
        raise _wordless(reason, told)
    name = completion.get("model")
    return Reply(text, reason == "length", usage_of(completion), name if isinstance(name, str) else "")


def usage_of(completion: Mapping[str, Any]) -> dict[str, int]:
    """What a completion says of its tokens."""
    usage = completion.get("usage")
    if not isinstance(usage, Mapping):
        return {}
    details = usage.get("prompt_tokens_details")
    told = {**(details if isinstance(details, Mapping) else {}), **usage}
    names = (*USAGE, "audio_tokens", "cached_tokens")
    return {name: told[name] for name in names if isinstance(told.get(name), int) and not isinstance(told[name], bool)}


@dataclass
class Pieces:
    """A completion that arrives piece by piece."""

    texts: list[str] = field(default_factory=list)
    reason: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    model: str = ""

    def add(self, piece: object) -> bool:
        """Take a piece into account; whether it holds the first words of the answer."""
        found = _object(piece)
        self.usage = usage_of(found) or self.usage
        self.model = self.model or str(found.get("model") or "")
        if not found.get("choices"):  # the last piece holds the usage alone
            return False
        choice = _choice(found)
        delta = choice.get("delta")
        text = _text(delta.get("content")) if isinstance(delta, Mapping) else None
        first = bool(text) and not any(self.texts)
        if text is not None:
            self.texts.append(text)
        self.reason = choice.get("finish_reason") or self.reason
        return first

    def whole(self) -> Reply:
        """The answer. Raises RequestError where the stream has ended before it."""
        if self.reason is None:
            raise RequestError("the stream was cut: it ended before the answer did", Means.again)
        content = "".join(self.texts) if self.texts else None
        choice = {"finish_reason": self.reason, "message": {"content": content}}
        return reply(choice, {"usage": self.usage, "model": self.model})


def _object(completion: object) -> Mapping[str, Any]:
    if not isinstance(completion, Mapping):
        raise RequestError(
            f"the server sent something else than a JSON object: {short(completion, 120)!r}", Means.again
        )
    if not completion.get("choices") and (error := completion.get("error")):
        told, status = (error, error.get("code")) if isinstance(error, Mapping) else ({}, None)
        text = short(told.get("message") or error, 300)
        code = int(status) if isinstance(status, int) or (isinstance(status, str) and status.isdecimal()) else 500
        raise RequestError(f"the server sent an error in the place of an answer: {text}", meaning(code, text))
    return completion


def _choice(completion: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = completion.get("choices")
    if not isinstance(choices, Sequence) or isinstance(choices, str):
        raise RequestError(f"the server's JSON has no choices: {short(dict(completion), 120)}", Means.again)
    if not choices or not isinstance(choices[0], Mapping):
        raise RequestError("the server's list of choices holds no answer", Means.again)
    return choices[0]


def _text(content: object) -> str | None:
    """The text of a message, which may come in parts; None where there is none."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(part for part in parts if isinstance(part, str))
    return None


def _wordless(reason: object, message: Mapping[str, Any]) -> RequestError:
    """Why a message has no content."""
    if refusal := message.get("refusal"):
        return RequestError(f"the model refused to answer: {short(refusal, 200)}", Means.clip)
    if message.get("tool_calls"):
        return RequestError("the model called a tool in the place of an answer", Means.clip)
    if reason == "length":
        return RequestError(
            "no word of the answer came within generation.max_new_tokens: the model may reason first; raise it, or "
            "turn reasoning off (model.extra_body)",
            Means.clip,
        )
    return RequestError(f"the answer has no text (content is null, finish_reason={reason})", Means.again)


def usage_tokens(reply: Reply) -> int:
    """Tokens of prompt and answer, as far as the server has told them."""
    return sum(reply.usage.get(name, 0) for name in USAGE)
