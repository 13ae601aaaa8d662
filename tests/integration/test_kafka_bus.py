"""The Kafka bus on a real broker: the shared suite, and what only Kafka has."""

import gc
import threading
import time
from collections.abc import Callable
from statistics import quantiles
from types import FrameType
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError, LogTruncationError, TopicAuthorizationFailedError
from pytest_mock import MockerFixture

from adapters.kafka.bus import KafkaBus
from adapters.kafka.client import _FetchByTopicId, _NetworkWithoutCycles
from adapters.kafka.consumer import FETCH_WAIT_MS, LogConsumer
from adapters.kafka.subscription import KafkaSubscription
from domain.errors import BusUnavailable, Misconfigured
from domain.log import (
    BETS_STATE,
    EVENTS_TAXONOMY,
    PARTITIONS,
    NewRecord,
)
from tests.contracts.message_bus import MessageBusContract, OpenBus, Recreate
from tests.contracts.message_bus_member import (
    DEADLINE,
    Member,
    comes_up,
    joined,
    new_group,
    new_key,
    one_on_each,
    place,
)


@pytest.fixture
def buses(patient_kafka_buses: OpenBus) -> OpenBus:
    return patient_kafka_buses


@pytest.fixture
def recreate(recreate_topic: Recreate) -> Recreate:
    return recreate_topic


class TestKafkaBus(MessageBusContract):
    """The shared suite."""


def test_one_client_is_enough_to_publish(buses: OpenBus) -> None:
    before = set(threading.enumerate())
    bus = buses()
    place(bus, one_on_each(range(PARTITIONS)))
    comes_up(bus)
    started = {thread.name for thread in set(threading.enumerate()) - before}
    assert started == {"kafka-publisher", "touchline-network-thread"}
    bus.close()
    assert set(threading.enumerate()) <= before


def test_is_up_may_be_asked_while_a_producer_ends(kafka_buses: Callable[[], KafkaBus]) -> None:
    bus = kafka_buses()
    comes_up(bus)
    assert bus._publisher._producer is not None
    bus._publisher._producer.end()
    assert not bus.is_up()


def test_publishing_creates_no_topic(kafka_buses: OpenBus) -> None:
    bus, topic = kafka_buses(), f"missing.{uuid4()}"
    (future,) = bus.publish([NewRecord(topic, b"key", b"-")])
    with pytest.raises(BusUnavailable):
        future.result(timeout=DEADLINE)
    with pytest.raises(Misconfigured, match="does not exist"):
        bus.subscribe(new_group(), [topic])
    with pytest.raises(Misconfigured, match="does not exist"):
        bus.bounds(topic)


def test_a_missing_topic_holds_nobody_up(buses: OpenBus) -> None:
    bus = buses()
    futures = bus.publish(
        [NewRecord(f"missing.{uuid4()}", b"key", b"-"), NewRecord(BETS_STATE, b"key", b"-")]
    )
    futures[1].result(timeout=DEADLINE)
    assert not futures[0].done()


@pytest.mark.parametrize("size", [110_000, 1_048_000])
def test_large_records_pass(buses: OpenBus, size: int) -> None:
    bus = buses()
    reader = joined(buses(), BETS_STATE)
    reader.seek_to_end()
    values = [bytes([number]) * size for number in range(PARTITIONS)]
    place(bus, [NewRecord(BETS_STATE, new_key(n), value) for n, value in enumerate(values)])
    assert sorted(record.value or b"" for record in reader.gather(PARTITIONS)) == values


def test_a_record_too_large_is_nobody_elses_fault(buses: OpenBus) -> None:
    large, small = buses().publish(
        [NewRecord(EVENTS_TAXONOMY, b"key", bytes(2 << 20)), NewRecord(EVENTS_TAXONOMY, b"k", b"-")]
    )
    with pytest.raises(Misconfigured):
        large.result(timeout=DEADLINE)
    small.result(timeout=DEADLINE)


def test_lag_tools_see_the_committed_offset(buses: OpenBus, kafka_admin: KafkaAdminClient) -> None:
    group = new_group()
    reader = joined(buses(), EVENTS_TAXONOMY, group=group)
    ends = {source: end for source, (_, end) in reader.seek_to_end().items()}
    expected = {TopicPartition(EVENTS_TAXONOMY, s.partition): end for s, end in ends.items()}
    reader.subscription.commit(ends)

    def committed() -> dict[TopicPartition, int]:
        found = kafka_admin.list_group_offsets([group])[group]
        return {partition: offset.offset for partition, offset in found.items()}

    reader.poll_until(lambda: committed() == expected)


