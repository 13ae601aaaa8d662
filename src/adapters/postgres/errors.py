"""Every error of the driver, turned into one of the domain's tree."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy.exc import DBAPIError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import DatabaseUnavailable, Misconfigured

_NOT_MIGRATED = frozenset({"42P01", "42703", "42704", "42883", "3F000"})
"""A table, column, type, function or schema is missing."""

_TRANSIENT_CLASSES = frozenset({"08", "25", "40", "53", "55", "57", "58"})
"""Connection lost, transaction state (also: a standby), rolled back (deadlock, serialization), out
of resources, lock not available, shutdown or timeout, system error."""


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise DatabaseUnavailable when another try may help (also for a broken constraint: a
    concurrent write came first) and Misconfigured when the schema is not there. What is left is a
    mistake in our SQL; it stays what it is."""
    try:
        yield
    except (SQLAlchemyError, psycopg2.Error) as error:
        translation = translation_of(error)
        if translation is None:
            raise
        raise translation from error


def translation_of(error: Exception) -> DatabaseUnavailable | Misconfigured | None:
    """What such an error is in the domain's tree; None for a mistake in our SQL."""
    if isinstance(error, PoolTimeout):
        return DatabaseUnavailable("no connection to PostgreSQL became free in time")
    if isinstance(error, PendingRollbackError):
        return DatabaseUnavailable("the transaction has failed before")
    cause = _cause(error)
    if not isinstance(cause, psycopg2.Error):
        return None
    if cause.pgcode is None and isinstance(cause, psycopg2.ProgrammingError):
        # Before anybody was asked: libpq doesn't understand how to connect.
        return Misconfigured(f"PostgreSQL's address: {reason_of(cause)}")
    if cause.pgcode in _NOT_MIGRATED:
        return Misconfigured(f"run `touchline migrate`: {reason_of(cause)}")
    return DatabaseUnavailable(reason_of(cause)) if _is_transient(cause) else None


def reason_of(error: BaseException) -> str:
    """The first line of what the driver says."""
    cause = _cause(error)
    return str(cause).partition("\n")[0] or type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    return error.orig or error if isinstance(error, DBAPIError) else error


def _is_transient(cause: psycopg2.Error) -> bool:
    if cause.pgcode is None:
        # Nothing that PostgreSQL said: the way to it is broken.
        return not isinstance(cause, psycopg2.ProgrammingError | psycopg2.DataError)
    return isinstance(cause, psycopg2.IntegrityError) or cause.pgcode[:2] in _TRANSIENT_CLASSES
