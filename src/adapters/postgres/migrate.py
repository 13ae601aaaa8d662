"""Bringing the schema to head, in this process: also while others write, and when several processes
do it at once.
"""

import logging
import random
import time

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from adapters.postgres.errors import translated_errors
from adapters.postgres.revisions import check_revision, is_behind, revision_of
from domain.errors import DatabaseUnavailable, Misconfigured

HEAD = "0001"
"""The newest revision; known here so that nobody loads alembic to find nothing to do."""

LOCK_TIMEOUT_MS = 300
"""How long one try waits for a table, and everybody else behind it."""

PAUSE = 1.0
"""Seconds between two tries, in which the others catch up."""

PATIENCE = 600.0
"""Seconds of trying."""

_LOCK = int.from_bytes(b"touchlin")
"""Key of the advisory lock."""

_BUSY = frozenset({"55P03", "40P01"})
"""Lock not available in time, deadlock."""

# Whoever is in the midst of something for the longest time, and more than a moment.
_OLDEST_TRANSACTION = """
SELECT coalesce(nullif(application_name, ''), backend_type), pid, now() - xact_start
FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND xact_start < now() - interval '1 second'
    AND datname = current_database()
ORDER BY xact_start LIMIT 1
"""

_log = logging.getLogger(__name__)


def migrate(engine: Engine, *, patience: float = PATIENCE) -> bool:
    """All revisions that are missing, in one transaction; tell whether there were any.

    No table is waited for longer than LOCK_TIMEOUT_MS at a time, for everybody queues behind who
    waits; instead all of it is tried again, for `patience` seconds. Raises DatabaseUnavailable
    then, and Misconfigured when the schema is a newer version's that this one doesn't work on, or
    the database can't hold every text.
    """
    deadline = time.monotonic() + patience
    with translated_errors():
        while True:
            try:
                return _try(engine)
            except OperationalError as error:
                if getattr(error.orig, "pgcode", None) not in _BUSY:
                    raise
                reason = _who_is_in_the_way(engine)
                if time.monotonic() > deadline:
                    raise DatabaseUnavailable(f"nothing was migrated: {reason}") from error
                _log.warning("%s; nothing is migrated yet, trying again", reason)
            time.sleep(PAUSE * random.uniform(0.5, 1.5))  # noqa: S311 - only jitter


def _try(engine: Engine) -> bool:
    with engine.begin() as connection:
        _check_encoding(connection)
        if not is_behind(revision_of(connection), HEAD):
            return False
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if not is_behind(revision_of(connection), HEAD):
            return False
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        from adapters.postgres.migrations.upgrade import upgrade  # noqa: PLC0415

        upgrade(connection)
        return True


def _who_is_in_the_way(engine: Engine) -> str:
    with engine.connect() as connection:
        oldest = connection.exec_driver_sql(_OLDEST_TRANSACTION).first()
    if oldest is None:
        return "a table is in use all the time"
    name, pid, age = oldest
    return f"a table is in use; {name} (process {pid}) is in a transaction since {age}"


def check_schema(connection: Connection) -> None:
    """Misconfigured, with what to do, unless this version works on the database and its schema."""
    _check_encoding(connection)
    check_revision(connection, HEAD)


def _check_encoding(connection: Connection) -> None:
    """In another encoding one name that it lacks would stop a consumer for ever."""
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise Misconfigured(
            f"the database's encoding is {encoding}; make one with"
            " CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )
