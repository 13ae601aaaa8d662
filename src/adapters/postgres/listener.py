"""Hearing what other transactions tell, by LISTEN on a connection of its own."""

import select
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

import psycopg2
from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError

from adapters.postgres.changes import CHANGES, events_told
from adapters.postgres.positions import POSITIONS_MOVED, notice
from domain.log import EVENTS_TAXONOMY
from domain.records import ConsumerName

RECONNECT_SECONDS = 0.5
"""Between two attempts to connect."""


class Heard(NamedTuple):
    """What came in a moment of listening."""

    payloads: Sequence[str] = ()
    woken: bool = False
    missed: bool = False
    """Whether there is a new connection, so that something may have been said meanwhile."""


class PostgresListener:
    """Hears of positions that move. A new connection counts as news, for what was missed."""

    def __init__(self, engine: Engine, to: Iterable[ConsumerName]) -> None:
        # Who doesn't say who moved is of an earlier release.
        self._wanted = {"", *(notice(consumer, EVENTS_TAXONOMY) for consumer in to)}
        self._ear = _Ear(engine, POSITIONS_MOVED)
        self.wake = self._ear.wake
        self.close = self._ear.close

    def wait(self, timeout: float) -> bool:
        deadline = monotonic() + timeout
        while True:
            heard = self._ear.listen(deadline)
            if heard.woken or heard.missed or not self._wanted.isdisjoint(heard.payloads):
                return True
            if monotonic() >= deadline:
                return False


class PostgresWatcher:
    """Hears of events that change. After a new connection any may have."""

    def __init__(self, engine: Engine) -> None:
        self._ear = _Ear(engine, CHANGES)
        self.wake = self._ear.wake
        self.close = self._ear.close

    def wait(self, timeout: float) -> frozenset[UUID] | None:
        deadline = monotonic() + timeout
        while True:
            heard = self._ear.listen(deadline)
            if heard.missed:
                return None
            if heard.woken or heard.payloads or monotonic() >= deadline:
                return events_told(heard.payloads)


class _Ear:
    """Listens to one channel, and connects again by itself. While PostgreSQL is away a wait lasts
    its timeout (and up to one attempt to connect)."""

    def __init__(self, engine: Engine, channel: str) -> None:
        self._engine = engine
        self._channel = channel
        self._connection: PoolProxiedConnection | None = None
        self._connect_at = float("-inf")
        self._ear, self._bell = socket.socketpair()
        self._bell_lock = Lock()
        for each in (self._ear, self._bell):
            each.setblocking(False)
        self._connect()

    def listen(self, deadline: float) -> Heard:
        """What came first, or nothing at the deadline or when it is time for something else."""
        if self._connection is None and monotonic() >= self._connect_at and self._connect():
            return Heard(missed=True)
        return self._sleep(deadline)

    def wake(self) -> None:
        """Let the current or the next `listen` return at once; callable from any thread."""
        with self._bell_lock:
            if self._bell.fileno() >= 0:
                # A full bell has been rung already.
                with suppress(BlockingIOError):
                    self._bell.send(b"!")

    def close(self) -> None:
        self._disconnect()
        with self._bell_lock:
            self._bell.close()
            self._ear.close()

    def _connect(self) -> bool:
        self._connect_at = monotonic() + RECONNECT_SECONDS
        try:
            self._connection = self._engine.raw_connection()
            self._connection.cursor().execute(f"LISTEN {self._channel}")
        except (SQLAlchemyError, psycopg2.Error):
            self._disconnect()
            return False
        return True

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _sleep(self, deadline: float) -> Heard:
        until = deadline if self._connection is not None else min(deadline, self._connect_at)
        readiness = select.poll()  # needs no descriptor of its own: one may not be to be had
        readiness.register(self._ear, select.POLLIN)
        if self._connection is not None:
            readiness.register(self._driver(), select.POLLIN)
        ready = readiness.poll(max(until - monotonic(), 0) * 1000)
        woken = any(each == self._ear.fileno() for each, _ in ready) and self._hear()
        return Heard(self._collect() if len(ready) > woken else (), woken)

    def _hear(self) -> bool:
        with suppress(BlockingIOError):
            while self._ear.recv(4096):
                continue
        return True

    def _collect(self) -> list[str]:
        """What was said. A connection that ended only tells that something may have been, once
        there is a new one."""
        driver = self._driver()
        said: list[str] = []
        readiness = select.poll()
        readiness.register(driver, select.POLLIN)
        # All that has come, not one buffer full: who took a while may have much to hear.
        while readiness.poll(0):
            try:
                driver.poll()
            except psycopg2.Error:
                self._disconnect()
                return []
            said += [each.payload for each in driver.notifies]
            driver.notifies.clear()
        return said

    def _driver(self) -> Any:
        return self._connection.driver_connection if self._connection is not None else None
