# ruff: noqa: S608 - what is put into the statements are this file's own constants
"""Which logs were seen, and how far each consumer has come."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from adapters.postgres.arrays import binaries, texts, uuids, words
from adapters.postgres.session import Row, Session
from domain.log import LogPartition
from domain.records import ConsumerName, Position, Tally

POSITIONS_MOVED = "touchline_positions"
"""Channel: positions moved. The payload says whose, and in which topic."""

_COLUMNS = (
    "consumer, topic, partition, log_id, next_offset, last_record_digest,"
    " read, applied, unchanged, duplicate, refused, dead_lettered"
)

_WANTED = """
unnest(%(topics)s::text[], %(partitions)s::int[], %(log_ids)s::uuid[])
    WITH ORDINALITY AS wanted (topic, partition, log_id, number)
"""

_READ = f"""
SELECT {_COLUMNS} FROM positions JOIN {_WANTED} USING (topic, partition, log_id)
WHERE consumer = %(consumer)s
"""

# Nothing is held as long as a row is missing: it would be inserted after later ones were locked.
_LOCK = f"""
{_READ} AND %(count)s = (
    SELECT count(*) FROM positions JOIN {_WANTED} USING (topic, partition, log_id)
    WHERE consumer = %(consumer)s
)
ORDER BY number FOR UPDATE OF positions
"""

_BEGIN = f"""
INSERT INTO positions (consumer, topic, partition, log_id)
SELECT %(consumer)s, topic, partition, log_id FROM {_WANTED} ORDER BY number
ON CONFLICT DO NOTHING
"""

_SAVE = f"""
WITH saved AS (
    INSERT INTO positions ({_COLUMNS})
    SELECT {_COLUMNS} FROM unnest(
        %(consumers)s::text[], %(topics)s::text[], %(partitions)s::int[], %(log_ids)s::uuid[],
        %(next_offsets)s::bigint[], %(digests)s::bytea[], %(read)s::bigint[],
        %(applied)s::bigint[], %(unchanged)s::bigint[], %(duplicate)s::bigint[],
        %(refused)s::bigint[], %(dead_lettered)s::bigint[]
    ) WITH ORDINALITY AS given ({_COLUMNS}, number)
    ORDER BY number
    ON CONFLICT (consumer, topic, partition, log_id) DO UPDATE SET
        next_offset = excluded.next_offset, last_record_digest = excluded.last_record_digest,
        read = excluded.read, applied = excluded.applied, unchanged = excluded.unchanged,
        duplicate = excluded.duplicate, refused = excluded.refused,
        dead_lettered = excluded.dead_lettered
)
SELECT pg_notify('{POSITIONS_MOVED}', notice)
FROM (SELECT DISTINCT unnest(%(notices)s::text[])) AS moved (notice)
"""

# Not by when it came to run: it may have waited for a lock, or its process have stood still.
_MARK = f"""
INSERT INTO positions (consumer, topic, partition, log_id, caught_up_at)
SELECT %(consumer)s, topic, partition, log_id, transaction_timestamp() - %(ago)s
FROM {_WANTED} ORDER BY number
ON CONFLICT (consumer, topic, partition, log_id) DO UPDATE SET caught_up_at = excluded.caught_up_at
"""

_NEWEST = """
positions WHERE topic = %(topic)s AND log_id = (
    SELECT log_id FROM logs WHERE topic = %(topic)s ORDER BY generation DESC LIMIT 1
)
"""


def notice(consumer: ConsumerName, topic: str) -> str:
    """What is told when a consumer has moved in a topic."""
    return f"{consumer} {topic}"


class PostgresLogs:
    """Logs."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def register(self, topic: str, log_id: UUID) -> None:
        if log_id in self.incarnations(topic)[-1:]:
            return
        # One newcomer at a time; who only reads is not held up.
        self._session.execute("LOCK TABLE logs IN SHARE ROW EXCLUSIVE MODE")
        if log_id in self.incarnations(topic)[-1:]:
            return
        self._session.execute(
            "INSERT INTO logs (log_id, topic, generation)"
            " SELECT %(log_id)s, %(topic)s, coalesce(max(generation), 0) + 1 FROM logs"
            " ON CONFLICT (log_id) DO UPDATE SET generation = excluded.generation",
            {"topic": topic, "log_id": str(log_id)},
        )

    def incarnations(self, topic: str) -> Sequence[UUID]:
        rows = self._session.query(
            "SELECT log_id FROM logs WHERE topic = %(topic)s ORDER BY generation", {"topic": topic}
        )
        return [log_id for (log_id,) in rows]

    def generations(self) -> Mapping[UUID, int]:
        return dict(self._session.query("SELECT log_id, generation FROM logs"))


