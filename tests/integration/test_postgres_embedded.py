"""The embedded PostgreSQL, started over what a crash has left."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from adapters.postgres.embedded import EmbeddedPostgres
from tests.integration.system import eventually


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    embedded = EmbeddedPostgres(tmp_path)
    yield embedded
    embedded.stop()


@pytest.fixture
def zombie(tmp_path: Path) -> Iterator[int]:
    """The number of a dead process named postgres that nobody has waited for yet."""
    program = tmp_path / "bin" / "postgres"
    program.parent.mkdir()
    shutil.copy(shutil.which("true") or "", program)
    process = subprocess.Popen([program])
    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    yield process.pid
    process.wait()


def answer(url: str) -> object:
    connection = psycopg2.connect(url.replace("postgresql+psycopg2", "postgresql"))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone()
    finally:
        connection.close()


def test_a_killed_server_whose_process_is_still_listed(
    embedded: EmbeddedPostgres, tmp_path: Path, zombie: int
) -> None:
    """Seen when a server and its user were killed together: it was taken for a running one."""
    first = EmbeddedPostgres(tmp_path)
    first.start()
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    running = pid_file.read_text()
    first.stop()
    pid_file.write_text(running.replace(running.split()[0], str(zombie), 1))

    assert answer(embedded.start()) == (1,)
