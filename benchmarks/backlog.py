"""Rows 5 and 6: how fast a backlog is worked off, with all three consumers running."""

import io
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import psycopg2.extras
from kafka import KafkaConsumer, TopicPartition

from adapters.cloudevents import CloudEventsCodec
from benchmarks.report import Row, rate
from benchmarks.site import PATIENCE, Site
from domain.bets import Market, Placement
from domain.events import Event, EventState
from domain.log import EVENTS_TAXONOMY, PARTITIONS
from domain.messages import BetPlaced, EventCreated, EventUpdated, Message
from domain.score import Score
from entrypoints.bootstrap import new_id
from tests.integration.system import CONSUMERS

CODEC = CloudEventsCodec()
AT_ONCE = 5000
AIM = 0.35


def measure_bets(site: Site, *, bets: int, events: int) -> Row:
    """Row 5: placed bets, on events that are open."""
    ids = [new_id() for _ in range(events)]
    _publish(site, [created(each) for each in ids])
    seconds, done = _work_off(site, "bet-writer", lambda: (placed(ids) for _ in range(bets)), bets)
    copy = _copy(site, "bets", "SELECT * FROM bets WHERE event_id = ANY(%(ids)s)", ids)
    return _row("5", f"backlog of {bets:,} bet.placed", done / seconds, "COPY", copy, site, bets)


def measure_versions(site: Site, *, versions: int, events: int) -> Row:
    """Row 6: updates of events, each the next legal one."""
    ids = [new_id() for _ in range(events)]
    _publish(site, [created(each) for each in ids])
    each = versions // events
    story = lambda: (updated(i, version) for version in range(2, each + 2) for i in ids)  # noqa: E731
    seconds, done = _work_off(site, "event-writer", story, each * events)
    insert = _insert_versions(site, ids)
    work = f"backlog of {each * events:,} event.updated over {events:,} events"
    return _row("6", work, done / seconds, "multi-row insert", insert, site, each * events)


def _row(
    row: str, work: str, ours: float, database: str, ceiling: float, site: Site, records: int
) -> Row:
    poll = _bare_poll(site, records)
    slower = min(ceiling, poll) if poll else ceiling
    return Row(
        row=row,
        work=work,
        ours=rate(ours, 1),
        ceiling=f"{database} {rate(ceiling, 1)}; " + (f"bare poll {rate(poll, 1)}" if poll else ""),
        ratio=f"{ours / slower:.2f}",
        aim=f"≥ {AIM}" if poll else "stated",
        met=ours / slower >= AIM if poll else None,
        figures={"ours": ours, database: ceiling, "poll": poll},
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


def _publish(site: Site, messages: "Iterator[Message] | Sequence[Message]") -> None:
    """Append to the log, and wait until it is there."""
    with site.system.connected() as (_, bus):
        records = [CODEC.encode(message) for message in messages]
        for start in range(0, len(records), AT_ONCE):
            for future in bus.publish(records[start : start + AT_ONCE]):
                future.result()


def _work_off(site: Site, consumer: str, story, records: int) -> tuple[float, int]:
    """Let a backlog grow while nobody consumes; seconds and records from when the consumer is
    first seen to have moved until it has done all."""
    end = _log_end(site)
    site.until("bet-scorer", EVENTS_TAXONOMY, end)
    for name in CONSUMERS:
        site.system.stop_one(f"{name}-0")
    _publish(site, story())
    site.settle()
    before = site.position(consumer, EVENTS_TAXONOMY)
    for name in CONSUMERS:
        site.system.start_one(f"{name}-0")
    site.until(consumer, EVENTS_TAXONOMY, before + 1)
    began, first = time.monotonic(), site.position(consumer, EVENTS_TAXONOMY)
    site.until(consumer, EVENTS_TAXONOMY, before + records)
    seconds = time.monotonic() - began
    site.until("bet-scorer", EVENTS_TAXONOMY, before + records)
    return seconds, before + records - first


def _log_end(site: Site) -> int:
    with site.system.connected() as (_, bus):
        return sum(bounds.end for bounds in bus.bounds(EVENTS_TAXONOMY).values())


# Ceilings


def _bare_poll(site: Site, records: int) -> float:
    """Records a second that one kafka-python consumer polls and throws away; 0 without Kafka."""
    if site.broker is None:
        return 0.0
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
    return polled / seconds


def _copy(site: Site, table: str, query: str, ids: Sequence[UUID]) -> float:
    """Rows a second of one COPY of the same rows into an empty table of the same shape."""
    _alike(site, table)
    rows = io.StringIO()
    with site.connection.cursor() as cursor:
        wanted = cursor.mogrify(query, {"ids": list(ids)}).decode()
        cursor.copy_expert(f"COPY ({wanted}) TO STDOUT", rows)
        rows.seek(0)
        began = time.monotonic()
        cursor.copy_expert(f"COPY ceiling_{table} FROM STDIN", rows)
        return float(cursor.rowcount) / (time.monotonic() - began)


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
