"""The tables of the log in PostgreSQL, and its topics. Run by the migrations, inside their
transaction; no SQL of the message bus's daily work stands here.
"""

from collections.abc import Collection

from sqlalchemy import Connection

from domain.errors import Misconfigured

LOG_APPENDED = "log_appended"
"""Channel: records were appended; the payload names the topics, one a line."""

LOG_MOVED = "log_moved"
"""Channel: partitions may change hands; the payload names the group, or none for all."""

LOG_TABLES = (
    """
    CREATE TABLE log_topics (
        topic text PRIMARY KEY,
        log_id uuid NOT NULL UNIQUE,
        partitions integer NOT NULL CHECK (partitions > 0)
    )
    """,
    # Who appends to a partition holds its row until it commits: commit order is offset order.
    """
    CREATE TABLE log_heads (
        topic text NOT NULL REFERENCES log_topics ON DELETE CASCADE,
        partition integer NOT NULL,
        log_id uuid NOT NULL,
        start_offset bigint NOT NULL DEFAULT 0,
        next_offset bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (topic, partition),
        CHECK (0 <= start_offset AND start_offset <= next_offset)
    ) WITH (fillfactor = 20)
    """,
    """
    CREATE TABLE log_records (
        log_id uuid NOT NULL,
        partition integer NOT NULL,
        "offset" bigint NOT NULL,
        key bytea,
        value bytea,
        headers bytea NOT NULL,
        PRIMARY KEY (log_id, partition, "offset")
    )
    """,
    # Compressing what is read once or twice costs more than its space.
    "ALTER TABLE log_records ALTER COLUMN value SET STORAGE EXTERNAL",
    """
    CREATE TABLE log_members (
        group_name text NOT NULL,
        member uuid NOT NULL,
        topics text[] NOT NULL,
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (group_name, member)
    ) WITH (fillfactor = 20)
    """,
    # A lease lives as long as its member: one row to renew, however many partitions it holds.
    """
    CREATE TABLE log_leases (
        group_name text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        member uuid NOT NULL,
        PRIMARY KEY (group_name, topic, partition),
        FOREIGN KEY (group_name, member) REFERENCES log_members ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE log_commits (
        group_name text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        log_id uuid NOT NULL,
        next_offset bigint NOT NULL,
        committed_at timestamptz NOT NULL,
        PRIMARY KEY (group_name, topic, partition)
    ) WITH (fillfactor = 20)
    """,
)


def create_log_tables(connection: Connection) -> None:
    """Create everything that the log needs, without any topic."""
    for statement in LOG_TABLES:
        connection.exec_driver_sql(statement)


def create_log_topics(
    connection: Connection, topics: Collection[str], partitions: int
) -> dict[str, bool]:
    """Create the topics that are missing; tell for each whether it was new. Misconfigured when one
    has another number of partitions. All or nothing is the transaction's business."""
    created = connection.exec_driver_sql(
        """
        INSERT INTO log_topics (topic, log_id, partitions)
        SELECT topic, gen_random_uuid(), %(partitions)s FROM unnest(%(topics)s::text[]) AS topic
        ON CONFLICT DO NOTHING RETURNING topic
        """,
        {"topics": sorted(topics), "partitions": partitions},
    )
    new = set(created.scalars())
    connection.exec_driver_sql(
        """
        INSERT INTO log_heads (topic, partition, log_id)
        SELECT topic, partition, log_id
        FROM log_topics, generate_series(0, partitions - 1) AS partition
        WHERE topic = ANY(%(topics)s)
        """,
        {"topics": sorted(new)},
    )
    rows = connection.exec_driver_sql("SELECT topic, partitions FROM log_topics")
    for topic, found in rows:
        if topic in topics and found != partitions:
            raise Misconfigured(f"{topic} has {found} partitions, not {partitions}")
    _tell_all_groups(connection)
    return {topic: topic in new for topic in topics}


def delete_log_topics(connection: Connection, topics: Collection[str]) -> None:
    """Delete the topics that are there, with all records: created again, they are other logs."""
    chosen = {"topics": sorted(topics)}
    connection.exec_driver_sql(
        "SELECT 1 FROM log_heads WHERE topic = ANY(%(topics)s)"
        " ORDER BY topic, partition FOR UPDATE",
        chosen,
    )
    connection.exec_driver_sql(
        "DELETE FROM log_records WHERE log_id IN"
        " (SELECT log_id FROM log_topics WHERE topic = ANY(%(topics)s))",
        chosen,
    )
    connection.exec_driver_sql("DELETE FROM log_leases WHERE topic = ANY(%(topics)s)", chosen)
    connection.exec_driver_sql("DELETE FROM log_topics WHERE topic = ANY(%(topics)s)", chosen)
    _tell_all_groups(connection)


def _tell_all_groups(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT pg_notify(%(channel)s, '')", {"channel": LOG_MOVED})
