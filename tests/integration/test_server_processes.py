"""The servers as processes: several workers behind one port, and one Kafka client in each."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.integration.system import Client, Process, eventually, run
from tests.kafka.broker import KafkaBroker, free_ports

IN_TIME = 10.0
"""Seconds that a process has to end."""

NEW_CONNECTIONS = 40
"""So many meet each of two workers, but once in a million million times."""


@pytest.fixture
def environment(fresh_database: str, kafka: KafkaBroker, tmp_path: Path) -> dict[str, str]:
    environment = {
        "TOUCHLINE_DATABASE_URL": fresh_database,
        "TOUCHLINE_BUS": "kafka",
        "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
    }
    for command in ("migrate", "topics"):
        assert run(command, environment=environment, cwd=tmp_path).returncode == 0
    return environment


@pytest.fixture
def writers(environment: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """Those who decide what the servers ask for."""
    names = ("event-writer", "bet-writer")
    processes = [Process([name], environment, tmp_path / f"{name}.log") for name in names]
    yield
    assert [process.stop() for process in processes] == [0, 0]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.usefixtures("writers")
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 2])
def test_workers(
    environment: dict[str, str],
    kafka: KafkaBroker,
    tmp_path: Path,
    workers: int,
    stack: ExitStack,
) -> None:
    events, bets = free_ports(2)
    client = stack.enter_context(
        closing(Client(f"http://127.0.0.1:{events}", f"http://127.0.0.1:{bets}"))
    )
    servers = {}
    for api, port in (("events-api", events), ("bets-api", bets)):
        options = ["--port", str(port), "--workers", str(workers)]
        servers[api] = Process([api, *options], environment, tmp_path / f"{api}.log")
        stack.callback(servers[api].kill)
    url_of = {"events-api": client.events_url, "bets-api": client.bets_url}
    for url in url_of.values():
        eventually(lambda url=url: lives(url))  # type: ignore[misc]
    use(client)
    for api, server in servers.items():
        members = serving(server, workers)
        for member in members:
            # The first one, which asks for the cluster's brokers, may last for a moment.
            eventually(lambda member=member: connections(member, kafka.port) == 1)  # type: ignore[misc]
        streams = [stack.enter_context(streaming(url)) for url in [url_of[api]] * NEW_CONNECTIONS]
        assert server.stop(within=IN_TIME) == 0
        assert psutil.wait_procs(members, timeout=1)[1] == []
        log = (tmp_path / f"{api}.log").read_text()
        assert "Traceback" not in log
        # The streams ended by themselves: none was waited for, and cut.
        assert "timeout" not in log
        for stream in streams:
            assert list(stream.iter_bytes())


@contextmanager
def streaming(url: str) -> Iterator[httpx.Response]:
    """An open stream, on a connection of its own."""
    with httpx.Client(timeout=30) as http, http.stream("GET", f"{url}/stream") as response:
        assert response.status_code == 200
        yield response


def lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez").is_success
    except httpx.TransportError:
        return False


def use(client: Client) -> None:
    """Ask each worker, on new connections, for all that it does with Kafka."""
    event = client.event()["id"]
    for _ in range(NEW_CONNECTIONS):
        with httpx.Client(timeout=60) as http:
            each = Client(client.events_url, client.bets_url, http)
            each.bet(event, "draw", user=str(uuid4()))
            each.update(event, type=f"friendly {uuid4()}")


def serving(server: Process, workers: int) -> list[psutil.Process]:
    """Its processes that answer requests."""
    own = psutil.Process(server.process.pid)
    if workers == 1:
        return [own]
    family = [each for each in own.children() if "spawn_main" in " ".join(each.cmdline())]
    assert len(family) == workers
    return family


def connections(process: psutil.Process, port: int) -> int:
    """How many it has to who listens on the port."""
    return sum(
        each.raddr.port == port and each.status == psutil.CONN_ESTABLISHED
        for each in process.net_connections("tcp")
        if each.raddr
    )
