"""A partitioned log in memory, with its consumer groups: what MemoryBus objects share, as processes
share a broker. Everything happens inside the caller's call, under one lock; nothing runs beside it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Condition
from uuid import UUID, uuid4

from domain.errors import BusUnavailable, Misconfigured
from domain.log import (
    PARTITIONS,
    TOPICS,
    Bounds,
    LogPartition,
    NewRecord,
    Placed,
    Record,
    fair_shares,
    partition_of,
)


class Delivery(StrEnum):
    """What becomes of a published record."""

    ACKNOWLEDGED = "acknowledged"
    LOST = "lost"
    """BusUnavailable, and nothing was appended."""
    UNACKNOWLEDGED = "unacknowledged"
    """BusUnavailable, although it was appended."""


@dataclass(slots=True)
class _Partition:
    """The records from offset `start` on."""

    source: LogPartition
    start: int = 0
    records: list[Record] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    """Where its tail was lost, each time."""

    @property
    def end(self) -> int:
        return self.start + len(self.records)

    def append(self, record: NewRecord) -> int:
        self.records.append(Record(self.source, self.end, record.key, record.value, record.headers))
        return self.end - 1


@dataclass(slots=True)
class _Group:
    """Who is in it, who holds what, and how far it says it has come."""

    members: dict[UUID, frozenset[str]] = field(default_factory=dict)
    """Topics of each member."""
    owners: dict[LogPartition, UUID] = field(default_factory=dict)
    committed: dict[LogPartition, int] = field(default_factory=dict)

    def held_by(self, member: UUID, topic: str) -> list[LogPartition]:
        return sorted(s for s, m in self.owners.items() if m == member and s.topic == topic)


class MemoryLog:
    """Topics, their records, and the groups that read them. Thread-safe."""

    def __init__(
        self,
        topics: Collection[str] = TOPICS,
        *,
        partitions: int = PARTITIONS,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        self.condition = Condition()
        """Held by whoever looks or changes; notified at every change."""
        self.new_id = new_id
        self.deliver: Callable[[NewRecord], Delivery] = lambda _: Delivery.ACKNOWLEDGED
        """Asked once for each published record: replace it to make publishing fail."""
        self._topics: dict[str, list[_Partition]] = {}
        self._groups: dict[str, _Group] = {}
        self._unaware: dict[UUID, int] = {}
        self._keyless = 0
        for topic in topics:
            self.recreate(topic, partitions)

    # What tests and simulations do to it

    def recreate(self, topic: str, partitions: int = PARTITIONS) -> None:
        """Delete the topic, if it is there, and create it empty, as another log."""
        with self.condition:
            log_id = self.new_id()
            self._topics[topic] = [
                _Partition(LogPartition(topic, number, log_id)) for number in range(partitions)
            ]
            for group in self._groups.values():
                for source in [s for s in group.owners if s.topic == topic]:
                    del group.owners[source]
            self.condition.notify_all()

    def truncate(self, topic: str, partition: int, *, end: int) -> None:
        """Lose what lies at offset `end` and after it, as a broker does that lost its disk."""
        with self.condition:
            found = self._topics[topic][partition]
            del found.records[max(end - found.start, 0) :]
            found.cuts.append(end)

    def drop_head(self, topic: str, partition: int, *, start: int) -> None:
        """Lose what lies before offset `start`, as retention does."""
        with self.condition:
            found = self._topics[topic][partition]
            kept = min(max(start, found.start), found.end)
            del found.records[: kept - found.start]
            found.start = kept

    def expire(self, member: UUID, *, unaware_polls: int = 0) -> None:
        """Let the group give the member's partitions to others. The member itself believes that it
        owns them, and is delivered records, for so many polls more; then it joins again."""
        with self.condition:
            self._unaware[member] = unaware_polls
            for group in self._groups.values():
                self._remove(group, member)

    def members(self, group: str) -> Sequence[UUID]:
        """In the order in which they joined."""
        with self.condition:
            return tuple(self._groups[group].members) if group in self._groups else ()

    def committed(self, group: str) -> Mapping[LogPartition, int]:
        """What the group said last of its progress."""
        with self.condition:
            return dict(self._groups[group].committed) if group in self._groups else {}

    # What a bus does with it, holding the condition

    def append(self, record: NewRecord) -> Placed:
        """Append, or raise BusUnavailable."""
        delivery = self.deliver(record)
        partitions = self._topics.get(record.topic)
        if partitions is None or delivery is Delivery.LOST:
            raise BusUnavailable(f"{record.topic} took no record")
        if record.key is None:
            self._keyless += 1
            number = self._keyless % len(partitions)
        else:
            number = partition_of(record.key, len(partitions))
        offset = partitions[number].append(record)
        self.condition.notify_all()
        if delivery is Delivery.UNACKNOWLEDGED:
            raise BusUnavailable(f"{record.topic} took a record without acknowledging it")
        return Placed(record.topic, number, offset)

    def sources(self, topic: str) -> list[LogPartition]:
        """The topic's partitions, or Misconfigured when there is no such topic."""
        if topic not in self._topics:
            raise Misconfigured(f"there is no topic {topic}")
        return [partition.source for partition in self._topics[topic]]

    def bounds(self, source: LogPartition) -> Bounds | None:
        """None when this log is no longer there."""
        found = self._find(source)
        return None if found is None else Bounds(found.start, found.end)

    def cuts(self, source: LogPartition) -> Sequence[int]:
        """Where its tail was lost, each time."""
        found = self._find(source)
        return () if found is None else found.cuts

    def records(self, source: LogPartition, offset: int, most: int | None = None) -> list[Record]:
        """What lies there from `offset` on."""
        found = self._find(source)
        if found is None:
            return []
        first = max(offset - found.start, 0)
        return found.records[first : None if most is None else first + most]

    def join(self, group: str, topics: Collection[str]) -> UUID:
        """Become a new member; return its id."""
        member = self.new_id()
        self._groups.setdefault(group, _Group()).members[member] = frozenset(topics)
        self.condition.notify_all()
        return member

    def leave(self, group: str, member: UUID) -> None:
        self._unaware.pop(member, None)
        self._remove(self._groups[group], member)

    def claim(self, group: str, member: UUID) -> frozenset[LogPartition] | None:
        """Give up the member's surplus and take its share of what is free; return what is its own
        now. None when the group has expired it."""
        found = self._groups[group]
        if member not in found.members:
            return None
        before = dict(found.owners)
        for topic in found.members[member]:
            self._claim_topic(found, member, topic)
        if found.owners != before:
            self.condition.notify_all()
        return frozenset(source for source, owner in found.owners.items() if owner == member)

    def stays_unaware(self, member: UUID) -> bool:
        """Whether an expired member doesn't notice it yet; counts one poll."""
        left = self._unaware.pop(member, 0)
        if left > 0:
            self._unaware[member] = left - 1
        return left > 0

    def commit(self, group: str, next_offsets: Mapping[LogPartition, int]) -> None:
        self._groups[group].committed.update(next_offsets)

    def _claim_topic(self, group: _Group, member: UUID, topic: str) -> None:
        sources = self.sources(topic)
        holdings = {
            other: len(group.held_by(other, topic))
            for other, topics in group.members.items()
            if topic in topics
        }
        share = fair_shares(holdings, len(sources))[member]
        for source in group.held_by(member, topic)[share:]:
            del group.owners[source]
        free = [source for source in sources if source not in group.owners]
        for source in free[: max(share - holdings[member], 0)]:
            group.owners[source] = member

    def _remove(self, group: _Group, member: UUID) -> None:
        if group.members.pop(member, None) is not None:
            group.owners = {s: owner for s, owner in group.owners.items() if owner != member}
            self.condition.notify_all()

    def _find(self, source: LogPartition) -> _Partition | None:
        partitions = self._topics.get(source.topic, [])
        if source.partition < len(partitions) and partitions[source.partition].source == source:
            return partitions[source.partition]
        return None
