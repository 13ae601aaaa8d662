"""A Touchline to be measured: real processes on a Kafka and a PostgreSQL of its own.

PostgreSQL keeps its default settings and Kafka flushes what it acknowledges, as in production.
What is measured against something is measured on the same server, in the same run.
"""

import select
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from sqlalchemy import make_url

from domain.bets import Market
from domain.log import BETS_STATE, EVENTS_TAXONOMY, PARTITIONS, partition_of
from domain.messages import SLICE_SIZE
from tests.integration.postgres_server import PostgresServer
from tests.integration.system import Processes
from tests.kafka.broker import KafkaBroker

PATIENCE = 600.0
"""Seconds after which what is measured is given up."""

MARKETS = tuple(Market)

FILL = """
INSERT INTO bets (id, event_id, date_created, "offset", log_id, partition, event_version, market,
    state, user_id)
SELECT uuidv7(), event.id, now(), number, log_id, %(partition)s, event.version,
    (enum_range(NULL::market))[1 + number %% 3], 'none', 'user-' || number
FROM events AS event, generate_series(1, %(bets)s) AS number,
    (SELECT log_id FROM logs WHERE topic = %(topic)s ORDER BY generation DESC LIMIT 1) AS newest
WHERE event.id = %(event)s
"""
"""Bets as the Bet Writer inserts them, a third on each market."""


@dataclass
class Site:
    """A running Touchline and the way to its tables."""

    system: Processes
    connection: "psycopg2.extensions.connection"
    """In autocommit mode; listens for positions."""
    broker: KafkaBroker | None
    """None where PostgreSQL is the bus."""
    url: str
    """Where PostgreSQL is."""

    def query(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return [] if cursor.description is None else cursor.fetchall()

    def event(self, **changes: Any) -> str:
        event_id: str = self.system.client.event(**changes)["id"]
        return event_id

    def fill(self, event_id: str, bets: int) -> None:
        """So many bets on a created event, a third on each market."""
        self.query(
            FILL,
            {
                "event": event_id,
                "bets": bets,
                "partition": partition_of(event_id.encode(), PARTITIONS),
                "topic": EVENTS_TAXONOMY,
            },
        )

    def settle(self) -> None:
        """What earlier work left to PostgreSQL must not slow what is measured now."""
        self.query("VACUUM ANALYZE bets")
        self.query("CHECKPOINT")

    def position(self, consumer: str, topic: str) -> int:
        """The consumer's next offsets, all partitions together."""
        ((reached,),) = self.query(
            "SELECT coalesce(sum(next_offset), 0) FROM positions"
            " WHERE consumer = %(consumer)s AND topic = %(topic)s",
            {"consumer": consumer, "topic": topic},
        )
        return int(reached)

    def until(self, consumer: str, topic: str, position: int) -> None:
        """Return as soon as the consumer has come so far; positions wake this when they move."""
        deadline = time.monotonic() + PATIENCE
        while self.position(consumer, topic) < position:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{consumer} has not come to {position} of {topic}")
            self.next_notice()

    def next_notice(self) -> None:
        """Until positions move, or half a second."""
        # One that came with the answer to a query lies there already.
        if not self.connection.notifies:
            select.select([self.connection], [], [], 0.5)
        self.connection.poll()
        self.connection.notifies.clear()

    def peaks(self) -> dict[str, float]:
        """The most memory that each process held since `forget_peaks`, in MiB."""
        return {name: _peak(each.process.pid) for name, each in self.system.running.items()}

    def forget_peaks(self) -> None:
        for each in self.system.running.values():
            Path(f"/proc/{each.process.pid}/clear_refs").write_text("5")

    def until_written(self, slices: int) -> None:
        """Return as soon as the Bet Writer has written so many slices since the beginning."""
        self.until("bet-writer", BETS_STATE, slices)


@contextmanager
def running_site(*, bus: str = "kafka") -> Iterator[Site]:
    """A Touchline that is ready; gone afterwards, data and all."""
    with TemporaryDirectory(prefix="touchline-bench-") as name:
        folder = Path(name)
        postgres = PostgresServer(folder / "postgres")
        broker = KafkaBroker(folder / "broker", short_lived=False) if bus == "kafka" else None
        postgres.start()
        try:
            if broker is not None:
                broker.start()
            with _running_touchline(folder, postgres, broker) as site:
                yield site
        finally:
            if broker is not None:
                broker.kill()
            postgres.stop()


@contextmanager
def _running_touchline(
    folder: Path, postgres: PostgresServer, broker: KafkaBroker | None
) -> Iterator[Site]:
    environment = {"TOUCHLINE_DATABASE_URL": postgres.url, "TOUCHLINE_LOG_LEVEL": "WARNING"}
    if broker is not None:
        environment |= {
            "TOUCHLINE_BUS": "kafka",
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        }
    system = Processes(folder, environment)
    system.start()
    connection = connect(postgres.url)
    site = Site(system, connection, broker, postgres.url)
    site.query("LISTEN touchline_positions")
    try:
        yield site
    finally:
        connection.close()
        system.stop()


def connect(url: str) -> "psycopg2.extensions.connection":
    """A connection in autocommit mode."""
    psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg2.connect(plain)
    connection.autocommit = True
    return connection


def slices_of(bets: int, markets: Sequence[Market] = MARKETS) -> int:
    """Slices that tell the new states of these markets' bets, on an event filled by `Site.fill`."""
    counts = [bets // 3 + (number < bets % 3) for number in (2, 0, 1)]
    by_market = dict(zip(MARKETS, counts, strict=True))
    return sum(-(-by_market[market] // SLICE_SIZE) for market in markets)


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
