"""What the message bus suite drives a bus with: its fixtures, a member that keeps books, keys."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from domain.log import (
    EVENTS_TAXONOMY,
    PARTITIONS,
    Bounds,
    LogPartition,
    NewRecord,
    Placed,
    Record,
    partition_of,
)
from domain.ports import MessageBus, Poll, Subscription

DEADLINE = 30.0
"""Seconds until a condition that must come true is given up: generous, for slow brokers."""


OpenBus = Callable[[], MessageBus]
"""The fixture `buses`: opens one more bus on the same log, as another process would; the fixture
closes all of them."""


class Recreate(Protocol):
    """The fixture `recreate`: deletes the topic, if it is there, and creates it anew and empty."""

    def __call__(self, topic: str, partitions: int = PARTITIONS) -> None: ...


@dataclass
class Member:
    """A group member that knows what it owns and what it received."""

    subscription: Subscription
    owned: set[LogPartition] = field(default_factory=set)
    records: list[Record] = field(default_factory=list)

    def turn(self, *, timeout: float = 0.1, most: int = 500) -> Poll:
        """Poll once and write down what came."""
        poll = self.subscription.poll(timeout=timeout, most=most)
        assert len(poll.records) <= most
        self.owned -= poll.revoked
        self.owned |= poll.assigned
        assert {record.source for record in poll.records} <= self.owned
        self.records += poll.records
        return poll

    def poll_until(self, condition: Callable[[], bool], *, within: float = DEADLINE) -> None:
        """Poll until the condition holds."""
        for _ in attempts(within):
            if condition():
                return
            self.turn()

    def gather(self, count: int) -> list[Record]:
        """The next `count` records, and whatever the same poll brought beyond them."""
        self.records.clear()
        self.poll_until(lambda: len(self.records) >= count)
        return list(self.records)

    def seek_to_end(self) -> dict[LogPartition, Bounds]:
        """Begin all owned partitions at their ends; return where these are."""
        bounds = dict(self.subscription.bounds(self.owned))
        assert bounds.keys() == self.owned
        for source, (_, end) in bounds.items():
            self.subscription.seek(source, end)
        return bounds

    def partition(self, number: int) -> LogPartition:
        """The owned partition with this number, of a member with one topic."""
        return next(source for source in self.owned if source.partition == number)


def joined(bus: MessageBus, topic: str, *, group: str | None = None) -> Member:
    """The only member of a (new) group, once it owns all of the topic's partitions."""
    member = Member(bus.subscribe(group or new_group(), [topic]))
    member.poll_until(lambda: len(member.owned) == PARTITIONS)
    return member


def settle(*members: Member) -> None:
    """Let the members poll until they share all partitions, each has one, and none moves."""
    quiet = 0
    for _ in attempts():
        moved = [bool(poll.assigned or poll.revoked) for poll in (m.turn() for m in members)]
        shares = [member.owned for member in members]
        settled = all(shares) and sum(map(len, shares)) == PARTITIONS == len(set.union(*shares))
        quiet = quiet + 1 if settled and not any(moved) else 0
        if quiet == 5:
            return


def attempts(within: float = DEADLINE) -> Iterator[None]:
    """Go on until the deadline, then fail."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        yield
    raise AssertionError(f"did not happen within {within} s")


def place(bus: MessageBus, records: Sequence[NewRecord]) -> list[Placed]:
    """Publish and wait for every acknowledgement."""
    return [future.result(timeout=DEADLINE) for future in bus.publish(records)]


def comes_up(bus: MessageBus) -> None:
    """Wait until it says that it is up: its answer may come too late once."""
    for _ in attempts():
        if bus.is_up():
            return


def new_group() -> str:
    """A group that nobody else uses."""
    return f"contract-{uuid4()}"


def new_key(partition: int | None = None) -> bytes:
    """A key that nobody else uses, on this partition if one is given."""
    while True:
        key = str(uuid4()).encode()
        if partition in (None, partition_of(key, PARTITIONS)):
            return key


def one_on_each(partitions: Iterable[int], topic: str = EVENTS_TAXONOMY) -> list[NewRecord]:
    """One small record for each of these partitions."""
    return [NewRecord(topic, new_key(partition), b"-") for partition in partitions]


def by_place(records: Iterable[Record]) -> dict[tuple[int, int], Record]:
    """Records of one log, by partition and offset."""
    return {(record.source.partition, record.offset): record for record in records}
