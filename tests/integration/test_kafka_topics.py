"""Topics are made once, as they must be, on a real broker."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from adapters.kafka import topics
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import create_topics
from domain.errors import BusUnavailable, Misconfigured
from domain.log import PARTITIONS
from tests.kafka.broker import KafkaBroker, free_ports


@pytest.fixture
def topic(kafka_admin: KafkaAdminClient) -> Iterator[str]:
    """A name that is free; what is made of it is removed."""
    name = f"made.{uuid4()}"
    yield name
    kafka_admin.delete_topics([name])


def test_topics_are_made_once(
    kafka: KafkaBroker, kafka_admin: KafkaAdminClient, topic: str
) -> None:
    assert create_topics(kafka.settings, [topic]) == {topic: True}
    (described,) = kafka_admin.describe_topics([topic])
    assert create_topics(kafka.settings, [topic]) == {topic: False}
    assert kafka_admin.describe_topics([topic]) == [described]
    assert len(described["partitions"]) == PARTITIONS


def test_nothing_is_ever_dropped(
    kafka: KafkaBroker, kafka_admin: KafkaAdminClient, topic: str
) -> None:
    create_topics(kafka.settings, [topic])
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    configs = kafka_admin.describe_configs([resource], config_filter="all")["topic"][topic]
    assert configs["cleanup.policy"]["value"] == "delete"
    assert configs["retention.ms"]["value"] == "-1"
    assert configs["retention.bytes"]["value"] == "-1"


def test_another_number_of_partitions_is_told(kafka: KafkaBroker, topic: str) -> None:
    create_topics(kafka.settings, [topic], partitions=2)
    with pytest.raises(Misconfigured, match=f"{topic} has 2 partitions, not 3"):
        create_topics(kafka.settings, [topic])


@pytest.mark.parametrize("question", ["describe_topics", "describe_configs"])
def test_a_broker_that_does_not_know_the_topic_yet(
    kafka: KafkaBroker, topic: str, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    """Where there are several, each question may go to another one."""
    ask, asked = getattr(KafkaAdminClient, question), Counter[str]()

    def not_yet_once(*given: Any, **named: Any) -> Any:
        asked[question] += 1
        # The first one to describe topics is who waits for the new ones.
        if asked[question] != (2 if question == "describe_topics" else 1):
            return ask(*given, **named)
        if question == "describe_configs":
            return {"topic": {topic: {}}}
        return [{"name": topic, "error_code": 3, "partitions": []}]

    monkeypatch.setattr(KafkaAdminClient, question, not_yet_once)
    assert create_topics(kafka.settings, [topic]) == {topic: True}
    assert asked[question] >= 2


def test_a_topic_that_no_broker_gets_to_know(
    kafka: KafkaBroker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "PATIENCE_SECONDS", 5.0)
    unknown: dict[str, dict[str, object]] = {"topic": {topic: {}}}
    monkeypatch.setattr(KafkaAdminClient, "describe_configs", lambda *_, **__: unknown)
    with pytest.raises(BusUnavailable, match=f"not every broker knows the topic {topic} yet"):
        create_topics(kafka.settings, [topic])


def test_nothing_is_made_beside_what_is_otherwise(
    kafka: KafkaBroker, kafka_admin: KafkaAdminClient, topic: str
) -> None:
    create_topics(kafka.settings, [topic], partitions=2)
    with pytest.raises(Misconfigured, match="has 2 partitions"):
        create_topics(kafka.settings, [other := f"{topic}.other", topic])
    assert other not in kafka_admin.list_topics()


def test_fewer_copies_than_asked_for_are_told(kafka: KafkaBroker, topic: str) -> None:
    create_topics(kafka.settings, [topic])
    with pytest.raises(Misconfigured, match=f"{topic} has 1 copies of a partition, not 2"):
        create_topics(kafka.settings, [topic], replication_factor=2)


def test_copies_that_must_have_a_record(
    kafka: KafkaBroker, kafka_admin: KafkaAdminClient, topic: str
) -> None:
    create_topics(kafka.settings, [topic], min_insync_replicas=2)
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    configs = kafka_admin.describe_configs([resource], config_filter="all")["topic"][topic]
    assert configs["min.insync.replicas"]["value"] == "2"
    # More than asked for keep what fewer keep.
    assert create_topics(kafka.settings, [topic]) == {topic: False}
    with pytest.raises(Misconfigured, match=f"{topic} has min.insync.replicas=2, not 3"):
        create_topics(kafka.settings, [topic], min_insync_replicas=3)


def test_every_difference_is_told(
    kafka: KafkaBroker, kafka_admin: KafkaAdminClient, topic: str
) -> None:
    configs = {"cleanup.policy": "compact", "retention.ms": "1000"}
    kafka_admin.create_topics({topic: {"num_partitions": 3, "configs": configs}})
    with pytest.raises(Misconfigured) as raised:
        create_topics(kafka.settings, [topic])
    assert "cleanup.policy=compact, not delete" in str(raised.value)
    assert "retention.ms=1000, not -1" in str(raised.value)


def test_more_replicas_than_brokers_are_refused(
    kafka: KafkaBroker, kafka_admin: KafkaAdminClient
) -> None:
    topic = f"made.{uuid4()}"
    with pytest.raises(Misconfigured, match="the cluster has fewer brokers"):
        create_topics(kafka.settings, [topic], replication_factor=2)
    assert topic not in kafka_admin.list_topics()


def test_a_cluster_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.kafka.topics.PATIENCE_SECONDS", 0.5)
    with pytest.raises(BusUnavailable):
        create_topics(KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_ports(1)[0]}"))


@pytest.mark.parametrize("address", ["", "kafka", "kafka:", "kafka:port", "kafka:1,", "a:1 b:2"])
def test_a_wrong_address_is_told(address: str) -> None:
    with pytest.raises(Misconfigured, match="must be host:port"):
        KafkaSettings(bootstrap_servers=address)
