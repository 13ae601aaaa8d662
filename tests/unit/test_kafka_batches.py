"""Fetched records are what kafka-python itself would read, and nothing else."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.record.util import calc_crc32c

from adapters.kafka.batches import FetchedRecord, _FetchedRecords

PLACE = TopicPartition("events.taxonomy", 1)
GZIP = 1
CONTROL = 0x20
Given = tuple[bytes | None, bytes | None, list[tuple[str, bytes]], int]

pieces = st.none() | st.binary(max_size=200) | st.binary(min_size=8000, max_size=8500)
names = st.text(st.characters(codec="utf-8"), max_size=9)
records = st.tuples(
    pieces,
    pieces,
    st.lists(st.tuples(names, st.binary(max_size=9)), max_size=3),
    st.integers(0, 2**41),
)


def a_batch(given: list[Given], *, compression: int = 0) -> bytes:
    builder = MemoryRecordsBuilder(magic=2, compression_type=compression, batch_size=2**24)
    for key, value, headers, time in given:
        builder.append(timestamp=time, key=key, value=value, headers=headers)
    builder.close()
    return bytes(builder.buffer())


def read(content: bytes, kind: Any = _FetchedRecords, *, at: int = 0) -> Any:
    return kind(at, PLACE, MemoryRecords(content))


@given(st.lists(records, max_size=30), st.sampled_from([0, GZIP]))
def test_what_was_written_is_read(given: list[Given], compression: int) -> None:
    content = a_batch(given, compression=compression) if given else b""
    ours, theirs = read(content), read(content, Fetcher.PartitionRecords)
    found = ours.take()
    assert found == [
        FetchedRecord(each.offset, each.key, each.value, tuple(each.headers))
        for each in theirs.take()
    ]
    assert [(r.key, r.value, list(r.headers)) for r in found] == [each[:3] for each in given]
    assert ours.next_fetch_offset == theirs.next_fetch_offset == len(given)
    assert ours.leader_epoch == theirs.leader_epoch


def test_it_goes_on_where_it_stopped() -> None:
    part = read(a_batch([(b"k", b"%d" % n, [], 0) for n in range(5)]), at=1)
    assert [record.offset for record in part.take(2)] == [1, 2]
    assert part.next_fetch_offset == 3
    assert [record.offset for record in part.take(9)] == [3, 4]
    assert not part


def changed(content: bytes, at: int, to: bytes) -> bytes:
    """The batch with other bytes, and the checksum that they have."""
    body = bytearray(content)
    body[at : at + len(to)] = to
    crc = calc_crc32c(memoryview(body)[DefaultRecordBatch.ATTRIBUTES_OFFSET :])
    struct.pack_into(">I", body, DefaultRecordBatch.ATTRIBUTES_OFFSET - 4, crc)
    return bytes(body)


START = DefaultRecordBatch.HEADER_STRUCT.size


def test_headers_of_other_programs() -> None:
    """One without a value, and one whose name is not UTF-8: it is told back as it was."""
    content = a_batch([(b"k", b"v", [("name", b"")], 0)])
    at = content.rindex(b"name")
    (record,) = read(changed(content, at, b"\xffame")).take()
    ((name, value),) = record.headers
    assert (name.encode(), value) == (b"\xffame", b"")
    (record,) = read(changed(content, at + 4, b"\x01")).take()
    assert record.headers == (("name", b""),)


def test_what_tells_of_transactions_is_passed_over() -> None:
    content = a_batch([(b"k", b"v", [], 0)])
    (attributes,) = struct.unpack_from(">h", content, DefaultRecordBatch.ATTRIBUTES_OFFSET)
    control = struct.pack(">h", attributes | CONTROL)
    part = read(changed(content, DefaultRecordBatch.ATTRIBUTES_OFFSET, control))
    assert part.take() == []
    assert part.next_fetch_offset == 1


@pytest.mark.parametrize(
    ("at", "to"),
    [
        (START, b"\x0e"),  # a record that ends before it ends
        (START, b"\x12"),  # or after
        (START, b"\xff" * 12),  # a number without an end
        (-1, b"\x7e"),  # more headers than there are
        (-1, b"\x01"),  # fewer than none
        (-1, b"\x02\x01"),  # one without a name
    ],
)
def test_a_record_that_cannot_be_read(at: int, to: bytes) -> None:
    content = a_batch([(b"k", b"v", [], 0)])
    with pytest.raises(CorruptRecordError):
        read(changed(content, at % len(content), to)).take()


def test_another_checksum() -> None:
    content = bytearray(a_batch([(b"k", b"value", [], 0)]))
    content[content.index(b"value")] ^= 1
    with pytest.raises(CorruptRecordError, match="checksum"):
        read(bytes(content)).take()
