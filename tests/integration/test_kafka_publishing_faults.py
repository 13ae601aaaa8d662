"""Publishing while the broker is away, killed, or frozen: in time or never."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from threading import Timer
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from adapters.kafka.producer import LARGEST_REQUEST_BYTES
from adapters.kafka.publisher import DOUBT_SECONDS
from domain.errors import BusUnavailable, Misconfigured
from domain.log import BETS_STATE, EVENTS_TAXONOMY, NewRecord, Placed
from domain.ports import MessageBus
from tests.contracts.message_bus_member import DEADLINE, OpenBus, Recreate, attempts, new_key
from tests.integration.system import eventually
from tests.kafka.broker import KafkaBroker
from tests.kafka.faults import ANSWER_SECONDS, acknowledged, on_each, values
from tests.shortages import one_thread_refused
from tests.standstill import MachineWatch, in_time

LATE_SECONDS = 2.0
"""What a given-up record could still be sent in, if anything sent it."""

HICCUP_SECONDS = 0.7


def test_a_broker_that_is_not_there_yet(kafka: KafkaBroker, kafka_buses: OpenBus) -> None:
    kafka.stop()
    bus = kafka_buses()
    assert not bus.is_up()
    given_up(bus, b"too early")
    kafka.start()
    acknowledged(bus, on_each(b"now it is there"))
    time.sleep(LATE_SECONDS)
    found = values(bus.read(EVENTS_TAXONOMY))
    assert b"now it is there" in found
    assert b"too early" not in found


def test_a_killed_broker(
    kafka: KafkaBroker, kafka_buses: OpenBus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "adapters.kafka.publisher")
    bus = kafka_buses()
    acknowledged(bus, on_each(b"before the kill"))
    caplog.clear()
    kafka.kill()
    given_up(bus, b"killed: found out")
    given_up(bus, b"killed: known")
    assert not bus.is_up()
    kafka.start()
    acknowledged(bus, on_each(b"after the kill"))
    time.sleep(LATE_SECONDS)
    said = [r.getMessage() for r in caplog.records if "acknowledge" in r.getMessage()]
    assert ["again" in text for text in said] == [False, True]  # once for each change
    found = values(bus.read(EVENTS_TAXONOMY))
    assert {b"before the kill", b"after the kill"} <= found
    assert not {b"killed: found out", b"killed: known"} & found


def test_a_producer_that_got_no_thread(kafka: KafkaBroker, kafka_buses: OpenBus) -> None:
    """Or no record is acknowledged or given up any more, until a restart."""
    bus = kafka_buses()
    acknowledged(bus, on_each(b"before the kill"))
    kafka.kill()
    with one_thread_refused("touchline-network-thread"):
        given_up(bus, b"killed, without a thread")
        given_up(bus, b"killed, with one again")
    kafka.start()
    acknowledged(bus, on_each(b"after the kill"))


def test_an_error_that_nobody_foresaw(
    kafka_buses: OpenBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what waits for a producer is answered."""
    bus = kafka_buses()
    acknowledged(bus, on_each(b"before"))
    futures = list(bus.publish([NewRecord(f"missing.{uuid4()}", new_key(), b"waits")]))
    with monkeypatch.context() as patched:
        patched.setattr(KafkaProducer, "partitions_for", rotten)
        futures += bus.publish(on_each(b"rotten"))
        told = [future.exception(timeout=DEADLINE) for future in futures]
    assert all(isinstance(error, BusUnavailable) for error in told), told
    assert any("nobody foresaw this" in str(error) for error in told), told
    acknowledged(bus, on_each(b"after"))


def rotten(*_: object) -> None:
    raise RuntimeError("nobody foresaw this")


def test_a_topic_that_is_not_as_it_must_be_is_told(
    kafka_buses: OpenBus, kafka_admin: KafkaAdminClient, recreate_topic: Recreate
) -> None:
    bus = kafka_buses()
    eventually(partial(is_up, bus))
    kafka_admin.delete_topics([EVENTS_TAXONOMY])
    missing = "the topic events.taxonomy does not exist; type: touchline topics"
    eventually(partial(says, bus, missing))
    recreate_topic(EVENTS_TAXONOMY, 4)
    eventually(partial(says, bus, "events.taxonomy has 4 partitions, not 3"))
    recreate_topic(EVENTS_TAXONOMY)
    eventually(partial(is_up, bus))


