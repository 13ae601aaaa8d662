"""Where requests wait for their verdict: asks the tables, publishes, and answers what was decided.

A waiting request holds neither a thread nor a connection. One thread for each server process asks
the tables for all requests that have come meanwhile, in one transaction; another looks whenever
positions have moved, and looks up all released requests at once.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast
from uuid import UUID

from adapters.http.request_ids import request_id
from adapters.http.story import tell_published
from domain.bets import Bet
from domain.errors import DatabaseUnavailable, RuleBroken, TouchlineError
from domain.events import Event
from domain.log import EVENTS_TAXONOMY, Placed
from domain.ports import Codec, Database, Events, MessageBus, UnitOfWork
from domain.records import ConsumerName, StoredEvent
from domain.verdicts import Publication, Verdict, verdicts

Result = TypeVar("Result")
_log = logging.getLogger(__name__)
DATABASE_WAIT = 2.5
"""Seconds that a request waits for the database: one that hangs is away, too."""

LAST_WAIT = 2.0
"""Seconds that requests still wait for their verdict once the server is about to end: the default
of TOUCHLINE_ANSWER_WAIT_MS, and less than what the server gives to open requests then."""

THREADS = 16
"""Threads for database work in one server process."""

MOST_QUESTIONS = 64
"""Asked in one transaction: the first must not wait long for the last."""

JUDGES = (ConsumerName.EVENT_WRITER, ConsumerName.BET_WRITER)
"""Whose positions say that a request is decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """The ids and the time that a request is given."""

    new_id: UUID
    message_id: UUID
    now: datetime


Resource = TypeVar("Resource", Event, Bet)
Ask = Callable[[UnitOfWork, Stamp], Resource | Publication]


