"""Rows 3, 7 and 8: how long until bets have followed, on small events."""

import threading
import time
from collections.abc import Iterator, Sequence
from uuid import UUID, uuid4

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from adapters.cloudevents import CloudEventsCodec
from benchmarks.backlog import updated
from benchmarks.goal import MOVED
from benchmarks.processor import Processor
from benchmarks.report import Row, milliseconds, percentile, rate
from benchmarks.site import MARKETS, PATIENCE, Site, connect, slices_of
from domain.log import PARTITIONS, partition_of

BETS = 1500
"""On an event, so that a goal moves 1,000."""
AIM_P50, AIM_P99, AIM_MANY = 2.0, 4.0, 3.0


def measure_one(site: Site, *, repeats: int) -> Row:
    """Row 3: from a PATCH to the last of 1,000 bets, on an idle system."""
    assert site.broker is not None
    event_id, written = _live_event(site, BETS)
    found = []
    processor = Processor(site)
    with processor.counted():
        for number in range(repeats):
            began = time.monotonic()
            site.system.client.update(event_id, score=("1-0", "0-0")[number % 2])
            written += slices_of(BETS, MOVED)
            site.until_written(written)
            found.append(time.monotonic() - began)
    bare = list(_bare(site, repeats))
    p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
    bare_p50, bare_p99 = percentile(bare, 0.5), percentile(bare, 0.99)
    return Row(
        row="3",
        work="PATCH to all of 1,000 bets written, idle",
        ours=f"p50 {milliseconds(p50)}, p99 {milliseconds(p99)}",
        ceiling="two hops and three commits: "
        f"p50 {milliseconds(bare_p50)}, p99 {milliseconds(bare_p99)}",
        ratio=f"{p50 / bare_p50:.2f}; {p99 / bare_p99:.2f}",
        aim=f"p50 ≤ {AIM_P50} x, p99 ≤ {AIM_P99} x",
        met=p50 <= AIM_P50 * bare_p50 and p99 <= AIM_P99 * bare_p99,
        figures={
            "ours": found,
            "bare": bare,
            "p50": p50,
            "bare p50": bare_p50,
            "processor": processor.per(repeats),
        },
    )


def measure_many(site: Site, *, events: int, ceiling: float, p50: float) -> Row:
    """Row 7: a goal on each of many events at once. `ceiling`: bets a second of one UPDATE."""
    bets = 300
    ids = []
    written = site.position("bet-writer", "bets.state")
    for _ in range(events):
        ids.append(site.event())
        site.fill(ids[-1], bets)
    _tell(site, ids, 2)
    written += events * slices_of(bets)
    site.until_written(written)
    site.settle()
    began = time.monotonic()
    _tell(site, ids, 3)
    told = time.monotonic() - began
    written += events * slices_of(bets, MOVED)
    site.until_written(written)
    seconds = time.monotonic() - began
    moved = events * bets * len(MOVED) // len(MARKETS)
    bound = moved / ceiling + p50
    return Row(
        row="7",
        work=f"{events:,} events, a goal each within {told:.1f} s, {moved:,} bets moved",
        ours=f"{seconds:.2f} s, {rate(moved, seconds)}",
        ceiling=f"row 1's ceiling and row 3's p50: {bound:.2f} s",
        ratio=f"{seconds / bound:.2f}",
        aim=f"≤ {AIM_MANY} x",
        met=seconds <= AIM_MANY * bound,
        figures={"seconds": seconds, "bound": bound, "told": told},
    )


def measure_beside(site: Site, *, bets: int, events: int, alone_p50: float) -> Row:
    """Row 8: small events in the partition of one with very many bets, while that is scored."""
    hot, written = _live_event(site, bets)
    partition = partition_of(hot.encode(), PARTITIONS)
    small: list[str] = []
    while len(small) < events:
        event_id = site.event()
        if partition_of(event_id.encode(), PARTITIONS) == partition:
            small.append(event_id)
            site.fill(event_id, 150)
    _tell(site, small, 2)
    written += events * slices_of(150)
    site.until_written(written)
    site.settle()
    began = time.monotonic()
    site.system.client.update(hot, score="1-0")
    _tell(site, small, 3)
    found = list(_moved(site, small, moved=100))
    written += slices_of(bets, MOVED)
    site.until_written(written + events * slices_of(150, MOVED))
    hot_seconds = time.monotonic() - began
    p50, most = percentile(found, 0.5), max(found)
    return Row(
        row="8",
        work=f"100 bets each of {events} events moved, beside one of {bets:,}",
        ours=f"p50 {milliseconds(p50)}, longest {milliseconds(most)}",
        ceiling=f"alone p50 {milliseconds(alone_p50)}; the large one took {hot_seconds:.2f} s",
        ratio=f"{most / hot_seconds:.2f} of the large one",
        met=None,
        figures={"latencies": found, "hot": hot_seconds},
    )


