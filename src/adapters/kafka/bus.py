"""The message bus on Apache Kafka."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial

from kafka import TopicPartition

from adapters.kafka.consumer import LogConsumer, records_of
from adapters.kafka.errors import domain_errors, require_crc32c
from adapters.kafka.publisher import Publisher
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.subscription import KafkaSubscription
from domain.errors import BusUnavailable
from domain.log import PARTITIONS, Bounds, LogPartition, NewRecord, Placed, Record

READ_SLICE_SECONDS = 0.5
READ_PATIENCE_SECONDS = 5.0
"""Reading a topic whole ends with BusUnavailable when nothing has come for so long."""

READ_MOST = 5000


class KafkaBus:
    """One process's connection to Kafka: a producer, and a consumer for each subscription.

    It can be made while no broker is there. Subscriptions and `read` have clients of their own.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        """Raise Misconfigured when it can never work."""
        require_crc32c()
        self._settings = settings
        self._publisher = Publisher(settings)
        self._subscriptions: list[KafkaSubscription] = []
        self._closed = False

    def publish(self, records: Sequence[NewRecord]) -> Sequence["Future[Placed]"]:
        return self._publisher.publish(records)

    def subscribe(self, group: str, topics: Sequence[str]) -> KafkaSubscription:
        if self._closed:
            raise BusUnavailable("the bus is closed")
        subscription = KafkaSubscription(partial(LogConsumer, self._settings, topics, group=group))
        self._subscriptions.append(subscription)
        return subscription

    def read(self, topic: str) -> Iterator[Record]:
        consumer = LogConsumer(self._settings, [topic])
        try:
            for source, bounds in consumer.bounds(_sources(consumer, topic)).items():
                yield from _read(consumer, source, bounds)
        finally:
            consumer.close()

    def bounds(self, topic: str) -> Mapping[LogPartition, Bounds]:
        consumer = LogConsumer(self._settings, [topic])
        try:
            return consumer.bounds(_sources(consumer, topic))
        finally:
            consumer.close()

    def is_up(self) -> bool:
        return self._publisher.is_up()

    def close(self) -> None:
        self._closed = True
        self._publisher.close()
        for subscription in self._subscriptions:
            subscription.close()


def _sources(consumer: LogConsumer, topic: str) -> list[LogPartition]:
    return [consumer.source(TopicPartition(topic, partition)) for partition in range(PARTITIONS)]


def _read(consumer: LogConsumer, source: LogPartition, bounds: Bounds) -> Iterator[Record]:
    place = TopicPartition(source.topic, source.partition)
    with domain_errors(f"reading {source.topic}"):
        consumer.kafka.assign([place])
        consumer.kafka.seek(place, bounds.start)
    next_offset, deadline = bounds.start, time.monotonic() + READ_PATIENCE_SECONDS
    while next_offset < bounds.end:
        with domain_errors(f"reading {source.topic}"):
            found = consumer.kafka.poll(READ_SLICE_SECONDS * 1000, max_records=READ_MOST)
            next_offset = consumer.kafka.position(place)
        if found:
            deadline = time.monotonic() + READ_PATIENCE_SECONDS
        elif time.monotonic() > deadline:
            raise BusUnavailable(f"Kafka: nothing came while reading {source.topic}")
        for record in records_of(source, found.get(place, ())):
            if record.offset < bounds.end:
                yield record
