"""What lies in the tables, for comparing two databases."""

from contextlib import closing
from typing import Any

import psycopg2

COLUMNS_OF_BETS = 'id, event_id, date_created, log_id, partition, "offset", market, state, user_id'

QUERIES = {
    "events": "SELECT * FROM events ORDER BY id",
    "versions": "SELECT * FROM event_versions ORDER BY event_id, version",
    "bets": f"SELECT {COLUMNS_OF_BETS} FROM bets ORDER BY id",
    "deletions": "SELECT * FROM deletions ORDER BY id",
    # Of what was deleted since, each request is refused; so is a slice that is read again before
    # its version is there, and it is told once more.
    "refusals": "SELECT * FROM refusals WHERE subject NOT IN (SELECT id FROM deletions)"
    " AND topic = 'events.taxonomy'"
    ' ORDER BY log_id, topic, partition, "offset"',
    "letters": 'SELECT log_id, topic, partition, "offset", key, value, headers, reason'
    ' FROM dead_letters ORDER BY log_id, topic, partition, "offset"',
}


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """What the query finds."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return [tuple(map(_comparable, row)) for row in cursor.fetchall()]


def execute(url: str, statement: str) -> None:
    """Outside of any transaction."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that the story says, and only that."""
    return {name: rows(url, query) for name, query in QUERIES.items()}


def versions_of_bets(url: str) -> dict[str, int]:
    """By bet: the event's version that gave it its state."""
    return dict(rows(url, "SELECT id, event_version FROM bets"))


def deletions(url: str) -> set[str]:
    return {each for (each,) in rows(url, "SELECT id::text FROM deletions")}


def _comparable(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value
