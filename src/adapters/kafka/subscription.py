"""A member of a consumer group on Kafka."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, NamedTuple

from kafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from adapters.kafka.consumer import Fetched, LogConsumer, records_of
from adapters.kafka.errors import translated
from adapters.kafka.mending import mend_when_a_join_begins
from domain.errors import BusUnavailable
from domain.log import Bounds, LogPartition, Record
from domain.ports import Poll

SLICE_SECONDS = 0.1
"""kafka-python's poll does not return when partitions come or go: so it is called in slices."""

TELL_SECONDS = 1.0
"""Between two reports of progress to Kafka."""

_logger = logging.getLogger(__name__)


class KafkaSubscription:
    """Begins anew, with a new consumer, when a topic turns out to be another log than it was:
    nothing that the old one had fetched can survive."""

    def __init__(self, connect: Callable[[], LogConsumer]) -> None:
        """Join the group; raise BusUnavailable or Misconfigured."""
        self._connect = connect
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._assigned: set[LogPartition] = set()
        self._revoked: set[LogPartition] = set()
        self._moves: SimpleQueue[_Move] = SimpleQueue()
        self._progress: dict[LogPartition, int] = {}
        """Next offsets that Kafka wasn't told yet."""
        self._tell_at = 0.0
        self._closed = False
        self._consumer: LogConsumer | None = self._join()

    def poll(self, *, timeout: float, most: int) -> Poll:
        deadline = time.monotonic() + timeout
        while True:
            left = max(0.0, deadline - time.monotonic())
            records = self._poll_once(min(left, SLICE_SECONDS), most)
            if records or self._assigned or self._revoked or left <= SLICE_SECONDS:
                break
        self._tell_progress()
        poll = Poll(records, frozenset(self._assigned), frozenset(self._revoked))
        self._assigned.clear()
        self._revoked.clear()
        return poll

    def seek(self, source: LogPartition, offset: int) -> None:
        for partition in self._owned([source]):
            self._joined().kafka.seek(partition.place, offset)
            partition.is_sought = True
            self._start_or_stop(partition)

    def pause(self, sources: Collection[LogPartition]) -> None:
        for partition in self._owned(sources):
            partition.is_paused = True
            self._start_or_stop(partition)

    def resume(self, sources: Collection[LogPartition]) -> None:
        for partition in self._owned(sources):
            partition.is_paused = False
            self._start_or_stop(partition)

    def bounds(self, sources: Collection[LogPartition]) -> Mapping[LogPartition, Bounds]:
        return self._joined().bounds(sources)

    def commit(self, next_offsets: Mapping[LogPartition, int]) -> None:
        self._progress.update(next_offsets)
        self._tell_progress()

    def _tell_progress(self) -> None:
        """Once a second: it is for tools that show a lag, and each time the broker writes to disk.
        Where to go on is in the database."""
        now = time.monotonic()
        if not self._progress or now < self._tell_at:
            return
        self._tell_at = now + TELL_SECONDS
        progress, self._progress = self._progress, {}
        offsets = {
            partition.place: OffsetAndMetadata(progress[partition.source])
            for partition in self._owned(progress)
        }
        if self._consumer is None or not offsets:
            return
        try:
            self._consumer.kafka.commit_async(offsets, callback=_note_commit)
        except KafkaError as error:
            _note_commit(offsets, error)

    def close(self) -> None:
        self._closed = True
        self._leave()

    def _poll_once(self, timeout: float, most: int) -> list[Record]:
        consumer = self._joined()
        outdated = False
        found: Fetched = {}
        try:
            found = consumer.poll(timeout=timeout, most=most)
        except OffsetOutOfRangeError as error:
            self._reset(error.args[0])
        except LogTruncationError as error:
            _logger.warning("joining anew: %s", error)
            outdated = True
        except KafkaError as error:
            raise translated(error, "polling") from error
        finally:
            self._note_moves()
        if outdated or consumer.is_outdated():
            self._leave()
        records: list[Record] = []
        for place, batch in found.items():
            source = consumer.source(place)
            if source not in self._assigned and source not in self._revoked:
                records += records_of(source, batch)
        return records

    def _joined(self) -> LogConsumer:
        if self._closed:
            raise BusUnavailable("the subscription is closed")
        if self._consumer is None:
            self._consumer = self._join()
        return self._consumer

    def _join(self) -> LogConsumer:
        self._moves = SimpleQueue()
        consumer = self._connect()
        try:
            consumer.join(_Listener(consumer.kafka, self._moves))
        except BaseException:
            consumer.close()
            raise
        return consumer

    def _leave(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
        self._revoke(list(self._partitions))

    def _note_moves(self) -> None:
        """Take over what the listener saw."""
        consumer = self._joined()
        while not self._moves.empty():
            move = self._moves.get()
            self._revoke(move.revoked)
            for place in move.assigned:
                source = consumer.source(place)
                self._partitions[place] = _Partition(place, source)
                self._assigned.add(source)

    def _revoke(self, places: Iterable[TopicPartition]) -> None:
        for place in places:
            partition = self._partitions.pop(place, None)
            if partition is not None:
                self._assigned.discard(partition.source)
                self._progress.pop(partition.source, None)
                self._revoked.add(partition.source)

    def _reset(self, places: Iterable[TopicPartition]) -> None:
        """The log doesn't hold the offset that was sought or read up to."""
        for place in places:
            if (partition := self._partitions.get(place)) is not None:
                partition.is_sought = partition.is_paused = False
                self._start_or_stop(partition)
                self._assigned.add(partition.source)

    def _owned(self, sources: Iterable[LogPartition]) -> list["_Partition"]:
        places = (TopicPartition(source.topic, source.partition) for source in sources)
        return [
            partition
            for source, place in zip(sources, places, strict=True)
            if (partition := self._partitions.get(place)) and partition.source == source
        ]

    def _start_or_stop(self, partition: "_Partition") -> None:
        kafka = self._joined().kafka
        if partition.is_sought and not partition.is_paused:
            kafka.resume(partition.place)
        else:
            kafka.pause(partition.place)


@dataclass(slots=True)
class _Partition:
    """A partition that is this member's."""

    place: TopicPartition
    source: LogPartition
    is_sought: bool = False
    is_paused: bool = False


class _Move(NamedTuple):
    """Partitions that came or went, one of the two."""

    assigned: Collection[TopicPartition] = ()
    revoked: Collection[TopicPartition] = ()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python is untyped
    """Runs on the client's I/O thread, where nothing may block."""

    def __init__(self, kafka: Any, moves: "SimpleQueue[_Move]") -> None:
        self._kafka = kafka
        self._moves = moves

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        # Without a position kafka-python would take the group's committed one, or raise.
        for place in assigned:
            self._kafka.seek(place, 0)
        self._kafka.pause(*assigned)
        self._moves.put(_Move(assigned=assigned))

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self._moves.put(_Move(revoked=revoked))
        mend_when_a_join_begins(self._kafka)


def _note_commit(offsets: Mapping[TopicPartition, Any], outcome: object) -> None:
    """Lag tools may be told late: the next commit makes up for it."""
    if isinstance(outcome, Exception):
        _logger.debug("committing %s: %s", offsets, outcome)
