"""The database on PostgreSQL: connections, transactions, listeners."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from adapters.postgres.audit import PostgresAudit
from adapters.postgres.bets import PostgresBets
from adapters.postgres.bookkeeping import PostgresDeadLetters, PostgresDeletions, PostgresRefusals
from adapters.postgres.changes import PostgresChanges
from adapters.postgres.engine import pooled_engine, unpooled_engine
from adapters.postgres.errors import translated_errors
from adapters.postgres.events import PostgresEvents, PostgresEventVersions
from adapters.postgres.listener import PostgresListener, PostgresWatcher
from adapters.postgres.migrate import check_schema
from adapters.postgres.positions import PostgresLogs, PostgresPositions
from adapters.postgres.session import Session
from domain.ports import (
    Audit,
    Bets,
    Changes,
    DeadLetters,
    Deletions,
    Events,
    EventVersions,
    Logs,
    Positions,
    Refusals,
    UnitOfWork,
)
from domain.records import ConsumerName


class PostgresDatabase:
    """A Database. Thread-safe: up to `pool_size` transactions at once, others wait for a moment.
    Nothing connects before it is needed."""

    def __init__(
        self, url: str, *, pool_size: int = 5, application_name: str = "touchline"
    ) -> None:
        self.engine = pooled_engine(url, pool_size=pool_size, application_name=application_name)
        self._listeners = unpooled_engine(url, application_name=f"{application_name} listener")

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        with translated_errors():
            connection = self.engine.connect()
        try:
            yield _UnitOfWork(Session(connection))
        finally:
            _give_back(connection)

    def check(self) -> None:
        with translated_errors(), self.engine.connect() as connection:
            check_schema(connection)

    def listen(self, to: Iterable[ConsumerName] = ConsumerName) -> PostgresListener:
        return PostgresListener(self._listeners, to)

    def watch(self) -> PostgresWatcher:
        return PostgresWatcher(self._listeners)

    def close(self) -> None:
        self.engine.dispose()
        self._listeners.dispose()


class _UnitOfWork:
    """The repositories of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.logs: Logs = PostgresLogs(session)
        self.positions: Positions = PostgresPositions(session)
        self.events: Events = PostgresEvents(session)
        self.event_versions: EventVersions = PostgresEventVersions(session)
        self.bets: Bets = PostgresBets(session)
        self.refusals: Refusals = PostgresRefusals(session)
        self.deletions: Deletions = PostgresDeletions(session)
        self.dead_letters: DeadLetters = PostgresDeadLetters(session)
        self.audit: Audit = PostgresAudit(session)
        self.changes: Changes = PostgresChanges(session)

    def commit(self, *, lazily: bool = False) -> None:
        if lazily:
            self._session.execute("SET LOCAL synchronous_commit TO off")
        self._session.commit()


def _give_back(connection: Connection) -> None:
    """Roll back what was not committed. A connection that can't is gone, and with it all that."""
    try:
        connection.close()
    except SQLAlchemyError:
        # Where it failed decides whether it counts as closed by now.
        if not connection.closed:
            connection.invalidate()
        connection.close()
