"""Bringing the schema to head, in this process. Safe when several processes do it at once."""

from sqlalchemy import Connection, Engine

from adapters.postgres.errors import translated_errors

HEAD = "0001"
"""The newest revision; known here so that nobody loads alembic to find nothing to do."""

# Not to_regclass: what that has not found, it does not look for again in the same transaction.
_HAS_REVISION = (
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class"
    " WHERE relname = 'alembic_version' AND pg_catalog.pg_table_is_visible(oid))"
)

_LOCK = int.from_bytes(b"touchlin")
"""Key of the advisory lock."""


def migrate(engine: Engine) -> bool:
    """All revisions that are missing, in one transaction; tell whether there were any.

    Raises Misconfigured when the schema is a newer version's.
    """
    with translated_errors(), engine.begin() as connection:
        if is_migrated(connection):
            return False
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if is_migrated(connection):
            return False
        from adapters.postgres.migrations.upgrade import upgrade  # noqa: PLC0415

        upgrade(connection)
        return True


def is_migrated(connection: Connection) -> bool:
    """Whether the schema is at head."""
    if not connection.exec_driver_sql(_HAS_REVISION).scalar_one():
        return False
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
    return found.all() == [HEAD]
