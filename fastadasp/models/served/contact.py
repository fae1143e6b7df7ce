"""The first words with a server: whether it is one, which model it has, and what ends a run that asks it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastadasp.config.messages import suggest
from fastadasp.files.text import short
from fastadasp.models.served.adapter import ServedModel
from fastadasp.models.served.client import Client
from fastadasp.models.served.troubles import RequestError, ServerError

_NO_LIST = frozenset({404, 405, 501})
_HOW = "an address usually ends in /v1 (model.base_url=http://HOST:PORT/v1)"


@dataclass(frozen=True)
class Server:
    """What a server says of itself."""

    name: str
    """Of the model to ask."""
    listed: tuple[str, ...] = ()
    """Of all its models; empty where it gives no list."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Of the model, such as `root` (the checkpoint) and `max_model_len`; of vLLM also its `version`."""


async def meet(client: Client, served: ServedModel) -> Server:
    """Ask a server for its list of models. Raises ServerError where it is none, or where the model is not clear."""
    try:
        answer = await client.get("/models")
    except RequestError as trouble:
        if trouble.status not in _NO_LIST:
            raise ended(served, trouble) from trouble
        if served.name is None:
            raise ServerError(
                f"{served.described}: the server gives no list of models ({trouble}): set model.name, and mind that "
                f"{_HOW}"
            ) from trouble
        return Server(served.name)
    cards = _cards(answer)
    if cards is None:
        raise ServerError(
            f"{served.described} answers, but not as a server of the OpenAI interface does: {short(answer, 120)!r} in "
            f"the place of a list of models; {_HOW}"
        )
    name = served.name or _only(served, cards)
    facts = {key: cards[name][key] for key in ("root", "max_model_len", "owned_by") if cards.get(name, {}).get(key)}
    if facts.get("owned_by") == "vllm":
        facts |= await _version(client, served)
    return Server(name, tuple(cards), facts)


def _cards(answer: object) -> dict[str, Mapping[str, Any]] | None:
    """What a list of models says of each, by its name; None where it is no such list."""
    data = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(data, list):
        return None
    return {str(card["id"]): card for card in data if isinstance(card, Mapping) and "id" in card}


def _only(served: ServedModel, cards: Mapping[str, Mapping[str, Any]]) -> str:
    """The one model that a server lists; of several names of one checkpoint, the first."""
    roots = {str(card.get("root") or name) for name, card in cards.items()}
    if len(roots) != 1:
        several = f"lists {len(cards)} models: {short(', '.join(cards), 300)}" if cards else "lists no model"
        raise ServerError(f"{served.described}: the server {several}; set model.name to the one to evaluate")
    return next(iter(cards))


async def _version(client: Client, served: ServedModel) -> dict[str, Any]:
    try:
        told = await client.get(f"{served.base_url.rstrip('/').removesuffix('/v1')}/version")
    except RequestError:
        return {}
    return {"version": told["version"]} if isinstance(told, Mapping) and "version" in told else {}


def ended(served: ServedModel, trouble: RequestError, listed: tuple[str, ...] = ()) -> ServerError:
    """The message of a run that ends since its server answers no request."""
    told = f"{served.described}: {trouble}."
    if trouble.status in (401, 403):
        if served.has_key:
            remedy = f"The key in the environment variable {served.api_key_env} was sent; check it"
        else:
            remedy = (
                f"No key was sent, since the environment variable {served.api_key_env} is not set; export it, or name "
                "another one by model.api_key_env"
            )
    elif trouble.status in _NO_LIST:
        known = f" ({short(suggest(served.name or '', listed), 300)})" if listed else ""
        remedy = f"Check model.name{known} and the address: {_HOW}"
    elif trouble.status is None:
        remedy = f"Check that the server runs there; {_HOW}"
    else:
        remedy = "What was answered is kept, and the same command goes on"
    return ServerError(f"{told} {remedy}")
