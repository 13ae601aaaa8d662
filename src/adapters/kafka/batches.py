"""Reading what a fetch brought. kafka-python 3.0.12 makes two objects of each record, measures them
and reads its timestamp: three times the work of all that is needed here.

It reaches into private parts, as `mending` does: that is why the version is pinned exactly.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError

from adapters.kafka.mending import HeaderName
from domain.log import Headers

FORMAT = 2
"""The record format since Kafka 0.11: https://kafka.apache.org/documentation/#recordbatch"""

LAST = 0x80
"""Bytes below this are the last one of a number."""

LONGEST_NUMBER = 63
"""Bits of the largest number."""


class FetchedRecord(NamedTuple):
    """A record, without its partition."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def read_quickly(consumer: Any) -> None:
    """Let a KafkaConsumer's polls give FetchedRecords."""
    consumer._fetcher.PartitionRecords = _FetchedRecords  # noqa: SLF001


class _FetchedRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # kafka-python is untyped
    """What is left of one partition's part of a fetch."""

    def _unpack_records(self, place: Any, batches: Any, *_: object) -> Iterator[FetchedRecord]:
        batch = last = batches.next_batch()
        while batch is not None:
            last = batch
            if not batch.validate_crc():
                raise CorruptRecordError(f"a batch of {place} has another checksum")
            if batch.magic == FORMAT:
                self.leader_epoch = batch.leader_epoch
            # Control batches tell of transactions, which nobody needs here.
            if batch.magic != FORMAT or not batch.is_control_batch:
                for record in _records_in(batch):
                    self.next_fetch_offset = record.offset + 1
                    yield record
            batch = batches.next_batch()
        if last is not None and last.magic == FORMAT:
            self.next_fetch_offset = last.next_offset
        self.drain()


def _records_in(batch: Any) -> Iterator[FetchedRecord]:
    if batch.magic != FORMAT:
        for each in batch:
            yield FetchedRecord(each.offset, each.key, each.value, ())
        return
    batch._maybe_uncompress()  # noqa: SLF001
    content = bytes(batch._buffer)  # noqa: SLF001
    at, first = batch._pos, batch.base_offset  # noqa: SLF001
    try:
        for _ in range(batch.records_count):
            length, at = _number(content, at)
            end = at + length
            _require(end <= len(content))
            at += 1  # attributes
            while content[at] >= LAST:  # and the time
                at += 1
            offset, at = _number(content, at + 1)
            key, at = _bytes(content, at)
            value, at = _bytes(content, at)
            yield FetchedRecord(first + offset, key, value, _headers(content[at:end]))
            at = end
        _require(at == len(content))
    except (IndexError, ValueError) as error:
        raise CorruptRecordError(f"a record can't be read: {error}") from error


@lru_cache(1000)  # nearly all records have the same
def _headers(content: bytes) -> Headers:
    """Other programs' headers may be without a value, the domain's may not. A name that is not
    UTF-8 is kept by its bytes: as an error it would stop the partition."""
    count, at = _number(content, 0)
    found: list[tuple[str, bytes]] = []
    for _ in range(count):
        name, at = _bytes(content, at)
        value, at = _bytes(content, at)
        _require(name is not None)
        found.append((_name(name or b""), value or b""))
    _require(count >= 0 and at == len(content))
    return tuple(found)


def _require(fits: bool) -> None:
    if not fits:
        raise ValueError("its lengths don't fit")


def _name(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return HeaderName(name.decode(errors="surrogateescape"))


def _bytes(content: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _number(content, at)
    if length < 0:
        return None, at
    return content[at : at + length], at + length


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A number of any length, and where it ends."""
    found, shift = content[at], 7
    at += 1
    if found >= LAST:
        found &= 0x7F
        while True:
            byte = content[at]
            at += 1
            found |= (byte & 0x7F) << shift
            if byte < LAST:
                break
            shift += 7
            if shift > LONGEST_NUMBER:
                raise ValueError("a number has no end")
    return (found >> 1) ^ -(found & 1), at
