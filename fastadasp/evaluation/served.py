"""Answering what the folder of a run lacks by asking a server, with many requests under way at once."""

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fastadasp.evaluation.batches import Plan, PreparedBatch, PreparedBatches, finished, plan
from fastadasp.evaluation.reading import ReadAhead
from fastadasp.evaluation.same_server import check_counting, check_name
from fastadasp.evaluation.session import Session
from fastadasp.evaluation.turns import Turns
from fastadasp.measuring.provenance import provenance
from fastadasp.models.served.adapter import Asked, ServedModel
from fastadasp.models.served.client import Answered, Client
from fastadasp.models.served.contact import Server, ended, meet
from fastadasp.models.served.troubles import Means, RequestError, ServerError, may_answer_now
from fastadasp.process.signals import stop_if_told
from fastadasp.tasks.base import Example, Prediction, unanswered

log = logging.getLogger(__name__)


def ask_left(session: Session) -> None:
    """Ask for every example that has no answer yet. Raises ServerError where the server answers none of them."""
    served = session.setup.adapter
    if not isinstance(served, ServedModel):
        raise TypeError(f"{type(served).__name__} is no model behind a server")
    served.check_ready()
    left = plan(session.setup.examples, 1, finished(session.store.each()))
    asyncio.run(_Asking(session, served, left).all())
    stop_if_told()


class _Asking:
    """One process at work on a run whose model is served."""

    def __init__(self, session: Session, served: ServedModel, left: Plan) -> None:
        self._session, self._served, self._left = session, served, left
        self._held: list[Prediction] = []
        """Failures in a row, which are stored once an answer shows that the fault is not the server's."""
        self._answered = 0
        self._last = time.perf_counter()

    async def all(self) -> None:
        """Ask for everything that is left."""
        async with Client(self._served) as client:
            self._server = await meet(client, self._served)
            check_name(self._session.store, self._served, self._server)
            await check_counting(self._session, self._served, self._server, client)
            known = {**provenance(self._session.placement), "server": self._told(self._server)}
            self._origin = self._session.store.note_origin(known)
            await self._work_off(client)
        if self._held and not self._answered and not self._any_before():
            raise self._stopped(f"None of the {len(self._held)} clips was answered")
        self._release()

    def _told(self, server: Server) -> dict[str, object]:
        return {"base_url": self._served.base_url, "name": server.name, **server.facts}

    def _any_before(self) -> bool:
        return any(prediction.error is None for prediction in self._session.store.each())

    async def _work_off(self, client: Client) -> None:
        queue: asyncio.Queue[PreparedBatch | None] = asyncio.Queue(self._served.concurrency)
        prepared = iter(self._read())
        first = next(prepared, None)  # here, so that processes which read are started by the main thread
        self._last = time.perf_counter()
        with self._progress() as progress:
            bar = progress.add_task("asking", total=len(self._left))

            async def work() -> None:
                while (batch := await queue.get()) is not None:
                    stop_if_told()
                    await self._answer(client, batch)
                    progress.advance(bar)

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self._served.concurrency):
                        group.create_task(work())
                    group.create_task(self._feed(queue, first, prepared))
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from several

    async def _feed(
        self, queue: "asyncio.Queue[PreparedBatch | None]", first: PreparedBatch | None, rest: Iterator[PreparedBatch]
    ) -> None:
        batch = first
        while batch is not None:
            await queue.put(batch)
            batch = await asyncio.to_thread(next, rest, None)
        for _ in range(self._served.concurrency):
            await queue.put(None)

    def _read(self) -> ReadAhead:
        prepared = PreparedBatches(self._left, self._served.prepare, self._served.heard)
        turns = Turns(self._left, self._session.meeting.take)
        return ReadAhead(prepared, turns, length=len(self._left), workers=self._session.setup.hardware.num_workers)

    def _progress(self) -> Progress:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        shown = self._session.setup.hardware.trainer.get("enable_progress_bar", True)
        progress = Progress(*columns, disable=not shown)
        progress.disable = not shown or not progress.console.is_terminal
        return progress

    async def _answer(self, client: Client, batch: PreparedBatch) -> None:
        """Ask for one clip and store what comes of it."""
        if batch.failed:
            self._session.store.append([unanswered(example, error, self._origin) for example, error in batch.failed])
        for example, prepared in batch.ready:
            body = self._served.body(self._session.setup.generation, self._session.seed + batch.index)
            try:
                answered = await client.ask(self._server.name, cast(Asked, prepared), body)
            except RequestError as error:
                self._failed(example, error)
                continue
            self._answered += 1
            self._release()
            self._session.store.append([self._prediction(batch, example, answered)])

    def _prediction(self, batch: PreparedBatch, example: Example, answered: Answered) -> Prediction:
        reply, now = answered.reply, time.perf_counter()
        wall_s, self._last = now - self._last, now
        audio = reply.usage.get("audio_tokens", 0)
        return Prediction(
            id=example.id,
            text=reply.text,
            answer=self._session.setup.task.decide(reply.text, {}, example),
            reference=example.reference,
            audio_tokens=audio,
            text_tokens=reply.usage.get("prompt_tokens", audio) - audio,
            new_tokens=reply.usage.get("completion_tokens", 0),
            truncated=reply.truncated,
            seconds=example.seconds,
            cost={
                "batch": batch.index,
                "batch_size": 1,
                "latency_s": answered.latency_s,
                **({} if answered.ttft_s is None else {"ttft_s": answered.ttft_s}),
                "attempts": answered.attempts,
                "wall_s": wall_s,
                **reply.usage,
            },
            meta=example.meta,
            origin=self._origin,
            remarks=example.remarks,
        )

    def _failed(self, example: Example, error: RequestError) -> None:
        """Keep a failure, or end the run where it is the server's."""
        if error.means is Means.run:
            raise ended(self._served, error, self._server.listed) from error
        prediction = replace(unanswered(example, str(error), self._origin), remarks=example.remarks)
        if error.means is Means.clip:
            self._session.store.append([prediction])
            return
        self._held.append(prediction)
        if len(self._held) >= self._served.stop_after:
            raise self._stopped(f"The last {len(self._held)} clips all failed (model.stop_after)") from error

    def _release(self) -> None:
        if self._held:
            again = sum(may_answer_now(prediction.error or "") for prediction in self._held)
            log.warning(
                "%d clips failed and count as wrong%s; the last one: %s",
                len(self._held),
                f", {again} of which the same command asks for again" if again else "",
                self._held[-1].error,
            )
            self._session.store.append(self._held)
            self._held = []

    def _stopped(self, what: str) -> ServerError:
        last = self._held[-1]
        return ServerError(
            f"{self._served.described}: {what}, the last one, {last.id}, with: {last.error}. What was answered before "
            "is kept, these clips are not counted; once the server is mended, the same command goes on"
        )
