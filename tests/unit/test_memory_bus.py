"""The message bus in memory: the contract, and what tests and simulations may do to its log."""

from collections.abc import Iterator
from random import Random
from types import NoneType
from typing import TypedDict
from uuid import UUID

import pytest

from adapters.memory.bus import MemoryBus
from adapters.memory.log import Delivery, MemoryLog
from domain.errors import BusUnavailable, Misconfigured
from domain.log import EVENTS_TAXONOMY, TOPICS, Bounds, NewRecord
from domain.ports import Poll
from tests.contracts.message_bus import MessageBusContract, OpenBus, Recreate
from tests.contracts.message_bus_member import Member, joined, new_key, place, settle


class _PollOptions(TypedDict):
    timeout: float
    most: int


NOW: _PollOptions = {"timeout": 0, "most": 100}


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


class TestMemoryBus(MessageBusContract):
    @pytest.fixture
    def buses(self, log: MemoryLog) -> Iterator[OpenBus]:
        opened: list[MemoryBus] = []

        def open_bus() -> MemoryBus:
            opened.append(MemoryBus(log))
            return opened[-1]

        yield open_bus
        for bus in opened:
            bus.close()

    @pytest.fixture
    def recreate(self, log: MemoryLog) -> Recreate:
        return log.recreate


@pytest.fixture
def bus(log: MemoryLog) -> MemoryBus:
    return MemoryBus(log)


@pytest.fixture
def member(bus: MemoryBus) -> Member:
    """The only member of the group `readers`, which has read 10 records on partition 0."""
    member = joined(bus, EVENTS_TAXONOMY, group="readers")
    member.seek_to_end()
    place(bus, [NewRecord(EVENTS_TAXONOMY, new_key(0), b"%d" % n) for n in range(10)])
    member.gather(10)
    return member


def test_a_seeded_log_hands_out_the_same_ids_again() -> None:
    def ids() -> list[UUID]:
        source = Random(7)
        log = MemoryLog(new_id=lambda: UUID(int=source.getrandbits(128), version=4))
        subscription = MemoryBus(log).subscribe("readers", TOPICS)
        return [*log.members("readers"), *(s.log_id for s in subscription.poll(**NOW).assigned)]

    assert sorted(ids()) == sorted(ids())
    assert len(set(ids())) == 1 + len(TOPICS)


def test_poll_without_timeout_never_waits(member: Member) -> None:
    assert member.subscription.poll(**NOW) == Poll([], frozenset(), frozenset())


def test_a_lost_tail_is_reported(log: MemoryLog, member: Member) -> None:
    lost = member.partition(0)
    log.truncate(EVENTS_TAXONOMY, 0, end=10)
    assert not member.turn(timeout=0).assigned
    log.truncate(EVENTS_TAXONOMY, 0, end=4)
    assert member.turn(timeout=0).assigned == {lost}
    assert member.subscription.bounds([lost]) == {lost: Bounds(0, 4)}
    member.subscription.seek(lost, 3)
    assert [record.value for record in member.gather(1)] == [b"3"]


def test_a_lost_head_is_reported(log: MemoryLog, member: Member) -> None:
    dropped = member.partition(0)
    log.drop_head(EVENTS_TAXONOMY, 0, start=6)
    assert not member.turn(timeout=0).assigned
    member.subscription.seek(dropped, 5)
    assert member.turn(timeout=0).assigned == {dropped}
    assert member.subscription.bounds([dropped]) == {dropped: Bounds(6, 10)}
    member.subscription.seek(dropped, 6)
    assert [record.offset for record in member.gather(4)] == [6, 7, 8, 9]
    log.truncate(EVENTS_TAXONOMY, 0, end=3)
    assert member.subscription.bounds([dropped]) == {dropped: Bounds(6, 6)}


def test_a_zombie_goes_on_until_it_notices(log: MemoryLog, bus: MemoryBus, member: Member) -> None:
    (expired,) = log.members("readers")
    log.expire(expired, unaware_polls=2)
    other = joined(MemoryBus(log), EVENTS_TAXONOMY, group="readers")
    other.seek_to_end()
    (placed,) = place(bus, [NewRecord(EVENTS_TAXONOMY, new_key(0), b"both")])
    for reader in (member, other):
        poll = reader.turn(timeout=0)
        assert [record.offset for record in poll.records] == [placed.offset]
        assert not poll.revoked
    assert not member.turn(timeout=0).revoked
    before = set(member.owned)
    poll = member.turn(timeout=0)
    assert poll.revoked == before
    assert not poll.assigned
    settle(member, other)
    assert expired not in log.members("readers")


def test_a_member_that_expired_unseen_has_to_seek_again(log: MemoryLog, member: Member) -> None:
    before = set(member.owned)
    log.expire(log.members("readers")[0])
    poll = member.turn(timeout=0)
    assert poll.revoked == poll.assigned == before


def test_publishing_fails_as_it_is_told_to(log: MemoryLog, bus: MemoryBus) -> None:
    deliveries = list(Delivery)
    log.deliver = lambda record: Delivery((record.value or b"").decode())
    records = [NewRecord(EVENTS_TAXONOMY, b"key", delivery.encode()) for delivery in deliveries]
    failures = [type(future.exception()) for future in bus.publish(records)]
    assert failures == [NoneType, BusUnavailable, BusUnavailable]
    appended = [record.value for record in bus.read(EVENTS_TAXONOMY)]
    assert appended == [b"acknowledged", b"unacknowledged"]


def test_the_last_commit_is_known(log: MemoryLog, member: Member) -> None:
    source = member.partition(0)
    assert log.committed("readers") == log.committed("nobody") == {}
    member.subscription.commit({source: 7})
    member.subscription.commit({source: 9})
    assert log.committed("readers") == {source: 9}
    assert log.members("nobody") == ()


def test_records_without_key_go_round(bus: MemoryBus) -> None:
    placed = place(bus, [NewRecord(EVENTS_TAXONOMY, None, b"-")] * 6)
    assert sorted(p.partition for p in placed) == [0, 0, 1, 1, 2, 2]


def test_nothing_works_after_close(bus: MemoryBus, member: Member) -> None:
    bus.close()
    with pytest.raises(BusUnavailable):
        member.subscription.poll(**NOW)
    with pytest.raises(BusUnavailable):
        bus.subscribe("readers", TOPICS)


def test_a_missing_topic_can_not_be_read(bus: MemoryBus) -> None:
    with pytest.raises(Misconfigured):
        bus.read("missing")
