"""Told to end, a process ends: while it starts, and while the database holds it up."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from tests.integration.postgres_server import PostgresServer
from tests.integration.system import Process, Up, eventually, run

IN_TIME = 10.0
"""Seconds that the contract gives a process."""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()


def test_a_consumer_that_waits_for_a_locked_row(postgres: PostgresServer, tmp_path: Path) -> None:
    environment = {"TOUCHLINE_DATABASE_URL": postgres.url}
    for command in ("migrate", "topics"):
        assert run(command, environment=environment, cwd=tmp_path).returncode == 0
    writer = Process(["event-writer"], environment, tmp_path / "writer.log")
    with psycopg2.connect(postgres.url.replace("+psycopg2", "")) as connection:
        cursor = connection.cursor()
        # Its first mark waits for this; it holds the lock until the process is gone.
        cursor.execute("LOCK TABLE positions IN ACCESS EXCLUSIVE MODE")
        eventually(lambda: _waiting(cursor))
        assert writer.stop(within=IN_TIME) == 0
    connection.close()


def _waiting(cursor: "psycopg2.extensions.cursor") -> bool:
    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
    (found,) = cursor.fetchone() or (0,)
    return bool(found)


def test_up_while_it_starts(tmp_path: Path) -> None:
    """It leaves no PostgreSQL behind."""
    up = Up(tmp_path)
    process = Process(["up", "--events-port", "0", "--bets-port", "0"], up.environment, up.log_file)
    postmaster = psutil.Process(eventually(lambda: _postmaster(tmp_path / "data" / "postgres")))
    assert process.stop(within=IN_TIME) == 0
    eventually(lambda: not postmaster.is_running())


def _postmaster(folder: Path) -> int | None:
    """The server's process id; none yet while the folder is being made."""
    file = folder / "postmaster.pid"
    words = file.read_text().split() if file.exists() else []
    return int(words[0]) if words and int(words[0]) > 0 else None


def test_a_second_signal_while_it_ends(tmp_path: Path) -> None:
    up = Up(tmp_path)
    up.start()
    up.client.close()
    up.process.process.terminate()
    assert up.process.stop(within=IN_TIME) == 0


@pytest.mark.long
def test_up_is_ready_soon_again_after_a_kill(tmp_path: Path) -> None:
    up = Up(tmp_path)
    up.start()
    for _ in range(3):
        up.process.kill()
        assert up.start() < 5.0
    assert up.stop() == 0
