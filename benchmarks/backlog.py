"""Rows 5 and 6: how fast a backlog is worked off, with all three consumers running."""

import io
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import psycopg2.extras
from kafka import KafkaConsumer, TopicPartition

from adapters.cloudevents import CloudEventsCodec
from benchmarks.processor import Processor
from benchmarks.report import Row, rate
from benchmarks.site import PATIENCE, Site
from domain.bets import Market, Placement
from domain.events import Event, EventState
from domain.log import EVENTS_TAXONOMY, PARTITIONS
from domain.messages import BetPlaced, EventCreated, EventUpdated, Message
from domain.score import Score
from entrypoints.bootstrap import new_id
from tests.integration.system import CONSUMERS
from tests.kafka.broker import KafkaBroker

CODEC = CloudEventsCodec()
AT_ONCE = 5000
AIM = 0.35


def measure_bets(site: Site, *, bets: int, events: int, row: str = "5") -> Row:
    """Row 5: placed bets, on events that are open."""
    ids = [new_id() for _ in range(events)]
    _publish(site, [created(each) for each in ids])
    processor = Processor(site)
    seconds, done = _work_off(
        site, "bet-writer", lambda: (placed(ids) for _ in range(bets)), bets, processor
    )
    ceilings = {"COPY": _copy(site, ids)} | _bare_poll(site, bets)
    work = f"backlog of {bets:,} bet.placed"
    found = _row(row, work, done / seconds, ceilings, processor.per(done))
    if site.broker is not None:
        found.figures["bytes"] = _bytes(site, site.broker)
    return found


def measure_versions(site: Site, *, versions: int, events: int) -> Row:
    """Row 6: updates of events, each the next legal one."""
    ids = [new_id() for _ in range(events)]
    _publish(site, [created(each) for each in ids])
    each = versions // events
    records = each * events

    def story() -> Iterator[Message]:
        return (updated(i, version) for version in range(2, each + 2) for i in ids)

    processor = Processor(site)
    seconds, done = _work_off(site, "event-writer", story, records, processor)
    ceilings = {"multi-row insert": _insert_versions(site, ids)} | _bare_poll(site, records)
    work = f"backlog of {records:,} event.updated over {events:,} events"
    return _row("6", work, done / seconds, ceilings, processor.per(done))


def _row(
    row: str,
    work: str,
    ours: float,
    ceilings: Mapping[str, float],
    processor: Mapping[str, float],
) -> Row:
    ratio, has_aim = ours / min(ceilings.values()), len(ceilings) > 1
    return Row(
        row=row,
        work=work,
        ours=rate(ours, 1),
        ceiling="; ".join(f"{name} {rate(each, 1)}" for name, each in ceilings.items()),
        ratio=f"{ratio:.2f}",
        aim=f"≥ {AIM}" if has_aim else "stated",
        met=ratio >= AIM if has_aim else None,
        figures={"ours": ours, **ceilings, "processor": processor},
    )


# Messages


