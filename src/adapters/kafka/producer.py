"""One producer, ended as soon as a record fails or takes too long.

kafka-python 3.0.12 alone neither gives up in time nor sends nothing later. A batch is not given up
while its producer waits for its id; a producer that gave up a batch it had sent stays without an id
for ever; and closing a producer that holds unsent records leaves it running, and sending.
"""

import logging
import socket
import struct
from collections.abc import Callable, Iterable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError
from kafka.serializer import Serializer

from adapters.kafka.client import TouchlineClient, require
from adapters.kafka.errors import domain_errors, translated
from adapters.kafka.mending import HeaderName
from adapters.kafka.settings import KafkaSettings
from domain.errors import BusUnavailable, Misconfigured, TouchlineError
from domain.log import EVENTS_TAXONOMY, PARTITIONS, NewRecord, Placed, partition_of

NEWEST_KAFKA = (4, 3)
"""The newest release that kafka-python 3.0.12 knows; it speaks to older ones as they need it. To
name one lets a producer begin while no broker can be asked."""

BATCH_BYTES = 256 << 10
LINGER_MS = 2
"""One batch per partition is under way at a time: it should be large, and not wait long."""

LARGEST_REQUEST_BYTES = 1 << 20
"""What a broker accepts by default, in one record or one batch."""

IS_UP_SECONDS = 1.0

END_SECONDS = 0.2
"""How long to wait for a producer's thread to end; it has been told to send nothing more."""

_RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""Closing a connection drops what the operating system has not sent yet."""

_logger = logging.getLogger(__name__)


class Waiting(NamedTuple):
    """A record on its way, and who waits for it."""

    record: NewRecord
    future: "Future[Placed]"
    deadline: float


class Producer:
    """One KafkaProducer, and what was handed to it."""

    def __init__(self, settings: KafkaSettings, on_break: Callable[[], None]) -> None:
        self._on_break = on_break
        self._unacknowledged: list[Waiting] = []
        self.broken_by: Exception | None = None
        """What went wrong first: that this producer ends is no reason to tell anybody."""
        self.has_acknowledged = False
        """Whether Kafka took anything that this producer sent."""
        self._client: TouchlineClient | None = None
        try:
            self._kafka = KafkaProducer(**producer_config(settings), kafka_client=self._connect)
        except (KafkaError, ValueError) as error:
            raise Misconfigured(f"Kafka: no producer can be made: {error}") from error
        except RuntimeError:  # no thread to be had: what the library leaves behind are descriptors
            if self._client is not None:
                self._client.close()
            raise

    @property
    def trouble(self) -> TouchlineError | None:
        """Why no broker answers, where it is known and doesn't pass by itself."""
        return None if self._client is None else self._client.trouble

    def is_up(self) -> bool:
        if self._client is None:
            return False
        # Every process needs this topic; who needs the other one as well says so itself.
        with domain_errors("asking for topics"):
            found = self._client.described([EVENTS_TAXONOMY], within=IS_UP_SECONDS)
        if found is not None:
            require([EVENTS_TAXONOMY], found)
        elif (trouble := self.trouble) is not None:
            raise trouble
        return found is not None

    def send(self, waiting: Waiting) -> bool:
        """Whether the producer took the record, for better or worse."""
        if self.broken_by is not None:
            return False
        topic, key, value, headers = waiting.record
        named = [(HeaderName(name), content) for name, content in headers]
        try:
            if (found := len(self._kafka.partitions_for(topic))) != PARTITIONS:
                _settle(waiting.future, _wrong_number(topic, found))
                return True
            sent = self._kafka.send(
                topic,
                key=key,
                value=_NULL if value is None else value,
                headers=named,
                # Not left to the producer: while partitions are being added it would go by their
                # new number, and a key's records would lie in two places.
                partition=None if key is None else partition_of(key, PARTITIONS),
            )
        except (KafkaTimeoutError, ValueError):
            return False  # the topic is not known
        except KafkaError as error:
            _settle(waiting.future, translated(error, "publishing"))
            return True
        except Exception as error:  # whatever it is: another producer may do better
            _logger.exception("publishing to Kafka failed")
            self._fail(waiting.future, error)
            return True
        self._unacknowledged.append(waiting)
        sent.add_callback(self._acknowledge, waiting.future)
        sent.add_errback(self._fail, waiting.future)
        return True

    def is_spent(self, now: float) -> bool:
        """Whether a record failed or takes too long."""
        self._unacknowledged = [each for each in self._unacknowledged if not each.future.done()]
        if self.broken_by is None and any(each.deadline <= now for each in self._unacknowledged):
            self.broken_by = KafkaTimeoutError("no acknowledgement in time")
        return self.broken_by is not None

    def end(self) -> None:
        """Give up all that is not acknowledged, and see to it that nothing is sent any more."""
        # Its own close(timeout) raises while records are unsent, and goes on sending them.
        sender = self._kafka._sender  # noqa: SLF001
        sender.force_close()
        sender.join(END_SECONDS)
        try:
            self._kafka.close(timeout=0)
        except KafkaError as error:
            _logger.warning("closing a Kafka producer: %s", error)
        give_up(self._unacknowledged, self.broken_by or "the bus was closed")

    def _acknowledge(self, future: "Future[Placed]", metadata: Any) -> None:
        if metadata.offset < 0:
            _settle(future, BusUnavailable("Kafka has the record but does not tell its place"))
        else:
            self.has_acknowledged = True
            _settle(future, Placed(metadata.topic, metadata.partition, metadata.offset))

    def _fail(self, future: "Future[Placed]", error: Exception) -> None:
        if self.broken_by is not None and isinstance(error, IllegalStateError):
            _settle(future, _given_up(self.broken_by))  # it is only that this producer was ended
            return
        self.broken_by = self.broken_by or error
        self._on_break()
        _settle(future, translated(error, "publishing"))

    def _connect(self, **configs: Any) -> TouchlineClient:
        self._client = TouchlineClient(**configs)
        return self._client


