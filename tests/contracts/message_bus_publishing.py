"""What becomes of published records, on every MessageBus."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from uuid import uuid4

import pytest

from domain.errors import BusUnavailable
from domain.log import (
    BETS_STATE,
    EVENTS_TAXONOMY,
    PARTITIONS,
    TOPICS,
    NewRecord,
    Placed,
    Record,
    partition_of,
)
from domain.ports import MessageBus
from tests.contracts.message_bus_member import (
    DEADLINE,
    OpenBus,
    by_place,
    comes_up,
    joined,
    new_key,
    place,
)


class PublishContract:
    """What becomes of published records."""

    def test_bytes_are_untouched(self, buses: OpenBus) -> None:
        records = [
            NewRecord(EVENTS_TAXONOMY, new_key(), b"\x00\xff{not json", (("type", b"\x80"),)),
            NewRecord(EVENTS_TAXONOMY, new_key(), None),
            NewRecord(EVENTS_TAXONOMY, new_key(), b""),
            NewRecord(EVENTS_TAXONOMY, None, b"no key"),
            NewRecord(EVENTS_TAXONOMY, None, None),
            NewRecord(EVENTS_TAXONOMY, b"", b"empty key"),
            NewRecord(EVENTS_TAXONOMY, b"\x00\xfe", bytes(range(256)) * 800),
            NewRecord(EVENTS_TAXONOMY, new_key(), b"-", (("a", b""), ("a", b"2"), ("", b"\x00"))),
            NewRecord(EVENTS_TAXONOMY, new_key(), b"-", (("zoë\x00", "ж".encode()),)),
        ]
        reader = joined(buses(), EVENTS_TAXONOMY)
        reader.seek_to_end()
        placed = place(buses(), records)
        received = by_place(reader.gather(len(records)))
        assert [received[p.partition, p.offset][2:] for p in placed] == [r[1:] for r in records]

    def test_futures_tell_the_place_in_order(self, buses: OpenBus) -> None:
        reader = joined(buses(), EVENTS_TAXONOMY)
        ends = {source.partition: end for source, (_, end) in reader.seek_to_end().items()}
        records = [NewRecord(EVENTS_TAXONOMY, new_key(), b"%d" % n) for n in range(100)]
        placed = place(buses(), records)
        for partition, end in ends.items():
            offsets = [p.offset for p in placed if p.partition == partition]
            assert offsets == list(range(end, end + len(offsets)))
        received = by_place(reader.gather(len(records)))
        for record, (topic, partition, offset) in zip(records, placed, strict=True):
            assert topic == EVENTS_TAXONOMY
            assert received[partition, offset].value == record.value

    def test_equal_keys_share_a_partition_and_keep_their_order(self, buses: OpenBus) -> None:
        bus, keys = buses(), [new_key() for _ in range(7)]
        reader = joined(bus, EVENTS_TAXONOMY)
        reader.seek_to_end()
        records = [NewRecord(EVENTS_TAXONOMY, key, b"%d" % n) for n in range(30) for key in keys]
        for start in range(0, len(records), 50):
            bus.publish(records[start : start + 50])
        received = reader.gather(len(records))
        for key in keys:
            of_key = [record for record in received if record.key == key]
            assert [record.value for record in of_key] == [b"%d" % n for n in range(30)]
            assert len({record.source for record in of_key}) == 1

    def test_the_key_alone_chooses_the_partition(self, buses: OpenBus) -> None:
        keys = [b"", b"a", b"\xff\xfe\xfd", *(new_key() for _ in range(30))]
        for topic in TOPICS:
            placed = place(buses(), [NewRecord(topic, key, b"-") for key in keys])
            expected = [partition_of(key, PARTITIONS) for key in keys]
            assert [p.partition for p in placed] == expected

    def test_one_call_may_name_several_topics(self, buses: OpenBus) -> None:
        topics = [BETS_STATE, EVENTS_TAXONOMY, BETS_STATE]
        placed = place(buses(), [NewRecord(topic, new_key(), b"-") for topic in topics])
        assert [p.topic for p in placed] == topics

    def test_nothing_to_publish(self, buses: OpenBus) -> None:
        bus = buses()
        comes_up(bus)
        assert list(bus.publish([])) == []

    def test_concurrent_publishers_leave_no_gap(self, buses: OpenBus) -> None:
        reader = joined(buses(), EVENTS_TAXONOMY)
        ends = reader.seek_to_end()
        keys = [new_key() for _ in range(5)]
        with ThreadPoolExecutor() as pool:
            placed = list(
                chain(*pool.map(lambda name: _publish_many(buses(), keys, name), (b"a", b"b")))
            )
        received = reader.gather(len(placed))
        assert len(received) == len(placed) == len({(p.partition, p.offset) for p in placed})
        for source, (_, end) in ends.items():
            offsets = [record.offset for record in received if record.source == source]
            assert offsets == list(range(end, end + len(offsets)))
        for values in _values_of_each(received).values():
            assert values == list(range(60))

    def test_a_missing_topic_fails_the_future(self, buses: OpenBus) -> None:
        (future,) = buses().publish([NewRecord(f"missing.{uuid4()}", new_key(), b"-")])
        with pytest.raises(BusUnavailable):
            future.result(timeout=DEADLINE)

    def test_a_closed_bus_publishes_nothing(self, buses: OpenBus) -> None:
        bus = buses()
        reader = joined(buses(), EVENTS_TAXONOMY)
        ends = reader.seek_to_end()
        bus.close()
        bus.close()
        assert not bus.is_up()
        for future in bus.publish([NewRecord(EVENTS_TAXONOMY, new_key(), b"-")] * 2):
            with pytest.raises(BusUnavailable):
                future.result(timeout=DEADLINE)
        assert dict(reader.subscription.bounds(ends)) == ends

    def test_close_leaves_no_future_open(self, buses: OpenBus) -> None:
        bus = buses()
        reader = joined(buses(), EVENTS_TAXONOMY)
        reader.seek_to_end()
        key = new_key()
        futures = bus.publish([NewRecord(EVENTS_TAXONOMY, key, b"%d" % n) for n in range(200)])
        bus.close()
        assert all(future.done() for future in futures)
        acknowledged = [n for n, future in enumerate(futures) if future.exception() is None]
        received = reader.gather(len(acknowledged))
        assert {b"%d" % n for n in acknowledged} <= {record.value for record in received}


def _publish_many(bus: MessageBus, keys: Sequence[bytes], name: bytes) -> list[Placed]:
    futures: list[Future[Placed]] = []
    for number in range(60):
        headers = (("number", b"%d" % number),)
        futures += bus.publish([NewRecord(EVENTS_TAXONOMY, key, name, headers) for key in keys])
    return [future.result(timeout=DEADLINE) for future in futures]


def _values_of_each(
    records: Iterable[Record],
) -> dict[tuple[bytes | None, bytes | None], list[int]]:
    numbers: dict[tuple[bytes | None, bytes | None], list[int]] = {}
    for record in records:
        numbers.setdefault((record.key, record.value), []).append(int(record.headers[0][1]))
    return numbers
