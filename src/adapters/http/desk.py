"""Where requests wait for their verdict: asks the tables, publishes, and answers what was decided.

A waiting request holds neither a thread nor a connection. One thread for each server process looks
whenever positions have moved, and looks up all released requests at once.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast
from uuid import UUID

from domain.bets import Bet
from domain.errors import DatabaseUnavailable, RuleBroken, Unavailable
from domain.events import Event
from domain.log import EVENTS_TAXONOMY, Placed
from domain.ports import Codec, Database, MessageBus, UnitOfWork
from domain.verdicts import Publication, Verdict, verdicts

Result = TypeVar("Result")
_log = logging.getLogger(__name__)
DATABASE_WAIT = 2.5
"""Seconds that a request waits for the database: one that hangs is away, too."""

THREADS = 16
"""Threads for database work in one server process; the pool of connections is as large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """The ids and the time that a request is given."""

    new_id: UUID
    message_id: UUID
    now: datetime


Resource = TypeVar("Resource", Event, Bet)
Ask = Callable[[UnitOfWork, Stamp], Resource | Publication]


@dataclass(frozen=True, slots=True)
class _Waiter:
    publication: Publication
    placed: Placed
    verdict: "asyncio.Future[Verdict | None]"


class Desk:
    """What the routes of one server process need; opened and closed with the server."""

    def __init__(
        self,
        *,
        database: Database,
        bus: MessageBus,
        codec: Codec,
        answer_wait: float,
        new_id: Callable[[], UUID],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._bus = bus
        self._codec = codec
        self._answer_wait = answer_wait
        self._new_id = new_id
        self._now = now
        self._threads = ThreadPoolExecutor(THREADS, "desk")
        self._waiters: dict[UUID, _Waiter] = {}
        self._closing = threading.Event()

    def open(self) -> None:
        """Start looking for verdicts; call it in the server's event loop."""
        self._listener = self._database.listen()
        self._loop = asyncio.get_running_loop()
        self._looking = threading.Thread(
            target=self._look_for_verdicts, name="verdicts", daemon=True
        )
        self._looking.start()

    def close(self) -> None:
        """Stop; requests that still wait are answered with 202."""
        self._closing.set()
        self._listener.wake()
        self._looking.join(DATABASE_WAIT)
        self._listener.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._bus.close()
        self._database.close()

    async def read(self, query: Callable[[UnitOfWork], Result]) -> Result:
        """Run a query in a transaction of its own, in a thread."""
        return await self._in_thread(query, commit=False)

    async def write(self, change: Callable[[UnitOfWork], Result]) -> Result:
        """Run a change in a transaction of its own, in a thread, and commit it."""
        return await self._in_thread(change, commit=True)

    async def _in_thread(self, work: Callable[[UnitOfWork], Result], *, commit: bool) -> Result:
        running = self._loop.run_in_executor(self._threads, self._in_transaction, work, commit)
        try:
            async with asyncio.timeout(DATABASE_WAIT):
                return await running
        except TimeoutError as hangs:
            raise DatabaseUnavailable("the database doesn't answer") from hangs

    def _in_transaction(self, work: Callable[[UnitOfWork], Result], commit: bool) -> Result:
        with self._database.transaction() as uow:
            result = work(uow)
            if commit:
                uow.commit()
            return result

    async def submit(self, ask: Ask[Resource], *, respond_async: bool) -> Resource | Publication:
        """What was decided on the request: a resource, a raised RuleBroken, or, undecided within
        the wait, the publication itself. Raises Unavailable when it was refused or is unknown."""
        stamp = Stamp(new_id=self._new_id(), message_id=self._new_id(), now=self._now())
        asked = await self.read(lambda uow: ask(uow, stamp))
        if not isinstance(asked, Publication):
            return asked
        (acknowledgement,) = self._bus.publish([self._codec.encode(asked.message)])
        placed = await asyncio.wrap_future(acknowledgement)
        verdict = None if respond_async else await self._verdict(asked, placed)
        if isinstance(verdict, RuleBroken):
            raise verdict
        return asked if verdict is None else cast("Resource", verdict)

    async def _verdict(self, publication: Publication, placed: Placed) -> Verdict | None:
        waiter = _Waiter(publication, placed, self._loop.create_future())
        message_id = publication.message.id
        self._waiters[message_id] = waiter
        # Registered first, looked for then: a position that moved in between is not missed.
        self._listener.wake()
        try:
            async with asyncio.timeout(self._answer_wait):
                return await waiter.verdict
        except TimeoutError:
            return None
        finally:
            self._waiters.pop(message_id, None)

    def _look_for_verdicts(self) -> None:
        while not self._closing.is_set():
            self._listener.wait(1.0)
            waiters = list(self._waiters.values())
            if waiters:
                try:
                    self._answer(waiters)
                except Unavailable:
                    # They go on waiting, and are answered with 202 when their time is up.
                    self._closing.wait(0.1)
                except Exception:  # noqa: BLE001
                    # Whatever it was: the requests to come must be answered.
                    _log.exception("looking for verdicts failed")
                    self._closing.wait(0.1)

    def _answer(self, waiters: list[_Waiter]) -> None:
        with self._database.transaction() as uow:
            reached = uow.positions.reached(EVENTS_TAXONOMY)
            passed = [
                waiter
                for waiter in waiters
                if waiter.placed.offset
                < reached.get((waiter.publication.judge, waiter.placed.partition), 0)
            ]
            if not passed:
                return
            found = verdicts(uow, [(waiter.publication, waiter.placed) for waiter in passed])
        for waiter in passed:
            verdict = found.get(waiter.publication.message.id)
            self._loop.call_soon_threadsafe(_settle, waiter.verdict, verdict)


def _settle(future: "asyncio.Future[Verdict | None]", verdict: Verdict | None) -> None:
    if not future.done():
        future.set_result(verdict)
