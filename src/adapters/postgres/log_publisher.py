"""Publishing to PostgreSQL's log: one thread sends what is queued, another gives up what is late.

A record that was given up is never appended later: it leaves the queue, and what has been sent
already carries its deadline, by PostgreSQL's own clock, in the statement that appends it.
"""

import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Condition, Lock, Thread
from time import monotonic
from typing import NamedTuple

from sqlalchemy import Engine

from adapters.postgres.errors import reason_of
from adapters.postgres.log_append import Partitioner, append
from adapters.postgres.log_connection import DRIVER_ERRORS, OwnConnection
from domain.errors import BusUnavailable
from domain.log import NewRecord, Placed

MOST_RECORDS = 2000
MOST_BYTES = 2 * 2**20
"""What one transaction appends, about."""

RECONNECT_SECONDS = 0.1
LATE = 0.1
"""The last part of a record's time, in which it is no longer sent."""
MARGIN = 0.05
"""The last part of a record's time, in which PostgreSQL no longer begins to append it."""

_log = logging.getLogger(__name__)


class _Promise(Future[Placed]):
    """Only this module gives a record up."""

    def cancel(self) -> bool:
        return False


class _Pending(NamedTuple):
    """A record that waits for its acknowledgement, until `deadline`."""

    record: NewRecord
    future: "Future[Placed]"
    deadline: float


