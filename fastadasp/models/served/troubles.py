"""What can go wrong with a request, and what that means for the clip and for the run."""

from enum import Enum

from fastadasp.errors import InputError

Means = Enum("Means", ["again", "clip", "refused", "run"])
"""`again`: the server may answer if it is asked again; `clip`: it will never answer this clip, which is too long for
the model, or withheld; `refused`: it takes no such request, of this clip or of all; `run`: it will answer no clip at
all, so the run ends."""

ASKS_AGAIN = "the same command asks again"
"""Stands in the error of every clip whose server was in trouble, and of no other."""

_AGAIN = frozenset({408, 409, 423, 425, 429})
_RUN = frozenset({401, 402, 403, 404, 405, 501})
_USED_UP = ("insufficient_quota", "billing", "credit balance")
_LONG = (
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "maximum model length",
    "max_model_len",
    "exceed_context",
    "too many tokens",
    "longer than the maximum",
)
"""How servers say that a prompt does not fit: OpenAI, vLLM, SGLang, llama.cpp."""


class RequestError(Exception):
    """A request that brought no answer; `str` says why, for the user."""

    def __init__(self, text: str, means: Means, retry_after: float | None = None, status: int | None = None) -> None:
        """retry_after: seconds that the server asks to wait; status: of HTTP, where the server has answered."""
        super().__init__(text)
        self.means = means
        self.retry_after = retry_after
        self.status = status


class ServerError(InputError):
    """A server that answers no request of the run; the message names its address and says what to do."""


def meaning(status: int, told: str) -> Means:
    """What an HTTP status means; told: what the server says with it."""
    said = told.lower()
    if any(word in said for word in _USED_UP):
        return Means.run
    if status in _AGAIN or (status >= 500 and status not in _RUN):
        return Means.again
    if status in _RUN:
        return Means.run
    return Means.clip if any(word in said for word in _LONG) else Means.refused


def may_answer_now(error: str) -> bool:
    """Whether a clip that is stored as failed with this message is worth another request."""
    return ASKS_AGAIN in error
