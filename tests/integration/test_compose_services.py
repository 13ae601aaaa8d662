"""The deployment of docker-compose.yml works: each service as a plain process, on the broker and
the database that the file sets up, addresses mapped to this machine's (tests/compose/deployment).
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from sqlalchemy import create_engine, make_url, text

from tests.compose.deployment import Deployment
from tests.compose.document import Document, environment, is_touchline, load, services
from tests.compose.parts import postgres, postgres_version
from tests.compose.touchline import DRAIN_SECONDS, LASTING
from tests.integration.system import Client, eventually

TOPICS = {"events.taxonomy", "bets.state"}


@pytest.fixture(scope="module")
def document() -> Document:
    return load()


@pytest.fixture(scope="module")
def database_url(document: Document, postgres_url: str) -> Iterator[str]:
    """A database made as the image makes it: its own superuser, password and name."""
    made = environment(postgres(document)[1])
    user, name = made["POSTGRES_USER"], made["POSTGRES_DB"]
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        password = made["POSTGRES_PASSWORD"]
        connection.exec_driver_sql(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{password}'")
        connection.exec_driver_sql(f"CREATE DATABASE {name} OWNER {user}")
        url = make_url(postgres_url).set(username=user, password=password, database=name)
        yield url.render_as_string(hide_password=False)
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        connection.exec_driver_sql(f"DROP ROLE {user}")
    engine.dispose()


@pytest.fixture(scope="module")
def deployment(
    document: Document, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """All services, started in the file's order; stopped by the last test."""
    started = Deployment(document, tmp_path_factory.mktemp("compose"), database_url)
    try:
        started.start()
        yield started
    finally:
        started.kill()


@pytest.fixture
def client(deployment: Deployment) -> Iterator[Client]:
    ports = deployment.ports
    made = Client(f"http://127.0.0.1:{ports['8001']}", f"http://127.0.0.1:{ports['8002']}")
    yield made
    made.close()


@pytest.mark.parametrize("name", sorted(LASTING))
def test_its_healthcheck_passes(deployment: Deployment, name: str) -> None:
    eventually(lambda: deployment.is_healthy(name))


def test_a_match_is_scored(client: Client) -> None:
    event = client.event()["id"]
    for market in ("team_1", "draw", "team_2"):
        client.bet(event, market)
    client.becomes(event, team_1={"none": 1}, draw={"none": 1}, team_2={"none": 1})
    client.update(event, state="active")
    client.becomes(event, team_1={"losing": 1}, draw={"winning": 1}, team_2={"losing": 1})
    client.update(event, score="1-0")
    client.becomes(event, team_1={"winning": 1}, draw={"losing": 1}, team_2={"losing": 1})
    client.update(event, state="finished")
    client.becomes(event, team_1={"win": 1}, draw={"lose": 1}, team_2={"lose": 1})


def test_the_demo_is_played(deployment: Deployment) -> None:
    """Its own command, only faster."""
    assert "each one as the rules say" in deployment.run("demo", "--speed", "600")


def test_one_shots_may_run_again(deployment: Deployment) -> None:
    """Each `docker compose up` runs them."""
    assert "already" in deployment.run("migrate")
    assert deployment.run("topics").count("exists already") == len(TOPICS)


def test_each_listener_of_kafka_leads_back_to_itself(deployment: Deployment) -> None:
    """A client stays on the side, inside or outside, on which it came."""
    for port in (deployment.inside, deployment.outside):
        admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}")
        try:
            brokers = admin.describe_cluster()["brokers"]
            assert [(each["host"], each["port"]) for each in brokers] == [("127.0.0.1", port)]
            assert set(admin.list_topics()) >= TOPICS
        finally:
            admin.close()


def test_the_database_is_the_version_that_is_tested(document: Document, database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        number = int(connection.scalar(text("SHOW server_version_num")))
    engine.dispose()
    assert divmod(number, 10_000) == postgres_version(document)


def test_services_write_nothing_where_they_run(document: Document, deployment: Deployment) -> None:
    """The containers' file systems are read-only."""
    for name, service in services(document).items():
        if not is_touchline(document, service):
            continue
        written = {path.name for path in Path(deployment.home(name)).iterdir()}
        assert written <= {"service.log"}, name


def test_each_stops_within_its_time(deployment: Deployment) -> None:
    for name in list(deployment.running):
        before = time.monotonic()
        assert deployment.stop(name) == 0, name
        assert time.monotonic() - before < DRAIN_SECONDS, name
        assert not deployment.is_healthy(name)
