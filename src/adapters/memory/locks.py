"""Row locks, held to the end of a transaction, with the modes and deadlocks of PostgreSQL."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from threading import Condition
from types import MappingProxyType
from typing import NamedTuple

from domain.errors import DatabaseUnavailable
from domain.ports import EventLock

Wait = Callable[[Callable[[], bool]], None]
"""Return once the given predicate holds. Called without any lock of this module."""

CONFLICTS: Mapping[EventLock, frozenset[EventLock]] = MappingProxyType(
    {
        EventLock.REFERENCE: frozenset({EventLock.DELETE}),
        EventLock.CHANGE: frozenset({EventLock.CHANGE, EventLock.DELETE}),
        EventLock.DELETE: frozenset(EventLock),
    }
)
"""Each mode, and those in which nobody else may hold the row."""

_STRENGTH = tuple(EventLock)


class Claim(NamedTuple):
    """A row, and how it is to be held."""

    row: Hashable
    mode: EventLock


class Locks:
    """Who holds which rows, and who waits. The monitor guards it, and the tables too."""

    def __init__(self, monitor: Condition, wait: Wait | None) -> None:
        self._monitor = monitor
        self._wait = wait or self._wait_for_change
        self._holders: dict[Hashable, dict[object, EventLock]] = {}
        self._held: dict[object, set[Hashable]] = {}
        self._waiting: dict[object, Claim] = {}

    @property
    def waiting(self) -> int:
        """How many transactions wait for a lock right now."""
        with self._monitor:
            return len(self._waiting)

    def acquire(self, owner: object, row: Hashable, mode: EventLock) -> None:
        """Hold the row; wait for whoever is in the way, or raise DatabaseUnavailable when they
        wait for this owner."""
        claim = Claim(row, mode)
        while not self._try(owner, claim):
            try:
                self._wait(lambda: self._is_free(owner, claim))
            finally:
                with self._monitor:
                    self._waiting.pop(owner, None)

    def release(self, owner: object) -> None:
        """Let go of everything that the owner holds."""
        with self._monitor:
            for row in self._held.pop(owner, ()):
                holders = self._holders[row]
                del holders[owner]
                if not holders:
                    del self._holders[row]
            self._monitor.notify_all()

    def _try(self, owner: object, claim: Claim) -> bool:
        with self._monitor:
            if any(True for _ in self._blockers(owner, claim)):
                self._refuse_deadlock(owner, claim)
                self._waiting[owner] = claim
                # Seen by those who wait to see this one wait.
                self._monitor.notify_all()
                return False
            holders = self._holders.setdefault(claim.row, {})
            mine = holders.get(owner, claim.mode)
            holders[owner] = max(mine, claim.mode, key=_STRENGTH.index)
            self._held.setdefault(owner, set()).add(claim.row)
            return True

    def _blockers(self, owner: object, claim: Claim) -> Iterator[object]:
        for holder, mode in self._holders.get(claim.row, {}).items():
            if holder is not owner and mode in CONFLICTS[claim.mode]:
                yield holder

    def _refuse_deadlock(self, owner: object, claim: Claim) -> None:
        """Raise when the owner would wait, directly or through others, for itself."""
        seen: set[object] = set()
        queue = list(self._blockers(owner, claim))
        while queue:
            blocker = queue.pop()
            if blocker is owner:
                raise DatabaseUnavailable("deadlock: the transaction has to be tried again")
            if blocker not in seen and blocker in self._waiting:
                seen.add(blocker)
                queue += self._blockers(blocker, self._waiting[blocker])

    def _is_free(self, owner: object, claim: Claim) -> bool:
        with self._monitor:
            return not any(True for _ in self._blockers(owner, claim))

    def _wait_for_change(self, predicate: Callable[[], bool]) -> None:
        with self._monitor:
            self._monitor.wait_for(predicate)
