"""Three real Kafka brokers that keep copies of each other's partitions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient

from adapters.kafka.settings import KafkaSettings
from domain.log import EVENTS_TAXONOMY
from tests.kafka.broker import KafkaBroker, free_ports, new_cluster_id

BROKERS = 3
MIN_INSYNC = 2


class KafkaCluster:
    """Brokers that are their own controllers (KRaft): two of three can elect and write."""

    def __init__(self, directory: Path) -> None:
        cluster_id = new_cluster_id()
        ports = free_ports(2 * BROKERS)
        pairs = list(zip(ports[:BROKERS], ports[BROKERS:], strict=True))
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, (_, port) in enumerate(pairs, start=1))
        common = {
            "controller.quorum.voters": voters,
            "controller.quorum.election.timeout.ms": "500",
            "controller.quorum.fetch.timeout.ms": "1000",
            "offsets.topic.replication.factor": str(BROKERS),
            "transaction.state.log.replication.factor": str(BROKERS),
            "transaction.state.log.min.isr": str(MIN_INSYNC),
            "share.coordinator.state.topic.replication.factor": str(BROKERS),
            "share.coordinator.state.topic.min.isr": str(MIN_INSYNC),
            "replica.lag.time.max.ms": "3000",
        }
        self.brokers: Sequence[KafkaBroker] = [
            KafkaBroker(
                directory / f"broker-{number}",
                properties=common | {"node.id": str(number)},
                cluster_id=cluster_id,
                ports=pair,
            )
            for number, pair in enumerate(pairs, start=1)
        ]

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self.brokers)

    @property
    def settings(self) -> KafkaSettings:
        return KafkaSettings(bootstrap_servers=self.bootstrap)

    def start(self) -> None:
        """Start those that don't run; a quorum answers only together."""
        started = [broker for broker in self.brokers if not broker.is_running]
        for broker in started:
            broker.launch()
        for broker in started:
            broker.wait_until_it_answers()

    def kill(self) -> None:
        for broker in self.brokers:
            broker.kill()

    def leader(self, topic: str = EVENTS_TAXONOMY) -> KafkaBroker:
        """Who leads the topic's first partition."""
        number = int(self._partitions(topic)[0]["leader_id"])
        assert number >= 1, "nobody leads it just now"
        return self.brokers[number - 1]

    def is_whole(self, topics: Sequence[str]) -> bool:
        """Whether each copy of each partition is as new as its leader's."""
        found = [self._partitions(topic) for topic in topics]
        copies = [len(each["isr_nodes"]) for partitions in found for each in partitions]
        return all(found) and set(copies) == {BROKERS}

    def _partitions(self, topic: str) -> list[dict[str, Any]]:
        with KafkaAdminClient(bootstrap_servers=self.bootstrap) as admin:
            (described,) = admin.describe_topics([topic])
        found: list[dict[str, Any]] = described["partitions"]
        return sorted(found, key=lambda each: int(each["partition_index"]))
