"""The message bus in memory: for unit tests and simulation, with a real bus's semantics.

Records are durable (in the shared MemoryLog) before `publish` returns. `poll(timeout=0)` never
waits, so that a simulation may run many processes in one thread.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from math import inf
from time import monotonic

from adapters.memory.log import MemoryLog
from domain.errors import BusUnavailable, Misconfigured
from domain.log import PARTITIONS, Bounds, LogPartition, NewRecord, Placed, Record
from domain.ports import Poll


class MemoryBus:
    """One process's connection to a MemoryLog."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._subscriptions: list[MemorySubscription] = []
        self._closed = False

    def publish(self, records: Sequence[NewRecord]) -> Sequence["Future[Placed]"]:
        with self._log.condition:
            return [self._append(record) for record in records]

    def subscribe(self, group: str, topics: Sequence[str]) -> "MemorySubscription":
        with self._log.condition:
            if self._closed:
                raise BusUnavailable("the bus is closed")
            for topic in topics:
                if (found := len(self._log.sources(topic))) != PARTITIONS:
                    raise Misconfigured(f"{topic} has {found} partitions, not {PARTITIONS}")
            subscription = MemorySubscription(self._log, group, topics)
            self._subscriptions.append(subscription)
            return subscription

    def read(self, topic: str) -> Iterator[Record]:
        with self._log.condition:
            parts = [self._log.records(source, 0) for source in self._log.sources(topic)]
        return (record for part in parts for record in part)

    def bounds(self, topic: str) -> Mapping[LogPartition, Bounds]:
        with self._log.condition:
            found = {source: self._log.bounds(source) for source in self._log.sources(topic)}
        return {source: bounds for source, bounds in found.items() if bounds is not None}

    def is_up(self) -> bool:
        return not self._closed

    def close(self) -> None:
        with self._log.condition:
            self._closed = True
            for subscription in self._subscriptions:
                subscription.close()

    def _append(self, record: NewRecord) -> "Future[Placed]":
        future: Future[Placed] = Future()
        if self._closed:
            future.set_exception(BusUnavailable("the bus is closed"))
            return future
        try:
            future.set_result(self._log.append(record))
        except BusUnavailable as unavailable:
            future.set_exception(unavailable)
        return future


class MemorySubscription:
    """One member of a group. What it believes to own may have been given to another."""

    def __init__(self, log: MemoryLog, group: str, topics: Collection[str]) -> None:
        self._log = log
        self._group = group
        self._topics = topics
        self._places: dict[LogPartition, int | None] = {}
        """Next offset of each partition it believes to own; None until it is sought."""
        self._cuts: dict[LogPartition, int] = {}
        """How many losses of its tail each place knows of."""
        self._paused: set[LogPartition] = set()
        self._turn = 0
        self._closed = False
        self.member = log.join(group, topics)
        """Its id in the group, until it has to join again."""

    def poll(self, *, timeout: float, most: int) -> Poll:
        deadline = monotonic() + timeout if timeout > 0 else -inf
        with self._log.condition:
            while True:
                if self._closed:
                    raise BusUnavailable("the subscription is closed")
                assigned, revoked = self._rebalance()
                records = self._take(most)
                left = deadline - monotonic()
                if records or assigned or revoked or left <= 0:
                    return Poll(records, frozenset(assigned), frozenset(revoked))
                self._log.condition.wait(left)

    def seek(self, source: LogPartition, offset: int) -> None:
        with self._log.condition:
            if source in self._places:
                self._places[source] = offset
                self._cuts[source] = len(self._log.cuts(source))

    def pause(self, sources: Collection[LogPartition]) -> None:
        with self._log.condition:
            self._paused |= self._places.keys() & set(sources)

    def resume(self, sources: Collection[LogPartition]) -> None:
        with self._log.condition:
            self._paused -= set(sources)

    def bounds(self, sources: Collection[LogPartition]) -> Mapping[LogPartition, Bounds]:
        with self._log.condition:
            found = {source: self._log.bounds(source) for source in sources}
        return {source: bounds for source, bounds in found.items() if bounds is not None}

    def commit(self, next_offsets: Mapping[LogPartition, int]) -> None:
        with self._log.condition:
            self._log.commit(self._group, next_offsets)

    def close(self) -> None:
        with self._log.condition:
            if not self._closed:
                self._closed = True
                self._log.leave(self._group, self.member)

    def _rebalance(self) -> tuple[set[LogPartition], set[LogPartition]]:
        """What is assigned (again) and what is revoked since the last time."""
        owned = self._log.claim(self._group, self.member)
        if owned is not None:
            revoked = self._places.keys() - owned
        elif self._log.stays_unaware(self.member):
            return self._misplaced(), set()
        else:
            revoked = set(self._places)
            self.member = self._log.join(self._group, self._topics)
            owned = self._log.claim(self._group, self.member) or frozenset()
        for source in revoked:
            del self._places[source]
        self._paused -= revoked
        assigned = set(owned - self._places.keys())
        self._places.update(dict.fromkeys(assigned))
        return assigned | self._misplaced(), revoked

    def _misplaced(self) -> set[LogPartition]:
        """Forget the places that the log doesn't have (any more)."""
        misplaced = set()
        for source, place in self._places.items():
            bounds = self._log.bounds(source)
            if place is None or bounds is None:
                continue
            # Also when the log has grown again since: these are other records.
            cut = any(end < place for end in self._log.cuts(source)[self._cuts[source] :])
            if cut or not bounds.start <= place <= bounds.end:
                self._places[source] = None
                misplaced.add(source)
        return misplaced

    def _take(self, most: int) -> list[Record]:
        """Up to `most` records: each partition gets its part, then whoever has more."""
        ready = sorted(s for s, place in self._places.items() if place is not None)
        ready = [source for source in ready if source not in self._paused]
        if not ready:
            return []
        self._turn = (self._turn + 1) % len(ready)
        ready = ready[self._turn :] + ready[: self._turn]
        records: list[Record] = []
        for share in (max(most // len(ready), 1), most):
            for source in ready:
                place = self._places[source] or 0
                found = self._log.records(source, place, min(share, most - len(records)))
                self._places[source] = place + len(found)
                records += found
        return records
