"""Told to end, a process ends: while it starts, while the database holds it up, and while requests
are open, each of which is answered as promised."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median

import httpx
import psutil
import psycopg2
import pytest

from tests.integration.postgres_server import PostgresServer
from tests.integration.system import Client, Process, Up, eventually, run, running_up
from tests.kafka.broker import free_ports

IN_TIME = 10.0
"""Seconds that a process has to end."""

LEASE_SECONDS = 3.0
"""How long the partitions of a member stay its own after its death."""


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


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_requests_that_are_open(postgres: PostgresServer, tmp_path: Path, workers: int) -> None:
    """Of one, that was published, nobody decides; the other's body never ends."""
    environment = {"TOUCHLINE_DATABASE_URL": postgres.url, "TOUCHLINE_ANSWER_WAIT_MS": "60000"}
    for command in ("migrate", "topics"):
        assert run(command, environment=environment, cwd=tmp_path).returncode == 0
    (port,) = free_ports(1)
    url, log = f"http://127.0.0.1:{port}", tmp_path / "events-api.log"
    options = ["--port", str(port), "--workers", str(workers)]
    server = Process(["events-api", *options], environment, log)
    client = Client(url, url)
    with ThreadPoolExecutor() as threads, closing(client):
        eventually(lambda: _lives(client))
        answer = threads.submit(lambda: eventually(lambda: taken(client.post_event())))
        eventually(lambda: "published" in log.read_text())
        with _half_a_post(port) as connection:
            assert server.stop(within=IN_TIME) == 0
            half = _all_of(connection)
        published = answer.result()
    assert published.status_code == 202
    assert published.json()["message_id"]
    assert half.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in half
    assert b"/problems/unavailable" in half
    assert "Traceback" not in log.read_text()


def taken(answer: httpx.Response) -> httpx.Response | None:
    """None where a server that has just begun found nobody in time."""
    return None if answer.status_code == 503 else answer


def _lives(client: Client) -> bool:
    try:
        return client.http.get(f"{client.events_url}/livez").is_success
    except httpx.TransportError:
        return False


def _half_a_post(port: int) -> socket.socket:
    """A request of which the server waits for the rest."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(
        b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"
    )
    assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
    connection.sendall(b"{")
    return connection


def _all_of(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as answer:
        return answer.read()


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
def test_killed_up_waits_for_its_leases_and_nothing_else(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        after_end, after_kill = [], []
        for _ in range(3):
            assert up.process.stop() == 0
            after_end.append(up.start())
            up.process.kill()
            after_kill.append(up.start())
        assert median(after_kill) < LEASE_SECONDS + 2 * median(after_end)
