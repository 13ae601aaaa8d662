"""A Touchline on a Kafka and a PostgreSQL of its own, to be broken."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.integration.postgres_server import PostgresServer
from tests.integration.proxy import Proxy
from tests.integration.system import Processes, eventually
from tests.kafka.broker import KafkaBroker

APIS = ("events-api", "bets-api")


@dataclass
class Site:
    """A Touchline on a Kafka and a PostgreSQL of its own."""

    broker: KafkaBroker
    postgres: PostgresServer
    system: Processes
    links: dict[str, Proxy]
    """What Touchline goes through to `kafka` and `postgres`, if anything."""

    def says_that_kafka_is_away(self) -> None:
        """Wait for it: the servers still answer reads, the consumers can do nothing."""
        self._all_say(self._says_that_kafka_is_away)

    def says_that_postgresql_is_away(self) -> None:
        """Wait for it: nobody can do anything."""
        self._all_say(self._says_that_postgresql_is_away)

    def _all_say(self, say: Callable[[str], bool]) -> None:
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda name: eventually(partial(say, name)), self.system.names))

    def _says_that_kafka_is_away(self, name: str) -> bool:
        health = self.system.health(name)
        ready = "ok" if name in APIS else "unavailable"
        return health.get("bus") == "down" and health.get("status") == ready

    def _says_that_postgresql_is_away(self, name: str) -> bool:
        health = self.system.health(name)
        return health.get("status") == "unavailable" and health["database"].startswith("down")


@contextmanager
def running_site(
    folder: Path, *, with_links: bool = False, with_options: str = "", has_started: bool = True
) -> Iterator[Site]:
    """`with_options`: PostgreSQL's, of every connection of Touchline's."""
    with ExitStack() as stack:
        links = {name: stack.enter_context(Proxy()) for name in ("kafka", "postgres") if with_links}
        advertised = links["kafka"].port if links else None
        broker = KafkaBroker(folder / "broker", advertised_port=advertised)
        postgres = PostgresServer(folder / "postgres")
        stack.callback(postgres.stop)
        postgres.start()
        if links:
            links["kafka"].lead_to_port(broker.port)
            links["postgres"].lead_to_file(postgres.socket_file)
        stack.callback(broker.kill)
        broker.start()
        url = postgres.url_at(links["postgres"].port) if links else postgres.url
        environment = {
            "TOUCHLINE_DATABASE_URL": _with_options(url, with_options),
            "TOUCHLINE_BUS": "kafka",
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        }
        system = Processes(folder, environment)
        stack.callback(_kill_all, system)
        if has_started:
            system.start()
        yield Site(broker, postgres, system, links)
        system.client.close()


def _with_options(url: str, options: str) -> str:
    if not options:
        return url
    return f"{url}{'&' if '?' in url else '?'}options={options.replace(' ', '%20')}"


def _kill_all(system: Processes) -> None:
    for process in system.running.values():
        process.kill()
