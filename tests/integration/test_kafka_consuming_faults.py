"""Consuming while the broker is killed, frozen or emptied, and while its topics change: a member
goes on by itself, or says what happened."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from kafka import KafkaAdminClient, TopicPartition

from adapters.kafka.topics import create_topics
from domain.errors import BusUnavailable
from domain.log import BETS_STATE, EVENTS_TAXONOMY, PARTITIONS, TOPICS, LogPartition
from tests.contracts.message_bus_member import (
    Member,
    OpenBus,
    Recreate,
    attempts,
    joined,
    new_group,
    place,
    settle,
)
from tests.kafka.broker import KafkaBroker
from tests.kafka.faults import ANSWER_SECONDS, acknowledged, on_each, values
from tests.standstill import in_time


def test_a_killed_broker(kafka: KafkaBroker, kafka_buses: OpenBus) -> None:
    reader = joined(kafka_buses(), EVENTS_TAXONOMY)
    reader.seek_to_end()
    kafka.kill()
    for _ in range(10):
        assert not reader.turn().records
    with pytest.raises(BusUnavailable):
        reader.subscription.bounds(reader.owned)
    reader.subscription.commit(dict.fromkeys(reader.owned, 0))
    kafka.start()
    acknowledged(kafka_buses(), on_each(b"after the kill"))
    read_on(reader, b"after the kill")


def test_a_frozen_broker(kafka: KafkaBroker, kafka_buses: OpenBus) -> None:
    reader = joined(kafka_buses(), EVENTS_TAXONOMY)
    reader.seek_to_end()
    kafka.suspend()
    worked = time.process_time()
    began = time.monotonic()
    while time.monotonic() - began < 2.0:
        assert not reader.turn().records
    assert time.process_time() - worked < 0.5
    with in_time(ANSWER_SECONDS), pytest.raises(BusUnavailable):
        reader.subscription.bounds(reader.owned)
    kafka.resume()
    acknowledged(kafka_buses(), on_each(b"after the frost"))
    read_on(reader, b"after the frost")


@pytest.mark.parametrize("fault", [KafkaBroker.kill, KafkaBroker.suspend])
def test_close_waits_for_no_broker(
    kafka: KafkaBroker, kafka_buses: OpenBus, fault: Callable[[KafkaBroker], None]
) -> None:
    bus = kafka_buses()
    joined(bus, EVENTS_TAXONOMY).seek_to_end()
    fault(kafka)
    with in_time(ANSWER_SECONDS):
        bus.close()


def test_without_a_broker_there_is_no_subscription(
    kafka: KafkaBroker, kafka_buses: OpenBus
) -> None:
    kafka.stop()
    bus = kafka_buses()
    with in_time(ANSWER_SECONDS), pytest.raises(BusUnavailable):
        bus.subscribe(new_group(), TOPICS)
    with in_time(ANSWER_SECONDS), pytest.raises(BusUnavailable):
        next(bus.read(EVENTS_TAXONOMY))


def test_a_refilled_topic_is_not_taken_for_the_old_one(
    patient_kafka_buses: OpenBus, recreate_topic: Recreate
) -> None:
    """At the offsets where the member reads on, other records lie by now."""
    recreate_topic(BETS_STATE)
    bus, reader = patient_kafka_buses(), joined(patient_kafka_buses(), BETS_STATE)
    old = set(reader.owned)
    acknowledged(bus, on_each(b"old", BETS_STATE, count=7))
    for source in old:
        reader.subscription.seek(source, 0)
    reader.poll_until(lambda: len(reader.records) >= 21)
    recreate_topic(BETS_STATE)
    acknowledged(bus, on_each(b"new", BETS_STATE, count=70))
    reader.poll_until(lambda: len(reader.owned - old) == PARTITIONS)
    for source in reader.owned:
        reader.subscription.seek(source, 0)
    reader.poll_until(lambda: len(reader.records) >= 231)
    assert values(record for record in reader.records if record.source in old) <= {b"old"}
    assert values(record for record in reader.records if record.source not in old) == {b"new"}


def test_a_topic_may_be_gone_for_a_while(
    kafka: KafkaBroker, kafka_buses: OpenBus, kafka_admin: KafkaAdminClient
) -> None:
    group = new_group()
    first, second = (Member(kafka_buses().subscribe(group, TOPICS)) for _ in range(2))
    share(first, second, TOPICS)
    kafka_admin.delete_topics([BETS_STATE])
    share(first, second, [EVENTS_TAXONOMY])
    create_topics(kafka.settings)
    share(first, second, TOPICS)


def test_records_removed_by_retention(
    patient_kafka_buses: OpenBus, kafka_admin: KafkaAdminClient
) -> None:
    bus, reader = patient_kafka_buses(), joined(patient_kafka_buses(), EVENTS_TAXONOMY)
    place(bus, on_each(b"-"))
    ends = {s: end for s, (_, end) in reader.subscription.bounds(reader.owned).items()}
    kafka_admin.delete_records(
        {TopicPartition(s.topic, s.partition): end for s, end in ends.items()}
    )
    for source in reader.owned:
        reader.subscription.seek(source, 0)
    reset = set[LogPartition]()
    for _ in attempts():
        reset |= reader.turn().assigned
        if reset == reader.owned:
            break
    bounds = reader.subscription.bounds(reset)
    assert {source: start for source, (start, _) in bounds.items()} == ends


def test_a_lost_disk(kafka: KafkaBroker, kafka_buses: OpenBus) -> None:
    bus, reader = kafka_buses(), joined(kafka_buses(), EVENTS_TAXONOMY)
    old = set(reader.owned)
    acknowledged(bus, on_each(b"lost"))
    reader.seek_to_end()
    kafka.kill()
    kafka.lose_disk()
    kafka.start()
    create_topics(kafka.settings)
    acknowledged(bus, on_each(b"after the loss"))
    reader.poll_until(lambda: len(reader.owned - old) == PARTITIONS == len(reader.owned))
    for source in reader.owned:
        reader.subscription.seek(source, 0)
    assert values(reader.gather(PARTITIONS)) == {b"after the loss"}


def test_members_that_work_do_not_keep_each_other_rejoining(kafka_buses: OpenBus) -> None:
    """Joins end while a member works, between two of its polls."""
    group = new_group()
    members = [Member(kafka_buses().subscribe(group, [EVENTS_TAXONOMY])) for _ in range(2)]
    settle(*members)
    moves = 0
    joining = Member(kafka_buses().subscribe(group, [EVENTS_TAXONOMY]))
    members.append(joining)
    for rounds, _ in enumerate(attempts()):
        for member in members:
            poll = member.turn(timeout=0.02)
            moves += bool(poll.assigned or poll.revoked)
            time.sleep(0.05)
        if rounds > 20 and all(len(member.owned) == 1 for member in members):
            break
    assert moves <= 2 * len(members)


def read_on(reader: Member, value: bytes) -> None:
    """Poll as a consumer does, until each partition brought this; what was reset or assigned anew
    begins at its last record, once the log answers."""
    seen: set[int] = set()
    unstarted: set[LogPartition] = set()
    for _ in attempts():
        poll = reader.turn()
        unstarted = (unstarted - poll.revoked) | poll.assigned
        with suppress(BusUnavailable):
            for source, (_, end) in reader.subscription.bounds(unstarted).items():
                reader.subscription.seek(source, end - 1)
                unstarted.discard(source)
        seen |= {record.source.partition for record in poll.records if record.value == value}
        if len(seen) == PARTITIONS:
            return


def share(first: Member, second: Member, topics: Sequence[str]) -> None:
    """Let the members poll until they share exactly these topics' partitions."""
    for _ in attempts():
        first.turn()
        second.turn()
        owned = [(s.topic, s.partition) for s in (*first.owned, *second.owned)]
        if sorted(owned) == sorted((topic, n) for topic in topics for n in range(PARTITIONS)):
            return
