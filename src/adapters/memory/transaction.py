"""One transaction: its view of each table, the rows that it holds, and how it ends."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, NoReturn
from uuid import UUID

from adapters.memory.store import CommitFault, Store
from adapters.memory.tables import Tables, View
from domain.errors import DatabaseUnavailable
from domain.ports import MOST_TOLD, EventLock


class Transaction:
    """READ COMMITTED: reads see what is committed at that moment, beneath what was written here.

    After an error it can only be left, as in PostgreSQL.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.began_at = store.now()
        self.logs = View(store.tables.logs)
        self.positions = View(store.tables.positions)
        self.events = View(store.tables.events)
        self.event_versions = View(store.tables.event_versions)
        self.bets = View(store.tables.bets)
        self.refusals = View(store.tables.refusals)
        self.deletions = View(store.tables.deletions)
        self.dead_letters = View(store.tables.dead_letters)
        self.moves_positions = False
        self.told: set[UUID] = set()
        """Events that changed here, or whose bets did."""
        self._failure: str | None = None

    @contextmanager
    def statement(self) -> Iterator[None]:
        """The tables stand still within; nothing may wait for a lock in here."""
        with self.store.monitor:
            self._check()
            yield

    def hold(self, *row: Hashable, mode: EventLock = EventLock.DELETE) -> None:
        """Lock a row to the end of the transaction, or the key of one that is to be inserted."""
        self._check()
        try:
            self.store.locks.acquire(self, row, mode)
        except DatabaseUnavailable as deadlock:
            self._failure = str(deadlock)
            raise
        self._check()

    def fail(self, why: str) -> NoReturn:
        """Raise DatabaseUnavailable, now and at whatever is asked of the transaction later."""
        self._failure = why
        raise DatabaseUnavailable(why)

    def commit(self) -> None:
        """Make the writes everybody's, all at once, and wake who waits."""
        with self.statement():
            fault, self.store.fault = self.store.fault, None
            if fault is CommitFault.BEFORE:
                self.fail("the connection was lost before the commit")
            for view in self._views():
                view.apply()
            self.store.moves += self.moves_positions
            if self.told:
                many = len(self.told) > MOST_TOLD
                self.store.changed.append(None if many else frozenset(self.told))
            self._end()
            if fault is CommitFault.AFTER:
                self.fail("the connection was lost during the commit")

    def roll_back(self) -> None:
        """Let go of everything; nobody has seen the writes."""
        with self.store.monitor:
            self._end()

    def abort(self, why: str) -> None:
        """End the transaction from outside; whatever is asked of it later fails."""
        self._failure = why
        self.roll_back()

    def _check(self) -> None:
        if self._failure is not None:
            raise DatabaseUnavailable(self._failure)

    def _end(self) -> None:
        self.moves_positions = False
        self.told.clear()
        self.store.locks.release(self)

    def _views(self) -> list[View[Any, Any]]:
        return [getattr(self, each.name) for each in fields(Tables)]
