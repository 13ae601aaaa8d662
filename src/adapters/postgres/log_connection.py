"""Connections of the log to PostgreSQL: a part's own ones, outside the pool, and drivers' errors
turned into the domain's.
"""

import os
import select
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg2
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from adapters.postgres.errors import reason_of, translation_of
from domain.errors import BusUnavailable, Misconfigured

Row = tuple[Any, ...]
Parameters = Mapping[str, object]
Query = Callable[[str, Parameters], Sequence[Row]]
"""Run statements in one round trip and one transaction; return the last one's rows."""


DRIVER_ERRORS = (psycopg2.Error, SQLAlchemyError, OSError)
"""What any use of PostgreSQL may raise."""


@contextmanager
def bus_errors() -> Iterator[None]:
    """Raise BusUnavailable, with the reason, for whatever goes wrong between here and PostgreSQL;
    but Misconfigured when a person has to act, as where the log's tables are not there."""
    try:
        yield
    except DRIVER_ERRORS as error:
        translation = translation_of(error)
        if isinstance(translation, Misconfigured):
            raise translation from error
        reason = translation or reason_of(error)
        raise BusUnavailable(f"the log in PostgreSQL can't be used: {reason}") from error


@contextmanager
def pooled(engine: Engine) -> Iterator[Query]:
    """A transaction on one of the pool's connections. Raises as `bus_errors` does."""
    with bus_errors(), engine.begin() as connection:

        def query(statements: str, parameters: Parameters) -> Sequence[Row]:
            result = connection.exec_driver_sql(statements, parameters)
            return [tuple(row) for row in result] if result.returns_rows else []

        yield query


class Notice(NamedTuple):
    """What a NOTIFY said."""

    channel: str
    payload: str


class OwnConnection:
    """A connection in autocommit mode that one part has for itself. Raises the driver's errors;
    after one, it is closed for good."""

    def __init__(self, engine: Engine, *setup: str) -> None:
        """Take a connection out of the pool and run the `setup` statements on it."""
        self._connection = engine.connect()
        try:
            self._connection.detach()
            driver: Any = self._connection.connection.dbapi_connection
            driver.autocommit = True
            for statement in setup:
                self._connection.exec_driver_sql(statement)
            self._driver = driver
            self._wire = socket.socket(fileno=os.dup(driver.fileno()))
            """The same connection by a descriptor of our own: it outlives what the driver does."""
        except BaseException:
            self._connection.invalidate()
            self._connection.close()
            raise

    @property
    def is_usable(self) -> bool:
        """False once PostgreSQL has ended it, as far as one can know without asking."""
        return not self._driver.closed and not self._is_readable(0)

    def query(self, statements: str, parameters: Parameters) -> Sequence[Row]:
        """See Query."""
        with self._driver.cursor() as cursor:
            cursor.execute(statements, parameters)
            return cursor.fetchall() if cursor.description else []

    def wait(self, seconds: float) -> None:
        """Until there are notices, or something that makes `notices` raise."""
        self._driver.poll()  # a query's answer may have brought some along
        if not self._driver.notifies:
            self._is_readable(max(seconds, 0))

    def notices(self) -> list[Notice]:
        """What others notified since the last call."""
        self._driver.poll()
        own = self._driver.info.backend_pid
        notices = [Notice(n.channel, n.payload) for n in self._driver.notifies if n.pid != own]
        self._driver.notifies.clear()
        return notices

    def abort(self) -> None:
        """End a query that hangs in another thread: it raises there."""
        self._wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._wire.close()
        self._connection.invalidate()
        self._connection.close()
        self._driver.close()

    def _is_readable(self, seconds: float) -> bool:
        readiness = select.poll()  # needs no descriptor of its own: one may not be to be had
        readiness.register(self._wire, select.POLLIN)
        return bool(readiness.poll(seconds * 1000))
