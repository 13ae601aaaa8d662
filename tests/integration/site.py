"""A Touchline on a Kafka and a PostgreSQL of its own, to be broken."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.postgres_server import PostgresServer
from tests.integration.system import Processes
from tests.kafka.broker import KafkaBroker


@dataclass
class Site:
    """A Touchline on a Kafka and a PostgreSQL of its own."""

    broker: KafkaBroker
    postgres: PostgresServer
    system: Processes


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    broker = KafkaBroker(folder / "broker")
    postgres = PostgresServer(folder / "postgres")
    postgres.start()
    broker.start()
    environment = {
        "TOUCHLINE_DATABASE_URL": postgres.url,
        "TOUCHLINE_BUS": "kafka",
        "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
    }
    system = Processes(folder, environment)
    try:
        system.start()
        yield Site(broker, postgres, system)
        system.client.close()
    finally:
        for process in system.running.values():
            process.kill()
        broker.kill()
        postgres.stop()
