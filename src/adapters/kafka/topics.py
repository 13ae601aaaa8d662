"""Topics as Touchline needs them: nothing in them may ever be dropped."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError

from adapters.kafka.client import DIRECT, TouchlineClient
from adapters.kafka.errors import domain_errors
from adapters.kafka.settings import KafkaSettings
from domain.errors import Misconfigured
from domain.log import PARTITIONS, TOPICS

TOPIC_CONFIG = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}

PATIENCE_SECONDS = 10.0


def create_topics(
    bootstrap_servers: str,
    topics: Sequence[str] = TOPICS,
    *,
    partitions: int = PARTITIONS,
    replication_factor: int = 1,
) -> Mapping[str, bool]:
    """Create what is missing; tell for each topic whether it was created now.

    Raises Misconfigured, naming every difference, when a topic exists otherwise; BusUnavailable.
    """
    with _admin(KafkaSettings(bootstrap_servers=bootstrap_servers)) as admin:
        present = set(admin.list_topics())
        # Nothing is made beside a topic that is not as it must be.
        _check(admin, [t for t in topics if t in present], partitions, replication_factor)
        created = {topic: _create(admin, topic, partitions, replication_factor) for topic in topics}
        admin.wait_for_topics(list(topics), timeout_ms=int(PATIENCE_SECONDS * 1000))
        _check(admin, topics, partitions, replication_factor)
    return created


def _check(admin: Any, topics: Sequence[str], partitions: int, replication_factor: int) -> None:
    problems = [
        problem
        for topic in topics
        for problem in _differences(admin, topic, partitions, replication_factor)
    ]
    if problems:
        raise Misconfigured("; ".join(problems))


def _create(admin: Any, topic: str, partitions: int, replication_factor: int) -> bool:
    wanted = {
        "num_partitions": partitions,
        "replication_factor": replication_factor,
        "configs": TOPIC_CONFIG,
    }
    try:
        admin.create_topics({topic: wanted})
    except TopicAlreadyExistsError:
        return False
    except InvalidReplicationFactorError as error:
        raise Misconfigured(
            f"the topic {topic} can't be made with {replication_factor} copies of each partition: "
            "the cluster has fewer brokers"
        ) from error
    return True


def _differences(admin: Any, topic: str, partitions: int, replication_factor: int) -> Iterator[str]:
    (described,) = admin.describe_topics([topic])
    if (found := len(described["partitions"])) != partitions:
        yield f"the topic {topic} has {found} partitions, not {partitions}"
    # More copies than asked for keep what fewer keep.
    copies = min(len(partition["replica_nodes"]) for partition in described["partitions"])
    if copies < replication_factor:
        yield f"the topic {topic} has {copies} copies of a partition, not {replication_factor}"
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    described = admin.describe_configs([resource], config_filter="all")
    configs = described["topic"][topic]
    for name, wanted in TOPIC_CONFIG.items():
        if (value := configs[name]["value"]) != wanted:
            yield f"the topic {topic} has {name}={value}, not {wanted}"


@contextmanager
def _admin(settings: KafkaSettings) -> Iterator[Any]:
    clients: list[TouchlineClient] = []

    def connect(**configs: Any) -> TouchlineClient:
        clients.append(TouchlineClient(**configs))
        return clients[-1]

    with domain_errors("asking the cluster about topics"):
        try:
            yield KafkaAdminClient(
                bootstrap_servers=settings.bootstrap_servers,
                client_id="touchline",
                bootstrap_timeout_ms=int(PATIENCE_SECONDS * 1000),
                request_timeout_ms=int(PATIENCE_SECONDS * 1000),
                reconnect_backoff_max_ms=500,
                proxy_url=f"{DIRECT}://",
                kafka_client=connect,
            )
        finally:
            for client in clients:
                client.close()
