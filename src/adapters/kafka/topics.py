"""Topics as Touchline needs them: nothing in them may ever be dropped."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError

from adapters.kafka.client import ASK_AGAIN_SECONDS, TouchlineClient
from adapters.kafka.errors import domain_errors
from adapters.kafka.settings import KafkaSettings
from domain.errors import BusUnavailable, Misconfigured, TouchlineError
from domain.log import PARTITIONS, TOPICS

TOPIC_CONFIG = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}

MIN_INSYNC = "min.insync.replicas"

PATIENCE_SECONDS = 10.0


def create_topics(
    settings: KafkaSettings,
    topics: Sequence[str] = TOPICS,
    *,
    partitions: int = PARTITIONS,
    replication_factor: int = 1,
    min_insync_replicas: int = 1,
) -> Mapping[str, bool]:
    """Create what is missing; tell for each topic whether it was created now.

    Raises Misconfigured, naming every difference, when a topic exists otherwise; BusUnavailable.
    """
    wanted = _Wanted(partitions, replication_factor, min_insync_replicas)
    with _admin(settings) as admin:
        present = set(admin.list_topics())
        # Nothing is made beside a topic that is not as it must be.
        _check(admin, [topic for topic in topics if topic in present], wanted)
        created = {topic: _create(admin, topic, wanted) for topic in topics}
        admin.wait_for_topics(list(topics), timeout_ms=int(PATIENCE_SECONDS * 1000))
        _check(admin, topics, wanted)
    return created


class _Wanted(NamedTuple):
    """What each topic must be. More copies than asked for keep what fewer keep."""

    partitions: int
    replication_factor: int
    min_insync_replicas: int


def _check(admin: Any, topics: Sequence[str], wanted: _Wanted) -> None:
    problems = [problem for topic in topics for problem in _differences(admin, topic, wanted)]
    if problems:
        raise Misconfigured("; ".join(problems))


def _create(admin: Any, topic: str, wanted: _Wanted) -> bool:
    definition = {
        "num_partitions": wanted.partitions,
        "replication_factor": wanted.replication_factor,
        "configs": TOPIC_CONFIG | {MIN_INSYNC: str(wanted.min_insync_replicas)},
    }
    try:
        admin.create_topics({topic: definition})
    except TopicAlreadyExistsError:
        return False
    except InvalidReplicationFactorError as error:
        raise Misconfigured(
            f"the topic {topic} can't be made with {wanted.replication_factor} copies of each "
            "partition: the cluster has fewer brokers"
        ) from error
    return True


def _differences(admin: Any, topic: str, wanted: _Wanted) -> Iterator[str]:
    described, configs = _known(admin, topic)
    if (found := len(described["partitions"])) != wanted.partitions:
        yield f"the topic {topic} has {found} partitions, not {wanted.partitions}"
    copies = min(len(partition["replica_nodes"]) for partition in described["partitions"])
    if copies < (least := wanted.replication_factor):
        yield f"the topic {topic} has {copies} copies of a partition, not {least}"
    for name, value in TOPIC_CONFIG.items():
        if (found := configs[name]["value"]) != value:
            yield f"the topic {topic} has {name}={found}, not {value}"
    if int(found := configs[MIN_INSYNC]["value"]) < (least := wanted.min_insync_replicas):
        yield f"the topic {topic} has {MIN_INSYNC}={found}, not {least}"


def _known(admin: Any, topic: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """How the topic is, and its settings. Brokers learn of a new one one by one: each question may
    be answered by one that doesn't know it yet."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        (described,) = admin.describe_topics([topic])
        configs = admin.describe_configs([resource], config_filter="all")["topic"][topic]
        if described["partitions"] and configs:
            return described, configs
        if time.monotonic() > deadline:
            raise BusUnavailable(
                f"Kafka: not every broker knows the topic {topic} yet, or its settings may not be"
                " read (DescribeConfigs)"
            )
        time.sleep(ASK_AGAIN_SECONDS)


@contextmanager
def _admin(settings: KafkaSettings) -> Iterator[Any]:
    clients: list[TouchlineClient] = []

    def connect(**configs: Any) -> TouchlineClient:
        clients.append(TouchlineClient(**configs))
        return clients[-1]

    def trouble() -> TouchlineError | None:
        return clients[-1].trouble if clients else None

    config = settings.client_config() | {
        "kafka_client": connect,
        "bootstrap_timeout_ms": int(PATIENCE_SECONDS * 1000),
        "request_timeout_ms": int(PATIENCE_SECONDS * 1000),
    }
    with domain_errors("asking the cluster about topics", trouble=trouble):
        try:
            yield KafkaAdminClient(**config)
        finally:
            for client in clients:
                client.close()
