"""The schema's way from nothing to head, on a real PostgreSQL."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url

from adapters.postgres.database import PostgresDatabase
from adapters.postgres.migrate import HEAD, migrate
from adapters.postgres.migrations.upgrade import alembic_config
from adapters.postgres.schema import metadata
from domain.errors import Misconfigured


@pytest.fixture
def database(fresh_database: str) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(fresh_database)
    yield database
    database.close()


def test_an_empty_database_goes_to_head_and_stays_there(database: PostgresDatabase) -> None:
    with pytest.raises(Misconfigured, match="run `touchline migrate`"):
        database.check()
    assert migrate(database.engine)
    assert not migrate(database.engine)
    database.check()


def test_of_several_at_once_one_migrates_and_all_succeed(fresh_database: str) -> None:
    count = 4
    at_once = Barrier(count)

    def migrate_one() -> bool:
        database = PostgresDatabase(fresh_database, pool_size=1)
        at_once.wait()
        try:
            return migrate(database.engine)
        finally:
            database.close()

    with ThreadPoolExecutor(count) as executor:
        outcomes = [executor.submit(migrate_one) for _ in range(count)]
        assert sorted(outcome.result(60) for outcome in outcomes) == [False] * (count - 1) + [True]


def test_at_head_nothing_loads_alembic(database: PostgresDatabase, fresh_database: str) -> None:
    migrate(database.engine)
    program = (
        "import sys\n"
        "from adapters.postgres.database import PostgresDatabase\n"
        "from adapters.postgres.migrate import migrate\n"
        "assert not migrate(PostgresDatabase(sys.argv[1]).engine)\n"
        "assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, fresh_database], check=True, timeout=60)


def test_head_is_the_newest_revision() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [HEAD]


def test_the_tables_are_those_of_the_schema(database: PostgresDatabase) -> None:
    def is_ours(name: str | None, kind: str, parents: Any) -> bool:
        return kind != "table" or name in metadata.tables

    migrate(database.engine)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": is_ours, "compare_type": True, "compare_server_default": True},
        )
        assert compare_metadata(context, metadata) == []


def test_no_index_of_bets_holds_what_a_goal_changes(database: PostgresDatabase) -> None:
    migrate(database.engine)
    with database.engine.connect() as connection:
        indexes = connection.exec_driver_sql(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'bets'"
        ).scalars()
        definitions = " ".join(indexes)
    assert "market" in definitions
    assert "state" not in definitions
    assert "version" not in definitions


def test_a_failed_migration_leaves_nothing(database: PostgresDatabase) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE dead_letters ()")
    with pytest.raises(Exception, match="dead_letters"):
        migrate(database.engine)
    with database.engine.connect() as connection:
        tables = connection.exec_driver_sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).scalars()
        assert tables.all() == ["dead_letters"]


def test_without_a_schema_the_error_says_what_to_do(database: PostgresDatabase) -> None:
    with database.transaction() as uow, pytest.raises(Misconfigured, match="touchline migrate"):
        uow.positions.all()


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
def narrow_database(
    request: pytest.FixtureRequest, postgres_url: str
) -> Iterator[PostgresDatabase]:
    """One that can't hold every text."""
    name = f"narrow_{request.param.lower()}"
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0"
        )
        url = make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
        database = PostgresDatabase(url)
        yield database
        database.close()
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


def test_a_database_in_another_encoding_is_refused(narrow_database: PostgresDatabase) -> None:
    with pytest.raises(Misconfigured, match="encoding is "):
        migrate(narrow_database.engine)
    with pytest.raises(Misconfigured, match="encoding is "):
        narrow_database.check()


def test_whatever_the_environment_says_we_talk_in_utf8(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    url = make_url(fresh_database).update_query_dict({"client_encoding": "latin1"})
    database = PostgresDatabase(url.render_as_string(hide_password=False))
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT %(text)s::text", {"text": "Łódź"}).scalar_one()
    database.close()
    assert found == "Łódź"