class PostgresPositions:
    """Positions; a row holds the caught-up mark too."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(
        self, consumer: ConsumerName, sources: Collection[LogPartition]
    ) -> Mapping[LogPartition, Position]:
        if not sources:
            return {}
        wanted = {**_wanted(consumer, sources), "count": len(set(sources))}
        rows = self._session.query(_LOCK, wanted)
        if not rows:
            self._session.execute(_BEGIN, wanted)
            rows = self._session.query(_LOCK, wanted)
        return _by_source(rows)

    def read(
        self, consumer: ConsumerName, sources: Collection[LogPartition]
    ) -> Mapping[LogPartition, Position]:
        if not sources:
            return {}
        return _by_source(self._session.query(_READ, _wanted(consumer, sources)))

    def all(self) -> Sequence[Position]:
        positions = [
            _position(row) for row in self._session.query(f"SELECT {_COLUMNS} FROM positions")
        ]
        return sorted(positions, key=_order)

    def save(self, positions: Collection[Position]) -> None:
        if not positions:
            return
        ordered = sorted(positions, key=_order)
        tallies = {
            name: words(getattr(each.tally, name) for each in ordered) for name in Tally._fields
        }
        self._session.execute(
            _SAVE,
            {
                "consumers": words(each.consumer for each in ordered),
                "notices": texts(notice(each.consumer, each.source.topic) for each in ordered),
                "next_offsets": words(each.next_offset for each in ordered),
                "digests": binaries(each.last_record_digest for each in ordered),
                **_places([each.source for each in ordered]),
                **tallies,
            },
        )

    def mark_caught_up(
        self, consumer: ConsumerName, sources: Collection[LogPartition], *, ago: timedelta
    ) -> None:
        if sources:
            self._session.execute(_MARK, {**_wanted(consumer, sources), "ago": ago})

    def caught_up_ago(self, consumer: ConsumerName, topic: str) -> Mapping[int, timedelta]:
        # A mark from the future proves nothing: the clock was set back.
        rows = self._session.query(
            f"SELECT partition, clock_timestamp() - caught_up_at FROM {_NEWEST}"
            " AND consumer = %(consumer)s AND caught_up_at <= clock_timestamp()",
            {"consumer": consumer, "topic": topic},
        )
        return dict(rows)

    def reached(self, topic: str) -> Mapping[tuple[ConsumerName, int], int]:
        rows = self._session.query(
            f"SELECT consumer, partition, next_offset FROM {_NEWEST}", {"topic": topic}
        )
        return {
            (ConsumerName(consumer), partition): reached for consumer, partition, reached in rows
        }


def _order(position: Position) -> tuple[ConsumerName, LogPartition]:
    return position.consumer, position.source


def _wanted(consumer: ConsumerName, sources: Collection[LogPartition]) -> dict[str, object]:
    return {"consumer": consumer, **_places(sorted(set(sources)))}


def _places(sources: Sequence[LogPartition]) -> dict[str, object]:
    return {
        "topics": texts(source.topic for source in sources),
        "partitions": words(source.partition for source in sources),
        "log_ids": uuids(source.log_id for source in sources),
    }


def _by_source(rows: Sequence[Row]) -> dict[LogPartition, Position]:
    return {position.source: position for position in map(_position, rows)}


def _position(row: Row) -> Position:
    consumer, topic, partition, log_id, next_offset, digest, *tally = row
    return Position(
        consumer=ConsumerName(consumer),
        source=LogPartition(topic, partition, log_id),
        next_offset=next_offset,
        last_record_digest=None if digest is None else bytes(digest),
        tally=Tally(*tally),
    )
