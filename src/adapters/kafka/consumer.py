"""One kafka-python consumer that reads certain incarnations of topics, and no others."""

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError

from adapters.kafka.batches import FetchedRecord, read_quickly
from adapters.kafka.client import LogClient, require
from adapters.kafka.errors import domain_errors
from adapters.kafka.mending import mend_at_first, mend_before_poll
from adapters.kafka.settings import KafkaSettings
from domain.errors import Misconfigured, TouchlineError
from domain.log import PARTITIONS, Bounds, LogPartition, Record

OLDEST_KAFKA = (3, 1)
"""The first release that fetches by topic id."""

FETCH_WAIT_MS = 100
"""How long the broker holds an empty fetch. A sought or resumed partition joins the next one, so
this is what it waits at most; records that arrive end the wait at once."""

HEARTBEAT_MS = 500
"""A member learns from its next heartbeat that others come or go, and all wait for it."""

LARGEST_RECORD_BYTES = 1 << 20
"""A broker's default. Of larger ones a fetch brings one at a time."""

CLOSE_SECONDS = 2.0

NO_TOPIC_ID = UUID(int=0)
"""What the cluster says of a topic that does not exist."""

Fetched = Mapping[TopicPartition, Sequence[FetchedRecord]]
"""What a poll brought."""

_logger = logging.getLogger(__name__)


class LogConsumer:
    """A KafkaConsumer, tied to the logs that its topics were when it connected."""

    def __init__(
        self, settings: KafkaSettings, topics: Collection[str], *, group: str | None = None
    ) -> None:
        """Connect and check the topics; raise BusUnavailable or Misconfigured."""
        self.log_ids: dict[str, UUID] = {}
        self._settings = settings
        self._client: LogClient | None = None
        self.kafka: Any = None
        try:
            with self._errors("connecting a consumer"):
                self.kafka = KafkaConsumer(**self._config(group))
            mend_at_first(self.kafka)
            read_quickly(self.kafka)
            self.log_ids.update(self._checked(topics))
        except BaseException:
            self.close()
            raise

    @property
    def client(self) -> LogClient:
        """The network client of the KafkaConsumer."""
        if self._client is None:
            raise RuntimeError("not connected")
        return self._client

    def source(self, partition: TopicPartition) -> LogPartition:
        """The partition of the log that this consumer reads."""
        return LogPartition(partition.topic, partition.partition, self.log_ids[partition.topic])

    def join(self, listener: ConsumerRebalanceListener) -> None:
        """Begin to join the group; polling completes it."""
        with self._errors("joining a group"):
            self.kafka.subscribe(list(self.log_ids), listener=listener)
            # A group's leader that doesn't know the topics yet would share out nothing.
            self.client.learn(self.log_ids, timeout=self._settings.answer_seconds)

    def poll(self, *, timeout: float, most: int) -> Fetched:
        """As KafkaConsumer.poll, KafkaErrors included."""
        mend_before_poll(self.kafka)
        found: Fetched = self.kafka.poll(timeout_ms=int(timeout * 1000), max_records=most)
        return found

    def is_outdated(self) -> bool:
        """Whether a topic is known to be another log by now, or to have been given more
        partitions; costs nothing."""
        cluster = self.client.cluster
        for topic, log_id in self.log_ids.items():
            partitions = cluster.partitions_for_topic(topic)
            if cluster.topic_id(topic) not in (None, NO_TOPIC_ID, log_id) or (
                partitions is not None and len(partitions) > PARTITIONS
            ):
                return True
        return False

    def bounds(self, sources: Collection[LogPartition]) -> dict[LogPartition, Bounds]:
        """What these logs hold now; what is another log by now, or gone, is left out.

        Kafka tells offsets by topic name: so the topics' ids are asked before (an unknown topic
        would be asked for until the time is up) and after.
        """
        patience_ms = int(self._settings.answer_seconds * 1000)
        with self._errors("asking for offsets"):
            present = {_place(source): source for source in self._present(sources)}
            starts = self.kafka.beginning_offsets(list(present), timeout_ms=patience_ms)
            ends = self.kafka.end_offsets(list(present), timeout_ms=patience_ms)
            still_present = self._present(present.values())
        return {
            source: Bounds(starts[_place(source)], ends[_place(source)]) for source in still_present
        }

    def close(self) -> None:
        """Leave the group, if there is a broker to tell, and free everything."""
        try:
            if self.kafka is not None:
                self.kafka.close(autocommit=False, timeout_ms=int(CLOSE_SECONDS * 1000))
            elif self._client is not None:
                self._client.close()
        except KafkaError as error:
            _logger.warning("closing a Kafka consumer: %s", error)

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return domain_errors(doing, trouble=self._trouble)

    def _trouble(self) -> TouchlineError | None:
        return None if self._client is None else self._client.trouble

    def _config(self, group: str | None) -> dict[str, Any]:
        settings = self._settings
        return settings.client_config() | {
            "kafka_client": self._connect,
            "metrics_enabled": False,
            "client_id": group or "touchline",
            "bootstrap_timeout_ms": int(settings.answer_seconds * 1000),
            # A follower's part in a rebalance is answered once the leader has done its own.
            "request_timeout_ms": int(settings.session_seconds * 1000),
            "group_id": group,
            "partition_assignment_strategy": [RangePartitionAssignor],
            "session_timeout_ms": int(settings.session_seconds * 1000),
            "heartbeat_interval_ms": min(HEARTBEAT_MS, int(settings.session_seconds * 300)),
            "max_poll_interval_ms": int(settings.work_seconds * 1000),
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "allow_auto_create_topics": False,
            "fetch_max_wait_ms": FETCH_WAIT_MS,
            "max_partition_fetch_bytes": LARGEST_RECORD_BYTES,
        }

    def _connect(self, **configs: Any) -> LogClient:
        self._client = LogClient(self.log_ids, **configs)
        return self._client

    def _checked(self, topics: Collection[str]) -> Mapping[str, UUID]:
        if self.kafka.config["api_version"] < OLDEST_KAFKA:
            raise Misconfigured("Touchline needs Apache Kafka 3.1 or newer")
        with self._errors("describing topics"):
            found = self.client.describe(topics, timeout=self._settings.answer_seconds)
        require(topics, found)
        return {topic: found[topic].log_id for topic in topics}

    def _present(self, sources: Collection[LogPartition]) -> list[LogPartition]:
        if not sources:
            return []
        topics = {source.topic for source in sources}
        found = self.client.describe(topics, timeout=self._settings.answer_seconds)
        return [
            source
            for source in sources
            if source.topic in found and found[source.topic].log_id == source.log_id
        ]


def records_of(source: LogPartition, batch: Sequence[FetchedRecord]) -> list[Record]:
    """Fetched records in the domain's words."""
    return [Record(source, *each) for each in batch]


def _place(source: LogPartition) -> TopicPartition:
    return TopicPartition(source.topic, source.partition)
