"""The statements of one transaction. After an error it can only be left."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select

from adapters.postgres.errors import translated_errors
from domain.errors import DatabaseUnavailable

Parameters = Mapping[str, object]
Row = tuple[Any, ...]


class Session:
    """Runs statements on a connection, and raises the domain's errors."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._has_failed = False

    def query(
        self, statement: str | Select[Any], parameters: Parameters | None = None
    ) -> list[Row]:
        """The statement's rows."""
        return self._run(statement, parameters, fetch=True)[0]

    def execute(self, statement: str, parameters: Parameters | None = None) -> int:
        """How many rows the statement touched."""
        return self._run(statement, parameters, fetch=False)[1]

    def commit(self) -> None:
        # PostgreSQL answers the COMMIT of a failed transaction with a silent ROLLBACK.
        self._check()
        with translated_errors():
            self._connection.commit()

    def _run(
        self, statement: str | Select[Any], parameters: Parameters | None, *, fetch: bool
    ) -> tuple[list[Row], int]:
        self._check()
        self._has_failed = True
        with translated_errors():
            if isinstance(statement, str):
                result = self._connection.exec_driver_sql(statement, dict(parameters or {}))
            else:
                result = self._connection.execute(statement)
            rows: Sequence[Any] = result.cursor.fetchall() if fetch else []
            touched = result.rowcount
            result.close()
        self._has_failed = False
        return list(rows), touched

    def _check(self) -> None:
        if self._has_failed:
            raise DatabaseUnavailable("the transaction has failed before")
