"""How one member reads the partitions that are its own, on every MessageBus."""

import time
from itertools import groupby
from operator import attrgetter
from threading import Timer
from uuid import uuid4

from domain.log import (
    BETS_STATE,
    EVENTS_TAXONOMY,
    PARTITIONS,
    LogPartition,
    NewRecord,
)
from tests.contracts.message_bus_member import (
    DEADLINE,
    OpenBus,
    attempts,
    by_place,
    joined,
    new_key,
    one_on_each,
    place,
)


class ReadContract:
    """How one member reads the partitions that are its own."""

    def test_nothing_comes_before_seek(self, buses: OpenBus) -> None:
        bus = buses()
        reader = joined(bus, EVENTS_TAXONOMY)
        sought = reader.partition(1)
        bounds = reader.subscription.bounds([sought])
        reader.subscription.seek(sought, bounds[sought].end)
        place(bus, one_on_each([0, 2, 1]))
        assert [record.source for record in reader.gather(1)] == [sought]
        reader.turn()
        assert [record.source for record in reader.records] == [sought]

    def test_seek_back_delivers_again(self, buses: OpenBus) -> None:
        bus, key = buses(), new_key(0)
        reader = joined(bus, EVENTS_TAXONOMY)
        end = reader.seek_to_end()[reader.partition(0)].end
        place(bus, [NewRecord(EVENTS_TAXONOMY, key, b"%d" % n) for n in range(10)])
        first = reader.gather(10)
        reader.subscription.seek(reader.partition(0), end + 4)
        assert reader.gather(6) == first[4:]
        reader.subscription.seek(reader.partition(0), end + 9)
        place(bus, [NewRecord(EVENTS_TAXONOMY, key, b"next")])
        assert [record.value for record in reader.gather(2)] == [b"9", b"next"]

    def test_seek_elsewhere_is_ignored(self, buses: OpenBus) -> None:
        bus = buses()
        reader = joined(bus, EVENTS_TAXONOMY)
        reader.subscription.seek(LogPartition(EVENTS_TAXONOMY, 0, uuid4()), 0)
        reader.subscription.pause([LogPartition(EVENTS_TAXONOMY, 1, uuid4())])
        reader.subscription.resume([LogPartition(BETS_STATE, 0, uuid4())])
        assert not reader.turn().revoked
        reader.seek_to_end()
        place(bus, one_on_each(range(PARTITIONS)))
        assert len(reader.gather(PARTITIONS)) == PARTITIONS

    def test_paused_partitions_wait(self, buses: OpenBus) -> None:
        bus = buses()
        reader = joined(bus, EVENTS_TAXONOMY)
        end = reader.seek_to_end()[reader.partition(0)].end
        paused = reader.partition(0)
        place(bus, [NewRecord(EVENTS_TAXONOMY, new_key(0), b"-")] * 20)
        for _ in attempts():
            if reader.turn(most=5).records:
                break
        reader.subscription.pause([paused])
        place(bus, one_on_each([0, 2]))
        before = [record.offset for record in reader.records]
        assert {record.source.partition for record in reader.gather(1)} == {2}
        reader.subscription.resume([paused])
        after = [record.offset for record in reader.gather(21 - len(before))]
        assert before + after == list(range(end, end + 21))

    def test_a_seek_does_not_resume(self, buses: OpenBus) -> None:
        bus = buses()
        reader = joined(bus, EVENTS_TAXONOMY)
        paused = reader.partition(0)
        reader.subscription.pause([paused])
        reader.seek_to_end()
        place(bus, one_on_each([0, 1]))
        assert {record.source.partition for record in reader.gather(1)} == {1}
        reader.subscription.resume([paused])
        assert {record.source.partition for record in reader.gather(1)} == {0}

    def test_most_is_respected(self, buses: OpenBus) -> None:
        bus = buses()
        reader = joined(bus, EVENTS_TAXONOMY)
        ends = reader.seek_to_end()
        place(bus, [NewRecord(EVENTS_TAXONOMY, new_key(n % 3), b"-") for n in range(60)])
        for _ in attempts():
            if len(reader.records) >= 60:
                break
            reader.turn(most=7)
        for source, (_, end) in ends.items():
            offsets = [record.offset for record in reader.records if record.source == source]
            assert offsets == list(range(end, end + 20))

    def test_every_partition_gets_its_turn(self, buses: OpenBus) -> None:
        bus = buses()
        reader = joined(bus, EVENTS_TAXONOMY)
        reader.seek_to_end()
        place(bus, [NewRecord(EVENTS_TAXONOMY, new_key(n % 3), b"-") for n in range(600)])
        while len({record.source for record in reader.records}) < PARTITIONS:
            reader.turn(most=20)
            assert len(reader.records) < 600

    def test_poll_returns_when_a_record_comes(self, buses: OpenBus) -> None:
        bus, reader = buses(), joined(buses(), EVENTS_TAXONOMY)
        reader.seek_to_end()
        place(bus, [NewRecord(EVENTS_TAXONOMY, new_key(), b"warm")])
        reader.gather(1)
        began = time.monotonic()
        timer = Timer(0.5, place, (bus, [NewRecord(EVENTS_TAXONOMY, new_key(), b"-")]))
        timer.start()
        poll = reader.turn(timeout=DEADLINE)
        waited = time.monotonic() - began
        timer.join()
        assert [record.value for record in poll.records] == [b"-"]
        assert 0.4 < waited < DEADLINE / 3

    def test_poll_returns_when_nothing_comes(self, buses: OpenBus) -> None:
        reader = joined(buses(), EVENTS_TAXONOMY)
        reader.seek_to_end()
        began = time.monotonic()
        assert not reader.turn(timeout=0.3).records
        assert 0.2 < time.monotonic() - began < DEADLINE / 3

    def test_bounds_ask_the_log(self, buses: OpenBus) -> None:
        bus, reader = buses(), joined(buses(), EVENTS_TAXONOMY)
        before = reader.subscription.bounds(reader.owned)
        place(bus, one_on_each([0, 0, 2]))
        after = reader.subscription.bounds(reader.owned)
        grown = {s.partition: after[s].end - before[s].end for s in reader.owned}
        assert grown == {0: 2, 1: 0, 2: 1}
        assert all(0 <= after[s].start == before[s].start <= after[s].end for s in reader.owned)

    def test_bounds_leave_out_what_is_gone(self, buses: OpenBus) -> None:
        reader = joined(buses(), EVENTS_TAXONOMY)
        gone = LogPartition(EVENTS_TAXONOMY, 0, uuid4())
        kept = reader.partition(0)
        assert reader.subscription.bounds([gone, kept]).keys() == {kept}
        assert not reader.subscription.bounds([])

    def test_a_place_beyond_the_end_is_reported(self, buses: OpenBus) -> None:
        bus, reader = buses(), joined(buses(), EVENTS_TAXONOMY)
        end = reader.seek_to_end()[reader.partition(0)].end
        lost = reader.partition(0)
        reader.subscription.seek(lost, end + 1000)
        reader.owned.discard(lost)
        reader.poll_until(lambda: lost in reader.owned)
        place(bus, one_on_each([0, 1]))
        assert {record.source.partition for record in reader.gather(1)} == {1}
        reader.subscription.seek(lost, end)
        assert [record.offset for record in reader.gather(1)] == [end]

    def test_commit_never_raises(self, buses: OpenBus) -> None:
        reader = joined(buses(), EVENTS_TAXONOMY)
        ends = reader.seek_to_end()
        reader.subscription.commit({source: end for source, (_, end) in ends.items()})
        reader.subscription.commit({})
        reader.subscription.commit({LogPartition(EVENTS_TAXONOMY, 0, uuid4()): 7})
        reader.subscription.commit({LogPartition(f"missing.{uuid4()}", 0, uuid4()): 7})

    def test_a_topic_can_be_read_whole(self, buses: OpenBus) -> None:
        bus = buses()
        placed = place(bus, [NewRecord(BETS_STATE, new_key(n % 3), b"%d" % n) for n in range(700)])
        reader = joined(bus, BETS_STATE)
        bounds = reader.subscription.bounds(reader.owned)
        assert dict(bus.bounds(BETS_STATE)) == dict(bounds)
        everything = list(bus.read(BETS_STATE))
        groups = [(s, list(found)) for s, found in groupby(everything, attrgetter("source"))]
        assert {source for source, _ in groups} == reader.owned
        assert len(groups) == PARTITIONS
        for source, found in groups:
            assert [record.offset for record in found] == list(range(*bounds[source]))
        placed_at = by_place(everything)
        values = [placed_at[p.partition, p.offset].value for p in placed]
        assert values == [b"%d" % n for n in range(700)]
