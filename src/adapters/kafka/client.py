"""kafka-python's network client, made to know a topic's incarnations.

kafka-python 3.0.12 fetches by topic name, so that it goes on reading, at the same offsets, when a
topic was deleted and created anew. Kafka can fetch by topic id (Fetch version 13, KIP-516): the
client here does, and the broker itself refuses to answer from another incarnation.
"""

import time
from collections.abc import Collection, Mapping
from functools import partial
from threading import Event
from typing import Any, NamedTuple
from uuid import UUID

from kafka import errors as kafka_errors
from kafka.future import Future
from kafka.net.compat import KafkaNetClient
from kafka.net.selector import NetworkSelector
from kafka.protocol.consumer import FetchRequest
from kafka.protocol.metadata import MetadataRequest, MetadataResponse

from adapters.kafka.connections import Connections
from domain.errors import Misconfigured, TouchlineError
from domain.log import PARTITIONS

FETCH_BY_TOPIC_ID = 13
"""The version of the Fetch request that names topics by id."""

METADATA_WITH_TOPIC_ID = 10

REFUSED_FETCH_SECONDS = 0.1
"""How long the answer is held back when a fetch was refused: kafka-python asks again at once."""


ASK_AGAIN_SECONDS = 0.05


class Topic(NamedTuple):
    """What the cluster says of a topic right now."""

    log_id: UUID
    partitions: int


def require(topics: Collection[str], found: Mapping[str, Topic]) -> None:
    """Raise Misconfigured unless each is there, and as Touchline needs it."""
    for topic in topics:
        if topic not in found:
            raise Misconfigured(f"the topic {topic} does not exist; type: touchline topics")
        if (partitions := found[topic].partitions) != PARTITIONS:
            raise Misconfigured(f"{topic} has {partitions} partitions, not {PARTITIONS}")


class TouchlineClient(KafkaNetClient):  # type: ignore[misc]  # kafka-python is untyped
    """A client that never lets the broker create topics."""

    def __init__(
        self, net: NetworkSelector | None = None, manager: Connections | None = None, **configs: Any
    ) -> None:
        net = NetworkSelector(**configs) if net is None else net
        manager = Connections(net, **configs) if manager is None else manager
        super().__init__(net=net, manager=manager, **configs)
        # The clients' setting of this name doesn't get here.
        self.cluster.config["allow_auto_create_topics"] = False

    @property
    def trouble(self) -> TouchlineError | None:
        """Why no broker answers, where it is known and doesn't pass by itself."""
        connections: Connections = self._manager
        return connections.trouble

    def described(self, topics: Collection[str], *, within: float) -> dict[str, Topic] | None:
        """What some broker says of them now, as `describe` returns it; None if none answers.
        Another thread must be running the network. Raises KafkaError."""
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            ended = Event()
            try:
                answer = self._manager.call_soon(partial(self._ask, topics))
            except RuntimeError:  # it was closed meanwhile
                return None
            answer.add_both(lambda _, ended=ended: ended.set())
            if ended.wait(left) and answer.succeeded():
                return _topics_in(answer.value)
            time.sleep(min(left, ASK_AGAIN_SECONDS))
        return None

    def _ask(self, topics: Collection[str]) -> Any:
        """What the cluster says of them; it creates none."""
        request = MetadataRequest(
            topics=[MetadataRequest.MetadataRequestTopic(name=topic) for topic in topics],
            allow_auto_topic_creation=False,
            min_version=METADATA_WITH_TOPIC_ID,
        )
        return self._manager.send(request)


class LogClient(TouchlineClient):
    """A client that fetches from the given incarnations of topics only."""

    def __init__(self, log_ids: Mapping[str, UUID], **configs: Any) -> None:
        """`log_ids` may be filled later, before the first fetch."""
        net = _NetworkWithoutCycles(**configs)
        manager = _FetchByTopicId(net, log_ids, **configs)
        super().__init__(net=net, manager=manager, **configs)

    def describe(self, topics: Collection[str], *, timeout: float) -> dict[str, Topic]:
        """Ask the cluster, now; a topic that does not exist is left out. Raises KafkaError."""
        described: dict[str, Topic] = self._manager.run(self._describe, topics, timeout * 1000)
        return described

    def learn(self, topics: Collection[str], *, timeout: float) -> None:
        """Return once the cached picture of the cluster has these topics. Raises KafkaError."""
        deadline = time.monotonic() + timeout
        while any(self.cluster.partitions_for_topic(topic) is None for topic in topics):
            left = max(0.0, deadline - time.monotonic())
            try:
                self._manager.run(
                    self._manager.wait_for, self.cluster.request_update(), left * 1000
                )
            except kafka_errors.RetriableError:  # brokers learn of a new topic one by one
                if not left:
                    raise
                time.sleep(min(left, ASK_AGAIN_SECONDS))

    async def _describe(self, topics: Collection[str], patience_ms: float) -> dict[str, Topic]:
        return _topics_in(await self._manager.wait_for(self._ask(topics), patience_ms))