def test_a_broker_that_answers_and_takes_nothing(
    kafka_buses: OpenBus, kafka_admin: KafkaAdminClient
) -> None:
    bus = kafka_buses()
    acknowledged(bus, on_each(b"-"))
    eventually(partial(is_up, bus))
    with refusing_all(kafka_admin, EVENTS_TAXONOMY):
        # The broker learns of it a little later.
        eventually(partial(is_refused, bus, NewRecord(EVENTS_TAXONOMY, new_key(), b"-")))
        reason = "Kafka answers, but does not acknowledge all that is published"
        with in_time(DOUBT_SECONDS / 2):
            eventually(partial(says, bus, reason))
    acknowledged(bus, on_each(b"-"))
    eventually(partial(is_up, bus))


def is_refused(bus: MessageBus, record: NewRecord) -> bool:
    (future,) = bus.publish([record])
    return "TooLarge" in str(future.exception(timeout=DEADLINE))


@contextmanager
def refusing_all(admin: KafkaAdminClient, topic: str) -> Iterator[None]:
    """The broker takes no record, however small."""

    def largest(size: int) -> None:
        configs = {"max.message.bytes": str(size)}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])

    largest(1)
    try:
        yield
    finally:
        largest(LARGEST_REQUEST_BYTES)


def is_up(bus: MessageBus) -> bool:
    try:
        return bus.is_up()
    except (BusUnavailable, Misconfigured):
        return False


def says(bus: MessageBus, reason: str) -> bool:
    """Whether it says so of why it isn't up."""
    try:
        bus.is_up()
    except (BusUnavailable, Misconfigured) as error:
        return str(error) == reason
    return False


def test_a_frozen_broker(kafka: KafkaBroker, kafka_buses: OpenBus) -> None:
    """The first records lie in its socket already: these it may append when it thaws."""
    bus = kafka_buses()
    acknowledged(bus, on_each(b"before the frost"))
    kafka.suspend()
    given_up(bus, b"frozen: in its socket")
    given_up(bus, b"frozen: known")
    assert not bus.is_up()
    kafka.resume()
    acknowledged(bus, on_each(b"after the frost"))
    time.sleep(LATE_SECONDS)
    found = values(bus.read(EVENTS_TAXONOMY))
    assert {b"before the frost", b"after the frost"} <= found
    assert b"frozen: known" not in found


def test_a_hiccup_is_ridden_out(kafka: KafkaBroker, kafka_buses: OpenBus) -> None:
    bus = kafka_buses()
    for _ in attempts():
        acknowledged(bus, on_each(b"-"))
        kafka.suspend()
        thaw = Timer(HICCUP_SECONDS, kafka.resume)
        thaw.start()
        with MachineWatch() as machine:
            told = [future.exception(timeout=DEADLINE) for future in bus.publish(on_each(b"-"))]
        thaw.join()
        if not any(told):
            break
        assert machine.held_up > HICCUP_SECONDS, told  # it was longer than that


def test_acknowledged_is_durable(kafka: KafkaBroker, kafka_buses: OpenBus) -> None:
    bus, key, futures = kafka_buses(), new_key(), list[Future[Placed]]()

    def publish() -> Future[Placed]:
        futures.extend(bus.publish([NewRecord(BETS_STATE, key, b"%d" % len(futures))]))
        return futures[-1]

    eventually(lambda: publish().exception(timeout=DEADLINE) is None)
    kill = Timer(0.5, kafka.kill)
    kill.start()
    while kill.is_alive():
        publish()
        time.sleep(0.001)
    assert publish().exception(timeout=DEADLINE)
    kafka.start()
    placed = {n: f.result() for n, f in enumerate(futures) if not f.exception(timeout=DEADLINE)}
    assert 0 < len(placed) < len(futures)
    found = [record for record in kafka_buses().read(BETS_STATE) if record.key == key]
    at = {(record.source.partition, record.offset): record.value for record in found}
    assert {n: at[p.partition, p.offset] for n, p in placed.items()} == {
        n: b"%d" % n for n in placed
    }
    numbers = [int(record.value or b"") for record in found]
    assert numbers == sorted(set(numbers))


def given_up(bus: MessageBus, value: bytes) -> None:
    """Publish a record on each partition; all must be given up in time."""
    with in_time(ANSWER_SECONDS):
        with in_time(0.5):
            futures = bus.publish(on_each(value))
        for future in futures:
            with pytest.raises(BusUnavailable):
                future.result(timeout=DEADLINE)
