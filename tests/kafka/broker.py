"""A real Apache Kafka broker for tests: one process, its own data, no container.

It dies with the process that started it. Whatever a test does to it (kill, freeze, empty its
disk), `restart` brings it back on the same port under the same cluster id.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from adapters.kafka.client import TouchlineClient
from adapters.kafka.settings import KafkaSettings
from tests.kafka.jars import class_archive, jars_directory
from tests.standstill import stand_still

START_SECONDS = 180.0
STOP_SECONDS = 20.0

_JVM_OPTIONS = (
    *("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC"),
    *("-Xshare:auto", "-Djava.awt.headless=true", "-Dlog4j2.level=WARN"),
)

_SHORT_LIVED = ("-XX:TieredStopAtLevel=1",)
"""Compile quickly, not well: most tests are over before it pays."""

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised_port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
log.flush.interval.messages=1
log.cleaner.enable=false
auto.create.topics.enable=true
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


class KafkaBroker:
    """A broker that is also its own controller (KRaft)."""

    def __init__(
        self,
        directory: Path,
        *,
        advertised_port: int | None = None,
        short_lived: bool = True,
        properties: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
        scram: Sequence[str] = (),
        cluster_id: str | None = None,
        ports: tuple[int, int] | None = None,
    ) -> None:
        """Everything it writes goes below `directory`. Clients reach it at `advertised_port`, if
        one is given: whoever listens there passes on what they say. One that is not `short_lived`
        is slower at first, and faster then, as in production.

        `properties` win over those here. `listeners`: names of more of them, with their security
        protocols; each listens at `address(name)`. `scram`: users that are there from the start,
        as StorageTool wants them. `cluster_id` and `ports`, of the broker and the controller in it,
        are given where it is one of several."""
        self._jvm_options = _SHORT_LIVED if short_lived else ()
        self._directory = directory
        self._data = directory / "data"
        self._log = directory / "broker.log"
        self._properties = directory / "server.properties"
        self._scram = scram
        self._cluster_id = cluster_id or new_cluster_id()
        self._port, controller_port = ports or free_ports(2)
        self._advertised_port = advertised_port or self._port
        self._more_ports = dict(zip(listeners or (), free_ports(len(listeners or ())), strict=True))
        directory.mkdir(parents=True, exist_ok=True)
        text = _PROPERTIES.format(
            port=self._port,
            advertised_port=self._advertised_port,
            controller_port=controller_port,
            data=self._data,
        )
        text = _with_listeners(text, listeners or {}, self._more_ports)
        # Of two lines with one name the later one counts.
        text += "".join(f"{name}={value}\n" for name, value in (properties or {}).items())
        self._properties.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """What clients connect to."""
        return f"127.0.0.1:{self._advertised_port}"

    @property
    def settings(self) -> KafkaSettings:
        """How Touchline reaches it."""
        return KafkaSettings(bootstrap_servers=self.bootstrap)

    def address(self, listener: str, *, host: str = "localhost") -> str:
        """What clients of one of the additional listeners connect to."""
        return f"{host}:{self._more_ports[listener]}"

    @property
    def port(self) -> int:
        """Where it listens itself."""
        return self._port

    @property
    def data(self) -> Path:
        """Where it stores all that it keeps."""
        return self._data

    @property
    def is_running(self) -> bool:
        """Whether its process lives; a frozen one does."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, on new disks if it has none, and return once it answers."""
        if not self.is_running:
            self.launch()
            self.wait_until_it_answers()

    def launch(self) -> None:
        """Start it, on new disks if it has none, without waiting for it."""
        if not self._data.exists():
            self._format()
        with self._log.open("ab") as log:
            command = _java(*self._jvm_options, "kafka.Kafka", str(self._properties))
            if setpriv := shutil.which("setpriv"):
                command = [setpriv, "--pdeathsig", "SIGKILL", *command]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def archive_classes(self, file: Path) -> None:
        """Start and stop it, and keep there what classes it loaded."""
        self._jvm_options = (*self._jvm_options, f"-XX:ArchiveClassesAtExit={file}")
        self.start()
        self.stop()

    def stop(self) -> None:
        """Let it shut down in order; kill it when it takes too long."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """It can't say goodbye; what it has written is the operating system's, and not lost."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Bring it back, whatever became of it; return once it answers."""
        self.stop()
        self.start()

    def suspend(self) -> None:
        """Freeze it: connections stay open, nothing is answered."""
        if self._process is not None:
            stand_still(self._process)

    def resume(self) -> None:
        """Thaw it."""
        self._signal(signal.SIGCONT)

    def lose_disk(self) -> None:
        """Remove all it ever stored, topics included; it must not run."""
        if self.is_running:
            raise RuntimeError("the broker still runs")
        shutil.rmtree(self._data)

    def _format(self) -> None:
        command = _java(
            *_SHORT_LIVED,
            *("kafka.tools.StorageTool", "format"),
            *(f"--cluster-id={self._cluster_id}", "--config", str(self._properties)),
            *(f"--add-scram={user}" for user in self._scram),
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"formatting Kafka's storage failed:\n{done.stdout}{done.stderr}")

    def wait_until_it_answers(self) -> None:
        """And kill it, if it does not."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.is_running:
                break
            if self._answers():
                return
        self.kill()
        raise RuntimeError(f"Kafka did not start:\n{self._log.read_text()[-4000:]}")

    def _answers(self) -> bool:
        """Whether it accepts a connection and then tells its cluster's brokers."""
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1.0).close()
        except OSError:
            time.sleep(0.05)
            return False
        clients: list[TouchlineClient] = []

        def connect(**configs: Any) -> TouchlineClient:
            clients.append(TouchlineClient(**configs))
            return clients[-1]

        config = self.settings.client_config() | {
            "kafka_client": connect,
            "bootstrap_timeout_ms": int(START_SECONDS * 1000),
            "reconnect_backoff_max_ms": 100,
        }
        try:
            KafkaAdminClient(**config)
        except KafkaError:
            return False
        finally:
            # One that could not be made would leave its connections to the garbage collector.
            for client in clients:
                client.close()
        return True

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(how)
        self.resume()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _signal(self, which: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(which)


def new_cluster_id() -> str:
    return urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")


def _with_listeners(text: str, listeners: Mapping[str, str], ports: Mapping[str, int]) -> str:
    """The properties with more listeners, at these ports; clients know them as localhost."""
    if not listeners:
        return text
    more = {
        "listeners=": [f"{name}://127.0.0.1:{ports[name]}" for name in listeners],
        "advertised.listeners=": [f"{name}://localhost:{ports[name]}" for name in listeners],
        "listener.security.protocol.map=": [f"{n}:{kind}" for n, kind in listeners.items()],
    }
    lines = []
    for line in text.splitlines():
        added = next((more[start] for start in more if line.startswith(start)), [])
        lines.append(",".join([line, *added]))
    return "\n".join(lines) + "\n"


def _own_ports() -> Iterator[int]:
    """Below those that the system gives away, and others for each process of a test run: a port is
    bound only seconds after it was found."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = range(12_000 + 2_500 * (worker % 8), 14_500 + 2_500 * (worker % 8))
    start = os.getpid() % len(ports)
    return cycle([*ports[start:], *ports[:start]])


_PORTS = _own_ports()


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on right now, and that no other worker finds."""
    found: list[int] = []
    while len(found) < count:
        port = next(_PORTS)
        with socket.socket() as each, suppress(OSError):
            each.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _java(*arguments: str) -> list[str]:
    jars = jars_directory()
    if not jars.is_dir():
        raise RuntimeError("Kafka's jars are not there yet. Type: make setup")
    archive = class_archive()
    options = [f"-XX:SharedArchiveFile={archive}"] if archive.is_file() else []
    return ["java", *_JVM_OPTIONS, *options, "-cp", f"{jars}/*", *arguments]