class LogPublisher:
    """Thread-safe. Its own threads begin with the first record."""

    def __init__(self, engine: Engine, *, timeout: float) -> None:
        self._engine = engine
        self._timeout = timeout
        self._lock = Lock()
        self._work = Condition(self._lock)
        """Notified when there is something to send."""
        self._deadlines = Condition(self._lock)
        """Notified when the earliest deadline is another, or there is none."""
        self._queue: deque[_Pending] = deque()
        self._sent: list[_Pending] = []
        """The batch that PostgreSQL has; who takes it from here resolves its futures."""
        self._session: _Session | None = None
        self._closed = False
        self._threads: list[Thread] = []

    def publish(self, records: Sequence[NewRecord]) -> list["Future[Placed]"]:
        deadline = monotonic() + self._timeout
        pending = [_Pending(record, _Promise(), deadline) for record in records]
        with self._lock:
            closed = self._closed
            if not closed:
                self._start()
                self._queue += pending
                self._work.notify()
                self._deadlines.notify()
        if closed:
            _give_up(pending, "the bus is closed")
        return [future for _, future, _ in pending]

    def close(self) -> None:
        """Give up what is queued; wait for what was sent, within its deadline. Idempotent."""
        with self._lock:
            self._closed = True
            given_up, self._queue = list(self._queue), deque()
            self._work.notify()
            self._deadlines.notify()
        _give_up(given_up, "the bus was closed")
        for thread in self._threads:
            thread.join(2 * self._timeout)

    def _start(self) -> None:
        """Start those threads that do not run yet: one may have failed to start before."""
        threads = (("log-sender", self._send), ("log-reaper", self._reap))
        for name, target in threads[len(self._threads) :]:
            thread = Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    # The thread that sends

    def _send(self) -> None:
        while self._wait_for_work():
            try:
                session = self._connected()
                batch = self._take() if session else []
                if session and batch:
                    self._send_batch(session, batch)
            except Exception:  # noqa: BLE001 - whatever it is: what is published later must be sent
                _log.exception("sending to the log in PostgreSQL failed")
                self._pause()
        self._disconnect()

    def _send_batch(self, session: "_Session", batch: Sequence[_Pending]) -> None:
        places: Sequence[Placed | None] = ()
        cause: Exception | None = None
        deadline = batch[0].deadline - MARGIN * self._timeout
        try:
            places = session.append([p.record for p in batch], deadline=deadline)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread has to go on
            cause = error
        with self._lock:
            batch, self._sent = self._sent, []
            self._deadlines.notify()
        if cause:
            _give_up(batch, f"PostgreSQL did not append it: {reason_of(cause)}", cause)
            self._disconnect()
            return
        for pending, place in zip(batch, places, strict=bool(batch)):
            if place is None:
                _give_up([pending], f"the log has no topic {pending.record.topic}, or is late")
            else:
                pending.future.set_result(place)
        if None in places:
            self._disconnect()

    def _wait_for_work(self) -> bool:
        """Until there is something to send; False when there never will be."""
        with self._lock:
            self._work.wait_for(lambda: self._queue or self._closed)
            return not self._closed

    def _connected(self) -> "_Session | None":
        """None when PostgreSQL is away: what is queued waits, until it is too late."""
        if self._session is not None and self._session.connection.is_usable:
            return self._session
        self._disconnect()
        try:
            session = _Session(self._engine, self._timeout)
        except DRIVER_ERRORS:
            self._pause()
            return None
        with self._lock:
            self._session = session
        return session

    def _pause(self) -> None:
        with self._lock:
            self._work.wait_for(lambda: self._closed, RECONNECT_SECONDS)

    def _disconnect(self) -> None:
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.connection.close()

    def _take(self) -> list[_Pending]:
        """The next batch; what has too little time left is given up."""
        late: list[_Pending] = []
        size = 0
        with self._lock:
            too_late = monotonic() + LATE * self._timeout
            while self._queue and len(self._sent) < MOST_RECORDS and size < MOST_BYTES:
                pending = self._queue.popleft()
                (self._sent if pending.deadline > too_late else late).append(pending)
                size += len(pending.record.value or b"")
            batch = list(self._sent)
        _give_up(late, "there was no time left to append it")
        return batch

    # The thread that gives up

    def _reap(self) -> None:
        while (late := self._next_late()) is not None:
            _give_up(late, "PostgreSQL did not acknowledge it in time")

    def _next_late(self) -> list[_Pending] | None:
        """Wait for what is late, and take it; None when nothing ever will be."""
        with self._lock:
            while self._queue or self._sent or not self._closed:
                late = self._pop_late(monotonic())
                if late:
                    return late
                first = self._sent[0] if self._sent else self._queue[0] if self._queue else None
                self._deadlines.wait(first and max(first.deadline - monotonic(), 0))
            return None

    def _pop_late(self, now: float) -> list[_Pending]:
        late: list[_Pending] = []
        if self._sent and self._sent[0].deadline <= now:
            late, self._sent = self._sent, []
            if self._session is not None:
                with suppress(OSError):  # it may have ended by itself
                    self._session.connection.abort()
        while self._queue and self._queue[0].deadline <= now:
            late.append(self._queue.popleft())
        return late


class _Session:
    """A connection, with what is known while it lasts."""

    def __init__(self, engine: Engine, timeout: float) -> None:
        self.connection = OwnConnection(engine, f"SET statement_timeout = {timeout * 1000:.0f}")
        self._partitioner = Partitioner(self.connection.query)
        ((clock,),) = self.connection.query("SELECT extract(epoch FROM clock_timestamp())", {})
        self._clock_offset = float(clock) - monotonic()
        """PostgreSQL's clock minus ours, or a little less."""

    def append(self, records: Sequence[NewRecord], *, deadline: float) -> list[Placed | None]:
        """Append, unless it is `deadline` by then; None for what was not appended."""
        slots = self._partitioner.slots(records)
        known = [(s, record) for s, record in zip(slots, records, strict=True) if s is not None]
        places = iter(append(self.connection.query, known, deadline=deadline + self._clock_offset))
        return [None if slot is None else next(places) for slot in slots]


def _give_up(pending: Sequence[_Pending], reason: str, cause: Exception | None = None) -> None:
    for _, future, _ in pending:
        unavailable = BusUnavailable(reason)
        unavailable.__cause__ = cause
        future.set_exception(unavailable)
