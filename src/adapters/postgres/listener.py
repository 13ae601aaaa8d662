"""Waking who waits for positions, by LISTEN on a connection of its own."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from threading import Lock
from time import monotonic
from typing import Any

import psycopg2
from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError

from adapters.postgres.positions import POSITIONS_MOVED, notice
from domain.log import EVENTS_TAXONOMY
from domain.records import ConsumerName

RECONNECT_SECONDS = 0.5
"""Between two attempts to connect."""


class PostgresListener:
    """Connects again by itself. While PostgreSQL is away a wait lasts its timeout (and up to one
    attempt to connect); a new connection counts as news, for what was missed."""

    def __init__(self, engine: Engine, to: Iterable[ConsumerName]) -> None:
        self._engine = engine
        # Who doesn't say who moved is of an earlier release.
        self._wanted = {"", *(notice(consumer, EVENTS_TAXONOMY) for consumer in to)}
        self._connection: PoolProxiedConnection | None = None
        self._connect_at = float("-inf")
        self._ear, self._bell = socket.socketpair()
        self._bell_lock = Lock()
        for each in (self._ear, self._bell):
            each.setblocking(False)
        self._connect()

    def wait(self, timeout: float) -> bool:
        deadline = monotonic() + timeout
        while True:
            if self._connection is None and monotonic() >= self._connect_at and self._connect():
                return True
            if self._sleep(deadline):
                return True
            if monotonic() >= deadline:
                return False

    def wake(self) -> None:
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
            self._connection.cursor().execute(f"LISTEN {POSITIONS_MOVED}")
        except (SQLAlchemyError, psycopg2.Error):
            self._disconnect()
            return False
        return True

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _sleep(self, deadline: float) -> bool:
        """Until something happens, or it is time for something else; tell whether there is news."""
        until = deadline if self._connection is not None else min(deadline, self._connect_at)
        with DefaultSelector() as selector:
            selector.register(self._ear, EVENT_READ)
            if self._connection is not None:
                selector.register(self._driver(), EVENT_READ)
            ready = selector.select(max(until - monotonic(), 0))
        woken = any(key.fileobj is self._ear for key, _ in ready) and self._hear()
        return (len(ready) > woken and self._collect()) or woken

    def _hear(self) -> bool:
        with suppress(BlockingIOError):
            while self._ear.recv(4096):
                continue
        return True

    def _collect(self) -> bool:
        """Whether positions moved; a connection that ended only tells that something may have, once
        there is a new one."""
        driver = self._driver()
        moved = False
        with DefaultSelector() as selector:
            selector.register(driver, EVENT_READ)
            # All that has come, not one buffer full: who took a while may have much to hear.
            while selector.select(0):
                try:
                    driver.poll()
                except psycopg2.Error:
                    self._disconnect()
                    return False
                moved |= any(each.payload in self._wanted for each in driver.notifies)
                driver.notifies.clear()
        return moved

    def _driver(self) -> Any:
        return self._connection.driver_connection if self._connection is not None else None
