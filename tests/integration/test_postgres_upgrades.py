"""Schemas that are newer or older than the code, and migrations while others write."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from alembic.config import Config
from sqlalchemy import make_url

from adapters.postgres import migrate as migration
from adapters.postgres.database import PostgresDatabase
from adapters.postgres.migrate import HEAD, migrate
from adapters.postgres.migrations import upgrade
from domain.errors import DatabaseUnavailable, Misconfigured
from tests.integration.operations.newer import MIGRATION, REVISION
from tests.standstill import in_time

IN_TIME = 3.0
"""By when a request is answered, if only by 503."""

WRITES = 20
"""Between two looks."""

TRIES = 3


@pytest.fixture
def database(fresh_database: str) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(fresh_database)
    migrate(database.engine)
    yield database
    database.close()


@pytest.fixture
def newer(database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This code is the next version's from now on."""
    (tmp_path / "r9999_added_by.py").write_text(MIGRATION)
    config = upgrade.alembic_config

    def with_one_more() -> Config:
        found = config()
        released = Path(upgrade.__file__).parent / "versions"
        found.set_main_option("version_locations", f"{released} {tmp_path}")
        found.set_main_option("path_separator", "space")
        return found

    monkeypatch.setattr(upgrade, "alembic_config", with_one_more)
    monkeypatch.setattr(migration, "HEAD", REVISION)


@pytest.mark.usefixtures("newer")
def test_code_that_is_newer_than_the_schema_says_what_to_do(database: PostgresDatabase) -> None:
    with pytest.raises(Misconfigured, match="run `touchline migrate`"):
        database.check()
    assert migrate(database.engine)
    database.check()


@pytest.mark.parametrize("schema", [REVISION, f"9999_for_{HEAD[:4]}"])
def test_code_that_is_older_than_the_schema_goes_on(
    database: PostgresDatabase, schema: str
) -> None:
    write_revision(database, schema)
    database.check()
    assert not migrate(database.engine)


@pytest.mark.parametrize("schema", ["9999_for_9999", "9999", "something else"])
def test_code_that_is_too_old_for_the_schema_is_refused(
    database: PostgresDatabase, schema: str
) -> None:
    write_revision(database, schema)
    with pytest.raises(Misconfigured, match="newer"):
        database.check()
    with pytest.raises(Misconfigured, match="newer"):
        migrate(database.engine)


@pytest.mark.usefixtures("newer")
def test_nobody_queues_behind_a_migration_that_has_to_wait(
    database: PostgresDatabase, fresh_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As behind a dump, which reads every table in one transaction."""
    caplog.set_level(logging.WARNING)
    with ThreadPoolExecutor(1) as threads, closing(connect(fresh_database, "dump")) as dump:
        with dump.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM bets")
        migrated = threads.submit(migrate, database.engine)
        with closing(connect(fresh_database, "writer")) as writer, writer.cursor() as cursor:
            while len(caplog.records) < TRIES:
                for _ in range(WRITES):
                    with in_time(IN_TIME):
                        cursor.execute("UPDATE bets SET state = 'none'")
                    writer.commit()
            assert not migrated.done()
        dump.rollback()
        assert migrated.result(60)
    assert "dump (process" in caplog.text


@pytest.mark.usefixtures("newer")
def test_a_migration_that_never_gets_its_table_gives_up(
    database: PostgresDatabase, fresh_database: str
) -> None:
    with closing(connect(fresh_database, "dump")) as dump:
        with dump.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM bets")
        with pytest.raises(DatabaseUnavailable, match="nothing was migrated"):
            migrate(database.engine, patience=0)
    assert migrate(database.engine)


def connect(url: str, name: str) -> "psycopg2.extensions.connection":
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg2.connect(plain, application_name=name)


def write_revision(database: PostgresDatabase, schema: str) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = %s", (schema,))