def test_polls_that_find_nothing_leave_nothing(
    buses: OpenBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors that were caught would keep the frames of who polled, with all their batches."""
    timeouts = 0
    run = _NetworkWithoutCycles.run

    def counted(*arguments: Any) -> Any:
        nonlocal timeouts
        try:
            return run(*arguments)
        except KafkaTimeoutError:
            timeouts += 1
            raise

    reader = joined(buses(), EVENTS_TAXONOMY)
    reader.seek_to_end()
    reader.turn()
    gc.collect()
    monkeypatch.setattr(_NetworkWithoutCycles, "run", counted)
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(20):
            reader.subscription.poll(timeout=0.01, most=1)
        gc.collect()
        frames = [each for each in gc.garbage if isinstance(each, FrameType)]
        assert timeouts > 0
        assert KafkaSubscription.poll.__code__ not in [frame.f_code for frame in frames]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


def test_a_question_does_not_wait_behind_a_fetch(buses: OpenBus) -> None:
    """The broker holds a fetch that finds nothing for FETCH_WAIT_MS."""
    reader = joined(buses(), EVENTS_TAXONOMY)
    reader.seek_to_end()
    reader.turn()
    seconds = []
    for _ in range(21):
        reader.subscription.poll(timeout=0.01, most=1)
        began = time.monotonic()
        reader.subscription.bounds(reader.owned)
        seconds.append(time.monotonic() - began)
    # On a busy machine all take long, but not all as long as that.
    assert quantiles(seconds)[0] < FETCH_WAIT_MS / 1000 / 2


def test_the_committed_offset_is_not_where_one_begins(buses: OpenBus) -> None:
    bus, group = buses(), new_group()
    reader = joined(bus, EVENTS_TAXONOMY, group=group)
    starts = {source: start for source, (start, _) in reader.seek_to_end().items()}
    reader.subscription.commit(starts)
    reader.turn()
    reader.subscription.close()
    place(bus, one_on_each(range(PARTITIONS)))
    again = joined(bus, EVENTS_TAXONOMY, group=group)
    for _ in range(5):
        assert not again.turn().records


def test_a_lone_member_joins_once(patient_kafka_buses: Callable[[], KafkaBus]) -> None:
    for _ in range(2):  # the first group of all waits for Kafka's own topic
        _, consumer = _member_and_consumer(patient_kafka_buses())
        assert consumer.kafka.group_metadata().generation_id == 1


def test_bounds_are_never_those_of_another_log(
    buses: OpenBus, recreate: Recreate, mocker: MockerFixture
) -> None:
    reader, ask = joined(buses(), BETS_STATE), KafkaConsumer.end_offsets

    def recreate_and_ask(*args: Any, **kwargs: Any) -> object:
        recreate(BETS_STATE)
        return ask(*args, **kwargs)

    mocker.patch("kafka.KafkaConsumer.end_offsets", recreate_and_ask)
    assert not reader.subscription.bounds(reader.owned)


def test_refused_fetches_are_not_repeated_in_haste(
    kafka_buses: Callable[[], KafkaBus], mocker: MockerFixture
) -> None:
    member, consumer = _member_and_consumer(kafka_buses())
    member.seek_to_end()
    mocker.patch("adapters.kafka.consumer.LogConsumer.is_outdated", return_value=False)
    fetch = mocker.spy(_FetchByTopicId, "_fetch")
    consumer.log_ids[EVENTS_TAXONOMY] = uuid4()
    began = time.monotonic()
    while (took := time.monotonic() - began) < 1.0 or fetch.call_count <= 2:
        assert took < DEADLINE
        member.turn()
    assert fetch.call_count < 20 * took


def test_a_truncated_log_begins_anew(buses: OpenBus, mocker: MockerFixture) -> None:
    reader = joined(buses(), EVENTS_TAXONOMY)
    owned = set(reader.owned)
    reader.seek_to_end()
    poll = mocker.patch("kafka.KafkaConsumer.poll", side_effect=LogTruncationError({}))
    assert reader.turn().revoked == owned
    mocker.stop(poll)
    reader.poll_until(lambda: reader.owned == owned)


def test_errors_keep_their_cause(buses: OpenBus, mocker: MockerFixture) -> None:
    reader = joined(buses(), EVENTS_TAXONOMY)
    mocker.patch("kafka.KafkaConsumer.poll", side_effect=TopicAuthorizationFailedError())
    with pytest.raises(Misconfigured) as raised:
        reader.turn()
    assert isinstance(raised.value.__cause__, TopicAuthorizationFailedError)


def test_slow_checksums_are_refused(buses: OpenBus, mocker: MockerFixture) -> None:
    mocker.patch("kafka.record.util.crc32c_c", None)
    with pytest.raises(Misconfigured, match="crc32c"):
        buses()


def test_old_brokers_are_refused(buses: OpenBus, mocker: MockerFixture) -> None:
    mocker.patch("adapters.kafka.consumer.OLDEST_KAFKA", (99, 0))
    with pytest.raises(Misconfigured, match="or newer"):
        buses().subscribe(new_group(), [EVENTS_TAXONOMY])


def test_a_closed_bus_takes_no_subscription(buses: OpenBus) -> None:
    bus = buses()
    member = joined(bus, EVENTS_TAXONOMY)
    bus.close()
    with pytest.raises(BusUnavailable):
        bus.subscribe(new_group(), [EVENTS_TAXONOMY])
    with pytest.raises(BusUnavailable):
        member.turn()


def _member_and_consumer(bus: KafkaBus) -> tuple[Member, LogConsumer]:
    subscription = bus.subscribe(new_group(), [EVENTS_TAXONOMY])
    member = Member(subscription)
    member.poll_until(lambda: len(member.owned) == PARTITIONS)
    assert subscription._consumer is not None
    return member, subscription._consumer