class _NullSerializer(Serializer):  # type: ignore[misc]  # kafka-python is untyped
    """kafka-python refuses a record without key and value, Kafka does not."""

    def serialize(self, topic: str, headers: object, data: object) -> object:
        return None if data is _NULL else data


_NULL = object()


def producer_config(settings: KafkaSettings) -> dict[str, Any]:
    """kafka-python's settings of a producer."""
    request_ms = int(settings.give_up_seconds * 600)
    return settings.client_config() | {
        "api_version": NEWEST_KAFKA,
        "metrics_enabled": False,
        "acks": "all",
        "enable_idempotence": True,
        "batch_size": BATCH_BYTES,
        "linger_ms": LINGER_MS,
        "max_request_size": LARGEST_REQUEST_BYTES,
        "max_block_ms": 1,
        "request_timeout_ms": request_ms,
        "delivery_timeout_ms": int(settings.give_up_seconds * 750),
        "retry_backoff_ms": 50,
        "socket_options": [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), _RESET_ON_CLOSE],
        "value_serializer": _NullSerializer(),
    }


def give_up(waiting: Iterable[Waiting], why: object) -> None:
    """Answer those that have no answer yet."""
    for each in waiting:
        if not each.future.done():
            _settle(each.future, _given_up(why))


def _given_up(why: object) -> BusUnavailable:
    return BusUnavailable(f"Kafka: a record was given up: {why!s}")


def _wrong_number(topic: str, found: int) -> BusUnavailable:
    return BusUnavailable(f"Kafka: {topic} has {found} partitions, not {PARTITIONS}")


def _settle(future: "Future[Placed]", outcome: Placed | Exception) -> None:
    """The first word on a record stands."""
    with suppress(InvalidStateError):
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