def _moved(site: Site, events: Sequence[str], *, moved: int) -> Iterator[float]:
    """Seconds from now until so many bets of each event have followed to version 3."""
    statement = (
        "SELECT event_id::text FROM bets WHERE event_id = ANY(%(ids)s::uuid[])"
        " AND event_version = 3 GROUP BY event_id HAVING count(*) = %(moved)s"
    )
    began, left = time.monotonic(), set(events)
    while left:
        assert time.monotonic() < began + PATIENCE
        for (event_id,) in site.query(statement, {"ids": list(left), "moved": moved}):
            left.remove(event_id)
            yield time.monotonic() - began
        if left:
            site.next_notice()


def _live_event(site: Site, bets: int) -> tuple[str, int]:
    """An active event, all its bets written; and how many slices have been so far."""
    written = site.position("bet-writer", "bets.state")
    event_id = site.event()
    site.fill(event_id, bets)
    site.settle()
    site.system.client.update(event_id, state="active")
    written += slices_of(bets)
    site.until_written(written)
    return event_id, written


def _tell(site: Site, ids: Sequence[str], version: int) -> None:
    """Publish this version of all these events at once, as the events API would."""
    with site.system.connected() as (_, bus):
        codec = CloudEventsCodec()
        for future in bus.publish([codec.encode(updated(UUID(each), version)) for each in ids]):
            future.result()


def _bare(site: Site, repeats: int) -> Iterator[float]:
    """Two acknowledged hops by Kafka, and a commit before, between and after them."""
    chain = _Chain(site)
    threads = [threading.Thread(target=chain.hop, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    chain.is_ready.wait()
    for _ in range(repeats):
        chain.done.clear()
        began = time.monotonic()
        chain.commit(0)
        chain.send(0)
        chain.done.wait()
        yield time.monotonic() - began
    chain.stopped.set()
    for thread in threads:
        thread.join()
    chain.close()


class _Chain:
    """One thread for each hop, and nothing in between that is not needed."""

    def __init__(self, site: Site) -> None:
        assert site.broker is not None
        self._bootstrap = site.broker.bootstrap
        self._topics = [f"bare.{uuid4()}" for _ in range(2)]
        self._producer = KafkaProducer(bootstrap_servers=self._bootstrap, acks="all")
        for number in range(2):  # the broker makes the topics
            self.send(number)
        self._connections = [connect(site.url) for _ in range(3)]
        with self._connections[0].cursor() as cursor:
            cursor.execute("CREATE TABLE bare (id int PRIMARY KEY, n int)")
            cursor.execute("INSERT INTO bare VALUES (0, 0), (1, 0), (2, 0)")
        self.is_ready = threading.Barrier(3)
        self.done = threading.Event()
        self.stopped = threading.Event()

    def send(self, number: int) -> None:
        self._producer.send(self._topics[number], b"-", partition=0).get(timeout=30)

    def commit(self, number: int) -> None:
        with self._connections[number].cursor() as cursor:
            cursor.execute("UPDATE bare SET n = n + 1 WHERE id = %s", (number,))

    def hop(self, number: int) -> None:
        consumer = KafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        place = TopicPartition(self._topics[number], 0)
        consumer.assign([place])
        consumer.seek_to_end(place)
        consumer.position(place)
        self.is_ready.wait()
        while not self.stopped.is_set():
            for _ in consumer.poll(timeout_ms=100).get(place, ()):
                self.commit(number + 1)
                if number == 0:
                    self.send(1)
                else:
                    self.done.set()
        consumer.close()

    def close(self) -> None:
        self._producer.close()
        for connection in self._connections:
            connection.close()
