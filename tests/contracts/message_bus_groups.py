"""How the members of a group share partitions, on every MessageBus."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from uuid import UUID, uuid4

import pytest

from domain.errors import Misconfigured
from domain.log import EVENTS_TAXONOMY, PARTITIONS, TOPICS, NewRecord, Record
from domain.ports import MessageBus
from tests.contracts.message_bus_member import (
    DEADLINE,
    Member,
    OpenBus,
    Recreate,
    attempts,
    joined,
    new_group,
    new_key,
    one_on_each,
    place,
    settle,
)

TAKEOVER_SECONDS = 8.0
"""A member that leaves is replaced before any session or lease could have expired."""


class GroupContract:
    """How the members of a group share partitions."""

    def test_missing_topics_are_refused(self, buses: OpenBus) -> None:
        with pytest.raises(Misconfigured):
            buses().subscribe(new_group(), [EVENTS_TAXONOMY, f"missing.{uuid4()}"])

    def test_another_number_of_partitions_is_refused(
        self, buses: OpenBus, recreate: Recreate
    ) -> None:
        topic = f"single.{uuid4()}"
        recreate(topic, 1)
        with pytest.raises(Misconfigured):
            buses().subscribe(new_group(), [topic])

    def test_a_member_may_read_several_topics(self, buses: OpenBus) -> None:
        bus = buses()
        member = Member(bus.subscribe(new_group(), TOPICS))
        member.poll_until(lambda: len(member.owned) == len(TOPICS) * PARTITIONS)
        member.seek_to_end()
        place(bus, [NewRecord(topic, new_key(), topic.encode()) for topic in TOPICS])
        received = member.gather(len(TOPICS))
        assert {record.source.topic for record in received} == set(TOPICS)
        assert all(record.value == record.source.topic.encode() for record in received)

    def test_each_group_gets_everything(self, buses: OpenBus) -> None:
        members = [joined(buses(), EVENTS_TAXONOMY) for _ in range(2)]
        for member in members:
            member.seek_to_end()
        place(buses(), one_on_each(range(PARTITIONS)))
        first, second = (member.gather(PARTITIONS) for member in members)
        assert sorted(first, key=attrgetter("source")) == sorted(second, key=attrgetter("source"))

    def test_members_share_without_overlap(self, buses: OpenBus) -> None:
        group = new_group()
        first = joined(buses(), EVENTS_TAXONOMY, group=group)
        second = Member(buses().subscribe(group, [EVENTS_TAXONOMY]))
        settle(first, second)
        first.seek_to_end()
        second.seek_to_end()
        placed = place(buses(), [NewRecord(EVENTS_TAXONOMY, new_key(), b"-") for _ in range(60)])
        for _ in attempts():
            first.turn()
            second.turn()
            if len(first.records) + len(second.records) >= len(placed):
                break
        found = [(r.source.partition, r.offset) for r in first.records + second.records]
        assert sorted(found) == sorted((p.partition, p.offset) for p in placed)

    def test_a_leaving_member_is_replaced_at_once(self, buses: OpenBus) -> None:
        group = new_group()
        first, second = (Member(buses().subscribe(group, [EVENTS_TAXONOMY])) for _ in range(2))
        settle(first, second)
        second.subscription.close()
        second.subscription.close()
        first.poll_until(lambda: len(first.owned) == PARTITIONS, within=TAKEOVER_SECONDS)

    def test_closing_the_bus_leaves_the_group(self, buses: OpenBus) -> None:
        group, leaving = new_group(), buses()
        first = Member(buses().subscribe(group, [EVENTS_TAXONOMY]))
        settle(first, Member(leaving.subscribe(group, [EVENTS_TAXONOMY])))
        leaving.close()
        first.poll_until(lambda: len(first.owned) == PARTITIONS, within=TAKEOVER_SECONDS)

    def test_returned_partitions_wait_for_seek(self, buses: OpenBus) -> None:
        bus, group = buses(), new_group()
        first = joined(bus, EVENTS_TAXONOMY, group=group)
        first.seek_to_end()
        place(bus, one_on_each(range(PARTITIONS)))
        first.gather(PARTITIONS)
        second = Member(buses().subscribe(group, [EVENTS_TAXONOMY]))
        settle(first, second)
        lent = min(second.owned)
        second.subscription.close()
        first.poll_until(lambda: len(first.owned) == PARTITIONS)
        other = min(first.owned - {lent})
        ends = first.subscription.bounds([lent, other])
        first.subscription.seek(other, ends[other].end)
        place(bus, one_on_each([lent.partition, other.partition]))
        assert {record.source for record in first.gather(1)} == {other}
        first.subscription.seek(lent, ends[lent].end)
        assert {record.source for record in first.gather(1)} == {lent}

    def test_a_recreated_topic_is_another_log(self, buses: OpenBus, recreate: Recreate) -> None:
        bus, topic = buses(), f"recreated.{uuid4()}"
        recreate(topic)
        reader = joined(buses(), topic)
        old = set(reader.owned)
        reader.seek_to_end()
        place(bus, one_on_each(range(PARTITIONS), topic))
        reader.gather(PARTITIONS)
        recreate(topic)
        reader.poll_until(lambda: len(reader.owned - old) == PARTITIONS == len(reader.owned))
        (log_id,) = {source.log_id for source in reader.owned}
        assert log_id not in {source.log_id for source in old}
        assert not reader.subscription.bounds(old)
        for source in reader.owned:
            reader.subscription.seek(source, 0)
        _publish_until_acknowledged(bus, one_on_each(range(PARTITIONS), topic))
        reader.records.clear()
        reader.poll_until(lambda: len({r.source for r in reader.records}) == PARTITIONS)
        assert _first_offsets(reader.records) == {(log_id, p): 0 for p in range(PARTITIONS)}


def _publish_until_acknowledged(bus: MessageBus, records: Sequence[NewRecord]) -> None:
    """A bus may refuse for a moment, until it has learnt of the new log."""
    for _ in attempts():
        futures = bus.publish(records)
        if not any(future.exception(timeout=DEADLINE) for future in futures):
            return


def _first_offsets(records: Iterable[Record]) -> dict[tuple[UUID, int], int]:
    first: dict[tuple[UUID, int], int] = {}
    for record in records:
        first.setdefault((record.source.log_id, record.source.partition), record.offset)
    return first