@dataclass(frozen=True, slots=True)
class _Question:
    """What a request asks the tables before it is published."""

    ask: Callable[[UnitOfWork], object]
    answer: "asyncio.Future[Any]"


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
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        self._waiters: dict[UUID, _Waiter] = {}
        self._reached: Mapping[tuple[ConsumerName, int], int] = {}
        """How far the consumers have come, as it was last looked up."""
        self._unseen = False
        """Whether they have moved since: as long as nobody waits, nobody looks."""
        self._is_ending = False
        """Whether nobody waits for a verdict any more."""
        self._closing = threading.Event()

    def open(self) -> None:
        """Start looking for verdicts; call it in the server's event loop."""
        self._listener = self._database.listen(JUDGES)
        self._loop = asyncio.get_running_loop()
        self._looking = threading.Thread(
            target=self._look_for_verdicts, name="verdicts", daemon=True
        )
        self._looking.start()
        threading.Thread(target=self._answer_questions, name="questions", daemon=True).start()

    def end_waits(self) -> None:
        """Answer those with 202 that still wait after LAST_WAIT, so that the server can end. From
        any thread, and from a signal's handler."""
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            self._loop.call_soon_threadsafe(self._loop.call_later, LAST_WAIT, self._end_waits)

    def _end_waits(self) -> None:
        self._is_ending = True
        _settle([(waiter.verdict, None) for waiter in self._waiters.values()])

    def close(self) -> None:
        """Stop; nobody waits any more."""
        self._closing.set()
        self._questions.put(None)
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
        return await _in_time(
            self._loop.run_in_executor(self._threads, self._in_transaction, work, commit)
        )

    def _in_transaction(self, work: Callable[[UnitOfWork], Result], commit: bool) -> Result:
        with self._database.transaction() as uow:
            result = work(uow)
            if commit:
                uow.commit()
            return result

    async def submit(self, ask: Ask[Resource], *, respond_async: bool) -> Resource | Publication:
        """What was decided on the request: a resource, a raised RuleBroken, or, undecided within
        the wait, the publication itself. Raises Unavailable when it was refused or is unknown.

        The message's id is the request's: a request submits once."""
        message_id = request_id() or self._new_id()
        stamp = Stamp(new_id=self._new_id(), message_id=message_id, now=self._now())
        question = _Question(lambda uow: ask(uow, stamp), self._loop.create_future())
        self._questions.put(question)
        asked: Resource | Publication = await _in_time(question.answer)
        if not isinstance(asked, Publication):
            return asked
        (acknowledgement,) = self._bus.publish([self._codec.encode(asked.message)])
        placed = await asyncio.wrap_future(acknowledgement)
        tell_published(asked.message, placed)
        is_awaited = not respond_async and not self._is_ending
        verdict = await self._verdict(asked, placed) if is_awaited else None
        return asked if verdict is None else cast("Resource", verdict)

    async def _verdict(self, publication: Publication, placed: Placed) -> Verdict | None:
        waiter = _Waiter(publication, placed, self._loop.create_future())
        message_id = publication.message.id
        # Registered first, looked for then: a position that moved in between is not missed, for
        # who looks takes note of the positions first, and then of who waits.
        self._waiters[message_id] = waiter
        if self._unseen or self._is_passed(waiter):
            self._listener.wake()
        try:
            async with asyncio.timeout(self._answer_wait):
                return await waiter.verdict
        except TimeoutError:
            return None
        finally:
            self._waiters.pop(message_id, None)

    def _answer_questions(self) -> None:
        is_open = True
        while is_open:
            found = [self._questions.get()]
            with suppress(Empty):
                while len(found) < MOST_QUESTIONS:
                    found.append(self._questions.get_nowait())
            is_open = None not in found
            answers = list(self._answers_to(deque(each for each in found if each is not None)))
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                self._loop.call_soon_threadsafe(_settle, answers)

    def _answers_to(self, questions: "deque[_Question]") -> "Iterator[_Settlement]":
        """Ask all in one transaction; after one that failed goes on in another."""
        while questions:
            try:
                with self._database.transaction() as uow:
                    uow.events = cast("Events", EventsAskedOnce(uow.events))
                    while questions:
                        question = questions.popleft()
                        if question.answer.done():  # nobody waits any more
                            continue
                        outcome = _outcome(question, uow)
                        yield question.answer, outcome
                        if isinstance(outcome, Exception) and not isinstance(outcome, RuleBroken):
                            break
            except Exception as error:  # noqa: BLE001 - it belongs to those who asked
                yield from ((question.answer, error) for question in questions)
                return

    def _look_for_verdicts(self) -> None:
        while not self._closing.is_set():
            try:
                self._unseen |= self._listener.wait(1.0)
                if self._waiters:
                    self._unseen = False
                    self._answer_passed()
            except TouchlineError:
                # Away, or not migrated. Who waits goes on, and is answered with 202 in the end.
                self._closing.wait(0.1)
            except Exception:  # noqa: BLE001
                # Whatever it was: the requests to come must be answered.
                _log.exception("looking for verdicts failed")
                self._closing.wait(0.1)

    def _answer_passed(self) -> None:
        with self._database.transaction() as uow:
            self._reached = uow.positions.reached(EVENTS_TAXONOMY)
            passed = [waiter for waiter in list(self._waiters.values()) if self._is_passed(waiter)]
            if not passed:
                return
            found = verdicts(uow, [(waiter.publication, waiter.placed) for waiter in passed])
        answers = [(waiter.verdict, found.get(waiter.publication.message.id)) for waiter in passed]
        self._loop.call_soon_threadsafe(_settle, answers)

    def _is_passed(self, waiter: _Waiter) -> bool:
        judge = (waiter.publication.judge, waiter.placed.partition)
        return waiter.placed.offset < self._reached.get(judge, 0)


class EventsAskedOnce:
    """The events of a transaction in which each is looked up once, for all who ask for it. They had
    all asked before it began: so what is found holds at a moment while each of them waits."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._found: dict[UUID, StoredEvent | None] = {}

    def among(self, ids: Collection[UUID]) -> Mapping[UUID, StoredEvent]:
        unknown = [each for each in ids if each not in self._found]
        if unknown:
            found = self._events.among(unknown)
            self._found |= {each: found.get(each) for each in unknown}
        return {each: stored for each in ids if (stored := self._found[each]) is not None}

    def __getattr__(self, name: str) -> object:
        return getattr(self._events, name)


_Settlement = tuple["asyncio.Future[Any]", object]


def _outcome(question: _Question, uow: UnitOfWork) -> object:
    try:
        return question.ask(uow)
    except Exception as error:  # noqa: BLE001 - it belongs to who asked
        return error


def _settle(answers: Iterable[_Settlement]) -> None:
    for future, outcome in answers:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


async def _in_time(answer: "Awaitable[Result]") -> Result:
    try:
        async with asyncio.timeout(DATABASE_WAIT):
            return await answer
    except TimeoutError as hangs:
        raise DatabaseUnavailable("the database doesn't answer") from hangs
