"""The database in memory: real transactions, locks and listeners, for tests and simulation.

Nothing outlives the process; a snapshot is what a backup is elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NewType
from uuid import UUID

from adapters.memory.audit import MemoryAudit
from adapters.memory.bets import MemoryBets
from adapters.memory.bookkeeping import (
    MemoryChanges,
    MemoryDeadLetters,
    MemoryDeletions,
    MemoryLogs,
    MemoryPositions,
    MemoryRefusals,
)
from adapters.memory.events import MemoryEvents, MemoryEventVersions
from adapters.memory.locks import Wait
from adapters.memory.store import CommitFault, Store
from adapters.memory.tables import Tables
from adapters.memory.transaction import Transaction
from domain.ports import (
    Audit,
    Bets,
    Changes,
    DeadLetters,
    Deletions,
    Events,
    EventVersions,
    Logs,
    Positions,
    Refusals,
    UnitOfWork,
)
from domain.records import ConsumerName

Snapshot = NewType("Snapshot", Tables)
"""What was committed at one moment."""


class MemoryDatabase:
    """A Database. Thread-safe. `now` is the database's clock.

    `wait` is called, without any lock held, by a transaction that has to wait for another one; it
    returns once the predicate that it is given holds. A simulation runs its other tasks in it.
    """

    def __init__(
        self, *, now: Callable[[], datetime] | None = None, wait: Wait | None = None
    ) -> None:
        self._store = Store(now=now or _utc_now, wait=wait)
        self._open: set[Transaction] = set()

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        transaction = Transaction(self._store)
        with self._store.monitor:
            self._open.add(transaction)
        try:
            yield _UnitOfWork(transaction)
        finally:
            with self._store.monitor:
                self._open.discard(transaction)
                transaction.roll_back()

    def check(self) -> None:
        """Its tables are always right; but it may not answer."""
        with self.transaction() as uow:
            uow.logs.generations()

    def listen(self, to: Iterable[ConsumerName] = ConsumerName) -> "MemoryListener":
        return MemoryListener(self._store)

    def watch(self) -> "MemoryWatcher":
        return MemoryWatcher(self._store)

    def close(self) -> None:
        """Nothing is held."""

    @property
    def waiting(self) -> int:
        """How many transactions wait for a lock right now."""
        return self._store.locks.waiting

    def snapshot(self) -> Snapshot:
        """What is committed now: a backup."""
        with self._store.monitor:
            return Snapshot(self._store.tables.copy())

    def disconnect(self, why: str = "the connection was terminated") -> None:
        """Cut all connections: open transactions are rolled back, and fail."""
        with self._store.monitor:
            for transaction in self._open:
                transaction.abort(why)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a backup. Open transactions fail, and listeners wake."""
        with self._store.monitor:
            self.disconnect("the database was restored from a backup")
            self._store.tables.replace_by(snapshot)
            self._store.moves += 1
            self._store.changed.append(None)
            self._store.monitor.notify_all()

    def fail_next_commit(self, fault: CommitFault) -> None:
        """Let the next commit raise DatabaseUnavailable."""
        with self._store.monitor:
            self._store.fault = fault


class MemoryListener:
    """Counts the commits that moved positions, so that none is lost between two calls."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = store.moves
        self._woken = False

    def wait(self, timeout: float) -> bool:
        with self._store.monitor:
            news = self._store.monitor.wait_for(self._has_news, timeout)
            self._seen, self._woken = self._store.moves, False
            return news

    def wake(self) -> None:
        with self._store.monitor:
            self._woken = True
            self._store.monitor.notify_all()

    def close(self) -> None:
        """Nothing is held."""

    def _has_news(self) -> bool:
        return self._woken or self._store.moves != self._seen


class MemoryWatcher:
    """Reads what all commits told of, from where it began to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = len(store.changed)
        self._woken = False

    def wait(self, timeout: float) -> frozenset[UUID] | None:
        with self._store.monitor:
            self._store.monitor.wait_for(self._has_news, timeout)
            heard = self._store.changed[self._seen :]
            self._seen, self._woken = len(self._store.changed), False
        changed: set[UUID] = set()
        for each in heard:
            if each is None:
                return None
            changed |= each
        return frozenset(changed)

    def wake(self) -> None:
        with self._store.monitor:
            self._woken = True
            self._store.monitor.notify_all()

    def close(self) -> None:
        """Nothing is held."""

    def _has_news(self) -> bool:
        return self._woken or len(self._store.changed) != self._seen


class _UnitOfWork:
    """The repositories of one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.logs: Logs = MemoryLogs(transaction)
        self.positions: Positions = MemoryPositions(transaction)
        self.events: Events = MemoryEvents(transaction)
        self.event_versions: EventVersions = MemoryEventVersions(transaction)
        self.bets: Bets = MemoryBets(transaction)
        self.refusals: Refusals = MemoryRefusals(transaction)
        self.deletions: Deletions = MemoryDeletions(transaction)
        self.dead_letters: DeadLetters = MemoryDeadLetters(transaction)
        self.audit: Audit = MemoryAudit(transaction)
        self.changes: Changes = MemoryChanges(transaction)

    def commit(self, *, lazily: bool = False) -> None:
        self._transaction.commit()


def _utc_now() -> datetime:
    return datetime.now(UTC)