def _topics_in(response: Any) -> dict[str, Topic]:
    described = {}
    for topic in response.topics:
        error = kafka_errors.for_code(topic.error_code)
        if error is kafka_errors.NoError:
            described[topic.name] = Topic(topic.topic_id, len(topic.partitions))
        elif error is not kafka_errors.UnknownTopicOrPartitionError:
            raise error(topic.name)
    return described


class _NetworkWithoutCycles(NetworkSelector):  # type: ignore[misc]  # kafka-python is untyped
    """Each poll that finds nothing ends in an error that is caught. As the library raises it, it is
    kept by a frame that it keeps, and with that all that its callers see: the records of whole
    batches, until the garbage collector comes."""

    def run(self, coro: Any, *args: Any) -> Any:
        try:
            return super().run(coro, *args)
        except kafka_errors.KafkaTimeoutError as error:
            error.with_traceback(None)
            why = str(error)
        raise kafka_errors.KafkaTimeoutError(why)


class _FetchByTopicId(Connections):
    """Rewrites fetches on their way out, and their answers on the way back."""

    def __init__(self, net: Any, log_ids: Mapping[str, UUID], **configs: Any) -> None:
        super().__init__(net, **configs)
        self._log_ids = log_ids

    def send(
        self, request: Any, node_id: Any = None, request_timeout_ms: float | None = None
    ) -> Any:
        if isinstance(request, FetchRequest):
            return self._fetch(request, node_id, request_timeout_ms)
        return super().send(request, node_id, request_timeout_ms)

    def _fetch(self, request: Any, node_id: Any, request_timeout_ms: float | None) -> Any:
        for topic in (*request.topics, *request.forgotten_topics_data):
            topic.topic_id = self._log_ids[topic.topic]
        request._min_version = request._max_version = FETCH_BY_TOPIC_ID  # noqa: SLF001
        delivered = Future()
        connection_id = self._connection_for_fetches(node_id)
        if delay := self._delay(connection_id):
            refusal = kafka_errors.NodeNotReadyError(connection_id)
            self._net.call_later(delay, lambda: delivered.failure(refusal))
            return delivered
        answered = super().send(request, connection_id, request_timeout_ms)
        answered.add_callback(partial(self._deliver, delivered))
        answered.add_errback(delivered.failure)
        return delivered

    def _connection_for_fetches(self, node_id: Any) -> str:
        """Of their own: a broker holds an empty fetch, and answers what was asked on the same
        connection after it only then. The library does so for a group's coordinator."""
        connection_id = f"fetch-{node_id}"
        broker = self.cluster.broker_metadata(node_id)
        if broker is not None:
            own = MetadataResponse.MetadataResponseBroker(
                node_id=connection_id, host=broker.host, port=broker.port, rack=broker.rack
            )
            self.cluster._coordinator_brokers[connection_id] = own  # noqa: SLF001
        return connection_id

    def _delay(self, connection_id: str) -> float:
        """Seconds to wait before it is used: it failed just now, or the broker slows us down."""
        connection = self._conns.get(connection_id)
        throttled = 0.0
        if connection is not None:
            throttled = connection._throttle_time - time.monotonic()  # noqa: SLF001
        return max(float(self.connection_delay(connection_id)), throttled, 0.0)

    def _deliver(self, delivered: Any, response: Any) -> None:
        names = {log_id: name for name, log_id in self._log_ids.items()}
        refused = response.error_code != 0
        for topic in response.responses:
            topic.topic = names[topic.topic_id]
            refused = refused or any(partition.error_code for partition in topic.partitions)
        if refused:
            self._net.call_later(REFUSED_FETCH_SECONDS, lambda: delivered.success(response))
        else:
            delivered.success(response)
