"""Whether a server that a run goes on with is still the one that has answered before.

An address and a model's name stay the same when a server is started anew with another model or another reduction; the
answers of both in one folder would be no result.
"""

from fastadasp.data.audio import AudioError
from fastadasp.evaluation.session import Session
from fastadasp.evaluation.store import RunStore, StoreError
from fastadasp.models.served.adapter import Asked, ServedModel
from fastadasp.models.served.client import Client
from fastadasp.models.served.contact import Server
from fastadasp.models.served.troubles import RequestError

FILE = "server.json"
_REMEDY = (
    "Their answers must not be mixed: give what is served now a run of its own by model.note=... (any words for it), "
    "or delete the folder"
)


def check_name(store: RunStore, served: ServedModel, server: Server) -> None:
    """Note which model the server has; StoreError where answers of another one are in the folder."""
    now = {"name": server.name, "root": server.facts.get("root")}
    before = store.read(FILE)
    if before is None:
        store.write(FILE, now)
    elif before != now:
        told = {key: f"{before.get(key)} before, now {now[key]}" for key in now if before.get(key) != now[key]}
        raise StoreError(
            f"{store.folder} holds answers of another model than {served.base_url} serves now "
            f"({'; '.join(f'{key}: {text}' for key, text in told.items())}). {_REMEDY}"
        )


async def check_counting(session: Session, served: ServedModel, server: Server, client: Client) -> None:
    """StoreError where the server counts other prompt tokens than before, of a clip that it has answered: it reduces
    audio in another way, or words its prompts otherwise. One short request; none where nothing was answered yet."""
    known = next(
        (one for one in session.store.each() if one.error is None and one.cost.get("prompt_tokens") is not None), None
    )
    example = None if known is None else next((one for one in session.setup.examples if one.id == known.id), None)
    if known is None or example is None:
        return
    try:
        asked: Asked = served.prepare(example)
    except AudioError:
        return
    body = {**served.body(session.setup.generation, session.seed), served.length_key.name: 1}
    try:
        reply = (await client.ask(server.name, asked, body)).reply
        now, before = reply.usage.get("prompt_tokens"), known.cost["prompt_tokens"]
    except RequestError:
        return  # the run itself will meet the same trouble, and tell it
    if now is not None and now != before:
        raise StoreError(
            f"{served.described}: the server counts {now} prompt tokens of {known.id}, and counted {before:.0f} when "
            f"it gave the answers in {session.store.folder}: it reduces audio in another way now, or has another chat "
            f"template. {_REMEDY}"
        )