def event(event_id: UUID, version: int = 1) -> Event:
    """As it is at a version: created, active, and then a goal at each."""
    goals = version - 2
    return Event(
        id=event_id,
        type="football",
        team_1="Argentina",
        team_2="France",
        event_date=datetime(2022, 12, 18, 15, tzinfo=UTC),
        score=Score(home=goals // 2 + goals % 2, away=goals // 2)
        if goals > 0
        else Score.parse("0-0"),
        state=EventState.CREATED if version == 1 else EventState.ACTIVE,
        version=version,
    )


def created(event_id: UUID) -> Message:
    return EventCreated(id=new_id(), time=datetime.now(UTC), event=event(event_id))


def updated(event_id: UUID, version: int) -> Message:
    return EventUpdated(id=new_id(), time=datetime.now(UTC), event=event(event_id, version))


def placed(event_ids: Sequence[UUID]) -> Message:
    now = datetime.now(UTC)
    placement = Placement(
        id=new_id(),
        date_created=now,
        user_id=f"user-{random.randrange(100_000)}",
        event_id=random.choice(event_ids),
        market=random.choice(tuple(Market)),
    )
    return BetPlaced(id=new_id(), time=now, placement=placement)


# Ours


def _publish(site: Site, messages: Iterable[Message]) -> None:
    """Append to the log, and wait until it is there."""
    with site.system.connected() as (_, bus):
        records = [CODEC.encode(message) for message in messages]
        for start in range(0, len(records), AT_ONCE):
            for future in bus.publish(records[start : start + AT_ONCE]):
                future.result()


def _work_off(
    site: Site,
    consumer: str,
    story: Callable[[], Iterable[Message]],
    records: int,
    processor: Processor,
) -> tuple[float, int]:
    """Let a backlog grow while nobody consumes; seconds and records from when the consumer is
    first seen to have moved until it has done all."""
    end = log_end(site)
    site.until("bet-scorer", EVENTS_TAXONOMY, end)
    for name in CONSUMERS:
        site.system.stop_one(f"{name}-0")
    _publish(site, story())
    site.settle()
    before = site.position(consumer, EVENTS_TAXONOMY)
    for name in CONSUMERS:
        site.system.start_one(f"{name}-0")
    site.until(consumer, EVENTS_TAXONOMY, before + 1)
    with processor.counted():
        began, first = time.monotonic(), site.position(consumer, EVENTS_TAXONOMY)
        site.until(consumer, EVENTS_TAXONOMY, before + records)
        seconds = time.monotonic() - began
        site.until("bet-scorer", EVENTS_TAXONOMY, before + records)
    return seconds, before + records - first


def log_end(site: Site) -> int:
    with site.system.connected() as (_, bus):
        return sum(bounds.end for bounds in bus.bounds(EVENTS_TAXONOMY).values())


def _bytes(site: Site, broker: KafkaBroker) -> dict[str, float]:
    """On disk: of a bet in its table and indexes, and of a record in the story. Nothing else has
    been done on this site."""
    ((bets,),) = site.query("SELECT pg_total_relation_size('bets')::float / count(*) FROM bets")
    segments = broker.data.glob(f"{EVENTS_TAXONOMY}-*/*.log")
    record = sum(each.stat().st_size for each in segments) / log_end(site)
    return {"bet": float(bets), "record": record}


# Ceilings


def _bare_poll(site: Site, records: int) -> dict[str, float]:
    """Records a second that one kafka-python consumer polls and throws away."""
    if site.broker is None:
        return {}
    consumer = KafkaConsumer(
        bootstrap_servers=site.broker.bootstrap, enable_auto_commit=False, metrics_enabled=False
    )
    places = [TopicPartition(EVENTS_TAXONOMY, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, max(0, ends[place] - records // PARTITIONS))
    polled, began = 0, time.monotonic()
    wanted = sum(ends.values()) - sum(consumer.position(place) for place in places)
    while polled < wanted:
        found = consumer.poll(timeout_ms=1000, max_records=AT_ONCE)
        polled += sum(map(len, found.values()))
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError("polling the backlog again")
    seconds = time.monotonic() - began
    consumer.close()
    return {"bare poll": polled / seconds}


def _copy(site: Site, ids: Sequence[UUID]) -> float:
    """Rows a second of one COPY of the same rows into an empty table of the same shape."""
    _alike(site, "bets")
    rows = io.StringIO()
    with site.connection.cursor() as cursor:
        wanted = cursor.mogrify("SELECT * FROM bets WHERE event_id = ANY(%s)", (list(ids),))
        cursor.copy_expert(f"COPY ({wanted.decode()}) TO STDOUT", rows)
        rows.seek(0)
        began = time.monotonic()
        cursor.copy_expert("COPY ceiling_bets FROM STDIN", rows)
        return cursor.rowcount / (time.monotonic() - began)


def _insert_versions(site: Site, ids: Sequence[UUID]) -> float:
    """Rows a second of inserts of many rows each, all in one transaction."""
    _alike(site, "event_versions")
    rows = site.query(
        "SELECT * FROM event_versions WHERE event_id = ANY(%(ids)s) AND version > 1"
        ' ORDER BY partition, "offset"',
        {"ids": list(ids)},
    )
    with site.connection.cursor() as cursor:
        cursor.execute("BEGIN")
        began = time.monotonic()
        psycopg2.extras.execute_values(
            cursor, "INSERT INTO ceiling_event_versions VALUES %s", rows, page_size=AT_ONCE
        )
        cursor.execute("COMMIT")
    return len(rows) / (time.monotonic() - began)


def _alike(site: Site, table: str) -> None:
    """An empty table of the same shape, with the same indexes and references."""
    site.query(f"DROP TABLE IF EXISTS ceiling_{table}")
    site.query(f"CREATE TABLE ceiling_{table} (LIKE {table} INCLUDING ALL) WITH (fillfactor = 60)")
    if table == "bets":
        site.query("ALTER TABLE ceiling_bets ADD FOREIGN KEY (event_id) REFERENCES events")
    site.query("CHECKPOINT")
