"""Fixtures around one real Kafka broker for each test session."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from kafka import KafkaAdminClient

from adapters.kafka.bus import KafkaBus
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import create_topics
from domain.log import PARTITIONS
from tests.contracts.message_bus_member import Recreate, attempts
from tests.kafka.broker import KafkaBroker

PATIENCE = 10.0
"""Longer than in production; a record for a topic that is missing waits for so long."""


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """The broker itself; tests take `kafka`."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def kafka(kafka_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """The session's broker with the product's topics, whatever an earlier test did to it."""
    kafka_broker.start()
    create_topics(kafka_broker.settings)
    yield kafka_broker
    kafka_broker.resume()


@pytest.fixture
def kafka_buses(kafka: KafkaBroker) -> Iterator[Callable[[], KafkaBus]]:
    """Opens one more bus, as another process would; all are closed afterwards."""
    with _opening(kafka.settings) as open_bus:
        yield open_bus


@pytest.fixture
def patient_kafka_buses(kafka: KafkaBroker) -> Iterator[Callable[[], KafkaBus]]:
    """The same for what is not about time: the machine may halt for longer than production
    waits."""
    settings = replace(kafka.settings, give_up_seconds=PATIENCE, answer_seconds=PATIENCE)
    with _opening(settings) as open_bus:
        yield open_bus


@contextmanager
def _opening(settings: KafkaSettings) -> Iterator[Callable[[], KafkaBus]]:
    opened: list[KafkaBus] = []

    def open_bus() -> KafkaBus:
        opened.append(KafkaBus(settings))
        return opened[-1]

    yield open_bus
    for bus in opened:
        bus.close()


@pytest.fixture
def kafka_admin(kafka: KafkaBroker) -> Iterator[KafkaAdminClient]:
    """For what Touchline never does itself."""
    with KafkaAdminClient(**kafka.settings.client_config()) as admin:
        yield admin


@pytest.fixture
def recreate_topic(kafka: KafkaBroker, kafka_admin: KafkaAdminClient) -> Recreate:
    """Deletes the topic, if it is there, and creates it anew and empty."""

    def delete_and_create(topic: str, partitions: int = PARTITIONS) -> None:
        if topic in kafka_admin.list_topics():
            kafka_admin.delete_topics([topic])
            for _ in attempts():
                if topic not in kafka_admin.list_topics():
                    break
        create_topics(kafka.settings, [topic], partitions=partitions)

    return delete_and_create
