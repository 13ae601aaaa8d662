"""PostgreSQL dies, hangs and comes back."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import UUID

import psycopg2
import pytest
from pytest_mock import MockerFixture
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from adapters.postgres.database import PostgresDatabase
from adapters.postgres.migrate import migrate
from domain.errors import DatabaseUnavailable
from domain.ports import Listener, UnitOfWork
from domain.records import ConsumerName
from tests.contracts.repositories_samples import DEADLINE, alone, position, run, source
from tests.integration.postgres_server import PostgresServer
from tests.standstill import in_time

ONE, TWO = UUID(int=1), UUID(int=2)
SOON = 4.0
"""Seconds in which it must be plain that PostgreSQL is away: 2, and room for a busy machine."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("outages") / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database(server: PostgresServer) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(server.url, pool_size=3)
    migrate(database.engine)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE deletions, positions")
    yield database
    database.close()


def use_connections(database: PostgresDatabase, count: int) -> None:
    """Leave that many connections in the pool."""
    if count:
        with database.transaction() as uow:
            uow.logs.generations()
            use_connections(database, count - 1)


def expect_unavailable(database: PostgresDatabase) -> None:
    with (
        in_time(SOON),
        pytest.raises(DatabaseUnavailable),
        database.transaction() as uow,
    ):
        uow.logs.generations()


def move(database: PostgresDatabase, next_offset: int) -> None:
    alone(database).positions.save([position(next_offset, source(), ConsumerName.BET_WRITER)])


def expect_quiet(listener: Listener, seconds: float) -> None:
    begun = time.monotonic()
    with in_time(seconds + SOON):
        assert not listener.wait(seconds)
    assert time.monotonic() - begun >= seconds


def test_after_a_crash_it_is_unavailable_and_then_works(
    server: PostgresServer, database: PostgresDatabase
) -> None:
    def outlive(uow: UnitOfWork) -> None:
        uow.deletions.add(TWO)
        server.kill()
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                uow.deletions.among([TWO])

    use_connections(database, 3)
    alone(database).deletions.add(ONE)
    with pytest.raises(DatabaseUnavailable):
        run(database, outlive)
    for _ in range(4):
        expect_unavailable(database)
    server.start()
    use_connections(database, 3)
    assert alone(database).deletions.among([ONE, TWO]) == {ONE}


def test_a_commit_that_meets_a_crash_fails(
    server: PostgresServer, database: PostgresDatabase
) -> None:
    def write(uow: UnitOfWork) -> None:
        uow.deletions.add(TWO)
        server.kill()

    with pytest.raises(DatabaseUnavailable):
        run(database, write)
    server.start()
    assert alone(database).deletions.among([TWO]) == frozenset()


def test_a_listener_outlives_a_crash(server: PostgresServer, database: PostgresDatabase) -> None:
    with closing(database.listen()) as listener:
        move(database, 1)
        assert listener.wait(DEADLINE)
        server.kill()
        expect_quiet(listener, 0.2)
        expect_quiet(listener, 1.2)
        listener.wake()
        assert listener.wait(DEADLINE)
        expect_quiet(listener, 0)
        server.start()
        # What may have been missed counts as news, once.
        assert listener.wait(DEADLINE)
        expect_quiet(listener, 0.1)
        move(database, 2)
        assert listener.wait(DEADLINE)
        expect_quiet(listener, 0.1)


def test_a_listener_may_begin_while_it_is_away(
    server: PostgresServer, database: PostgresDatabase
) -> None:
    server.kill()
    with closing(database.listen()) as listener:
        expect_quiet(listener, 0.1)
        server.start()
        assert listener.wait(DEADLINE)
        move(database, 1)
        assert listener.wait(DEADLINE)


def test_ended_connections_are_not_given_out(
    server: PostgresServer, database: PostgresDatabase
) -> None:
    use_connections(database, 3)
    with closing(psycopg2.connect(server.url.replace("+psycopg2", ""))) as other:
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchone() == (3,)
        use_connections(database, 3)


def test_no_connection_free_is_unavailable(database: PostgresDatabase) -> None:
    with database.transaction(), database.transaction(), database.transaction():
        expect_unavailable(database)
    use_connections(database, 3)


def test_nobody_at_the_door_is_unavailable() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        port = door.getsockname()[1]
    database = PostgresDatabase(f"postgresql+psycopg2://u@127.0.0.1:{port}/x")
    expect_unavailable(database)
    database.close()


def test_a_door_that_never_opens_is_unavailable() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        port = door.getsockname()[1]
        database = PostgresDatabase(f"postgresql+psycopg2://u@127.0.0.1:{port}/x")
        for _ in range(2):
            expect_unavailable(database)
        with closing(database.listen()) as listener:
            expect_quiet(listener, 0.1)
        database.close()


def test_a_connection_that_fails_when_it_is_given_back(
    database: PostgresDatabase, mocker: MockerFixture
) -> None:
    """Seen when the server was killed just then: SQLAlchemy had closed its part already."""
    broken = OperationalError("ROLLBACK", None, Exception("server closed the connection"))
    mocker.patch.object(database.engine.dialect, "do_rollback", side_effect=broken)
    with database.transaction() as uow:
        uow.logs.generations()
    mocker.patch.object(Connection, "close", autospec=True, side_effect=_closed_then_broken(broken))
    with database.transaction() as uow:
        uow.logs.generations()
    mocker.stopall()
    with database.transaction() as uow:
        uow.logs.generations()


def _closed_then_broken(error: Exception) -> Callable[[Connection], None]:
    close = Connection.close

    def close_and_fail(connection: Connection) -> None:
        was_open = not connection.closed
        close(connection)
        if was_open:
            raise error

    return close_and_fail
