"""Touchline as its users run it: real processes on real sockets, started, killed and asked."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from adapters.kafka.bus import KafkaBus
from adapters.kafka.settings import KafkaSettings
from adapters.postgres.database import PostgresDatabase
from domain.errors import BusUnavailable
from domain.log import NewRecord, Placed, Record
from domain.ports import MessageBus
from entrypoints import bootstrap
from entrypoints.settings import PREFIX, Settings
from tests.kafka.broker import KafkaBroker, free_ports
from tests.standstill import in_time, stand_still

PATIENCE = 180.0
"""Seconds until a condition that must come true is given up: on a busy machine several members of a
group may have to start, and one that died to be missed, one after the other."""

APPENDED_AT_ONCE = 500

NO_VERDICT = 2
"""`touchline verify` ends so where it could not check."""

TOUCHLINE = (str(Path(sys.executable).with_name("touchline")),)
PATIENT = (sys.executable, str(Path(__file__).with_name("patient_touchline.py")))
"""For tests that are not about time: 202 and 503 come only where they are asked for, on any
machine."""

Found = TypeVar("Found")


UNDECIDED = {202, 503}
"""Nobody can tell yet; what may be asked twice may be asked again."""

left_open: list[str] = []
"""First answers that told nothing, to what was asked by `decided`."""


def eventually(look: Callable[[], Found | None], *, patience: float = PATIENCE) -> Found:
    """The first true value of `look`; fails with the last one."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r} after {patience} s"
        time.sleep(0.02)
    return found


def decided(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer to what may be asked twice, asked for again until it is decided."""
    answer, deadline = ask(), time.monotonic() + PATIENCE
    if answer.status_code in UNDECIDED:
        left_open.append(answer.text)
    while answer.status_code in UNDECIDED:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
        answer = ask()
    return answer


class Process:
    """A `touchline` command that runs until it is told to stop."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        has_own_group: bool = False,
        program: Sequence[str] = TOUCHLINE,
    ) -> None:
        """`has_own_group`: of processes, as a command in a terminal; Ctrl-C goes to all of it."""
        self._log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [*program, *arguments],
                env=clean_environment(environment),
                cwd=log.parent,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                process_group=0 if has_own_group else None,
            )

    def line(self, pattern: str) -> re.Match[str]:
        """The next line on its standard output that matches."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"it ended with {self.process.wait()}:\n{self._log.read_text()}")

    def send(self, number: signal.Signals) -> None:
        if number is signal.SIGSTOP:
            stand_still(self.process)
        else:
            self.process.send_signal(number)

    def kill(self) -> None:
        """Kill -9, and wait until it is gone."""
        self.process.kill()
        self._close()

    def stop(self, *, within: float = 10.0) -> int:
        """SIGTERM; its exit code, which must come in time."""
        try:
            with in_time(within):
                self.process.terminate()
                return self.process.wait(PATIENCE)
        finally:
            self._close()

    def _close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these settings of Touchline's and no others."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TOUCHLINE_")}
    return kept | dict(settings)


def run(
    *arguments: str,
    environment: Mapping[str, str],
    cwd: Path,
    program: Sequence[str] = TOUCHLINE,
) -> "subprocess.CompletedProcess[str]":
    """One command, to its end."""
    return subprocess.run(
        [*program, *arguments],
        env=clean_environment(environment),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass
class Client:
    """Both APIs, in the words of the tests."""

    events_url: str
    bets_url: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))

    def event(self, **changes: Any) -> dict[str, Any]:
        asked = {"key": str(uuid4())} | changes
        response = decided(lambda: self.post_event(**asked))
        assert response.status_code == 201, response.text
        event: dict[str, Any] = response.json()
        return event

    def post_event(
        self,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> httpx.Response:
        body = {
            "type": "football",
            "team_1": "Argentina",
            "team_2": "France",
            "event_date": "2022-12-18T15:00:00Z",
        }
        return self.http.post(
            f"{self.events_url}/events",
            json=body | changes,
            headers=_keyed(key) | dict(headers or {}),
        )

    def patch(
        self, event_id: str, *, headers: Mapping[str, str] | None = None, **changes: Any
    ) -> httpx.Response:
        return self.http.patch(
            f"{self.events_url}/events/{event_id}", json=changes, headers=headers
        )

    def update(self, event_id: str, **changes: Any) -> dict[str, Any]:
        response = decided(lambda: self.patch(event_id, **changes))
        assert response.status_code == 200, response.text
        event: dict[str, Any] = response.json()
        return event

    def post_bet(
        self,
        event_id: str,
        market: str,
        *,
        user: str = "ann",
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        body = {"userId": user, "eventId": event_id, "market": market}
        return self.http.post(
            f"{self.bets_url}/bets", json=body, headers=_keyed(key) | dict(headers or {})
        )

    def bet(self, event_id: str, market: str, *, user: str = "ann") -> dict[str, Any]:
        key = str(uuid4())
        response = decided(lambda: self.post_bet(event_id, market, user=user, key=key))
        assert response.status_code == 201, response.text
        bet: dict[str, Any] = response.json()
        return bet

    def get_bet(self, bet_id: str) -> httpx.Response:
        return self.http.get(f"{self.bets_url}/bets/{bet_id}")

    def tally(self, event_id: str) -> dict[str, dict[str, int]]:
        """How many bets, by market and state; without zeros."""
        url = f"{self.bets_url}/events/{event_id}/tally"
        response = decided(lambda: self.http.get(url))
        assert response.status_code == 200, response.text
        markets = response.json()["markets"]
        return {
            market: {state: bets for state, bets in states.items() if bets}
            for market, states in markets.items()
            if any(states.values())
        }

    def becomes(self, event_id: str, **markets: dict[str, int]) -> None:
        """Wait until the event's bets stand so."""
        eventually(lambda: self.tally(event_id) == markets or None)

    def close(self) -> None:
        self.http.close()


def _patient_bus(settings: Settings, database: PostgresDatabase) -> MessageBus:
    """The one that is configured. One on Kafka waits for its broker: a record that it had given up
    might be there all the same, and once more when it is appended again."""
    if settings.bus != "kafka":
        return bootstrap.open_bus(settings, database)
    wait = PATIENCE / 6
    given = bootstrap.kafka_settings(settings)
    return KafkaBus(replace(given, give_up_seconds=wait, answer_seconds=wait))


def _append(bus: MessageBus, records: Sequence[NewRecord]) -> list[Placed]:
    placed: dict[int, Placed] = {}

    def all_are_placed() -> bool:
        missing = [number for number in range(len(records)) if number not in placed]
        futures = bus.publish([records[number] for number in missing])
        for number, future in zip(missing, futures, strict=True):
            with suppress(BusUnavailable):
                placed[number] = future.result()
        return len(placed) == len(records)

    eventually(all_are_placed)
    return [placed[number] for number in range(len(records))]


def _keyed(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


class System:
    """A running Touchline: how to reach it, and how to check it."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], program: Sequence[str] = TOUCHLINE
    ) -> None:
        self.folder = folder
        self.program = program
        self.environment = dict(environment)
        self.client: Client

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run(*arguments, environment=self.environment, cwd=self.folder, program=self.program)

    @contextmanager
    def connected(self) -> Iterator[tuple[PostgresDatabase, MessageBus]]:
        """Its database and its bus, behind its back."""
        names = {PREFIX + name.upper(): name for name in Settings.model_fields}
        given = {names[n]: value for n, value in self.environment.items() if n in names}
        settings = Settings.model_validate(given)
        with (
            bootstrap.database_url(settings) as url,
            bootstrap.database(url, name="test") as database,
            closing(_patient_bus(settings, database)) as bus,
        ):
            yield database, bus

    def append(self, *records: NewRecord) -> list[Placed]:
        """Put records into the log without asking the APIs; again those that are given up."""
        with self.connected() as (_, bus):
            return [
                placed
                for start in range(0, len(records), APPENDED_AT_ONCE)
                for placed in _append(bus, records[start : start + APPENDED_AT_ONCE])
            ]

    def log(self, topic: str) -> list[Record]:
        """All that the topic holds."""

        def whole() -> tuple[list[Record]] | None:
            with suppress(BusUnavailable):
                return (list(bus.read(topic)),)
            return None

        with self.connected() as (_, bus):
            (found,) = eventually(whole)
        return found

    def dead_letters(self) -> list[dict[str, Any]]:
        done = self.command("dead-letters", "list", "--limit", "1000", "--json")
        assert done.returncode == 0, done.stderr
        letters: list[dict[str, Any]] = json.loads(done.stdout)
        return letters

    def verify(self) -> dict[str, Any]:
        """The report of `touchline verify`, once all is quiet; it must be clean."""

        def quiet() -> dict[str, Any] | None:
            done = self.command("verify", "--json")
            if done.returncode == NO_VERDICT:
                sys.stderr.write(done.stderr)
                return None
            report: dict[str, Any] = json.loads(done.stdout)
            assert done.returncode == 0, report
            return report if report["quiet"] else None

        return eventually(quiet)


class Up(System):
    """`touchline up`: everything in one process, on a folder."""

    def __init__(self, folder: Path, program: Sequence[str] = TOUCHLINE, **settings: str) -> None:
        super().__init__(folder, {"TOUCHLINE_DATA": str(folder / "data")} | settings, program)
        self.process: Process
        self.log_file = folder / "up.log"
        self._ports = [0, 0]

    def start(self) -> float:
        """Start, or start again at the same addresses; return the seconds until it was ready."""
        before = time.monotonic()
        self.process = Process(
            ["up", "--events-port", str(self._ports[0]), "--bets-port", str(self._ports[1])],
            self.environment,
            self.log_file,
            program=self.program,
        )
        ready = self.process.line(r"^touchline ready events=(\S+) bets=(\S+)$")
        if self._ports == [0, 0]:
            self._ports = [int(url.rpartition(":")[2]) for url in ready.groups()]
            self.client = Client(ready[1], ready[2])
        return time.monotonic() - before

    def stop(self) -> int:
        self.client.close()
        return self.process.stop()


@contextmanager
def running_up(folder: Path, program: Sequence[str] = TOUCHLINE, **settings: str) -> Iterator[Up]:
    up = Up(folder, program, **settings)
    up.start()
    try:
        yield up
    finally:
        if up.process.process.poll() is None:
            assert up.stop() == 0


CONSUMERS = ("event-writer", "bet-writer", "bet-scorer")


class Processes(System):
    """Every part as a process of its own, `members` in each consumer group."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        program: Sequence[str] = TOUCHLINE,
        *,
        members: int = 1,
    ) -> None:
        super().__init__(folder, environment, program)
        self._members = members
        self._ports = free_ports(2 + members * len(CONSUMERS))
        events, bets, *health = self._ports
        self._commands = {
            "events-api": ("events-api", "--port", str(events)),
            "bets-api": ("bets-api", "--port", str(bets)),
        } | {
            f"{name}-{member}": (name, "--health-port", str(health.pop()))
            for name in CONSUMERS
            for member in range(members)
        }
        self.running: dict[str, Process] = {}
        self.client = Client(self.address("events-api"), self.address("bets-api"))

    def start(self) -> None:
        """Migrate, make the topics, start what is not running, and wait until all is ready."""
        for command in ("migrate", "topics"):
            done = self.command(command)
            assert done.returncode == 0, done.stderr
        for name in self._commands:
            if name not in self.running:
                self.start_one(name)
        self.are_ready()

    def start_one(self, name: str) -> None:
        log = self.folder / f"{name}.log"
        self.running[name] = Process(
            self._commands[name], self.environment, log, program=self.program
        )

    def add_member(self, consumer: str) -> str:
        """Start one more member of the consumer's group; return its name."""
        used = [int(name.rpartition("-")[2]) for name in self.members(consumer)]
        name = f"{consumer}-{max(used) + 1}"
        self._commands[name] = (consumer, "--health-port", str(free_ports(1)[0]))
        self.start_one(name)
        return name

    def remove_member(self, name: str) -> int:
        """SIGTERM, for good; its exit code."""
        del self._commands[name]
        return self.stop_one(name)

    def members(self, consumer: str) -> list[str]:
        """The names of all in the consumer's group."""
        return [name for name, (command, *_) in self._commands.items() if command == consumer]

    @property
    def names(self) -> Collection[str]:
        """Its processes, running or not."""
        return self._commands

    def address(self, name: str) -> str:
        """Where the process answers HTTP."""
        return f"http://127.0.0.1:{self._commands[name][-1]}"

    def is_ready(self, name: str) -> bool:
        """Whether its `/readyz` says so."""
        if name in self.running:
            code = self.running[name].process.poll()
            assert code is None, f"{name} ended with {code}: see {self.folder / name}.log"
        return self.health(name).get("status") == "ok"

    def are_ready(self) -> None:
        """Wait until all say so."""
        for name in self._commands:
            eventually(partial(self.is_ready, name))

    def health(self, name: str) -> dict[str, str]:
        """What its `/readyz` says; nothing while it gives no answer."""
        try:
            answer = httpx.get(f"{self.address(name)}/readyz", timeout=30)
        except httpx.TransportError:
            return {}
        found: dict[str, str] = answer.json()
        assert (answer.status_code == 200) is (found["status"] == "ok"), answer.text
        return found

    def metrics(self, name: str) -> str:
        return httpx.get(f"{self.address(name)}/metrics", timeout=30).text

    def stop_one(self, name: str) -> int:
        """SIGTERM; its exit code."""
        return self.running.pop(name).stop()

    def kill(self, *names: str) -> None:
        """Kill -9 of these, or of all."""
        for name in names or tuple(self.running):
            self.running.pop(name).kill()

    def stop(self) -> dict[str, int]:
        """SIGTERM to all; their exit codes."""
        self.client.close()
        return {name: self.running.pop(name).stop() for name in tuple(self.running)}


@contextmanager
def running_processes(
    folder: Path,
    environment: Mapping[str, str],
    program: Sequence[str] = TOUCHLINE,
    *,
    members: int = 1,
) -> Iterator[Processes]:
    system = Processes(folder, environment, program, members=members)
    try:
        system.start()
        yield system
        assert set(system.stop().values()) <= {0}
    finally:
        system.client.close()
        for process in system.running.values():
            process.kill()


def kafka_environment(folder: Path, settings: KafkaSettings) -> dict[str, str]:
    """The variables of an installation that keeps its data in this folder, on this Kafka."""
    security = settings.security
    files = {"CA": security.ca_file, "CERT": security.cert_file, "KEY": security.key_file}
    return {
        "TOUCHLINE_DATA": str(folder / "data"),
        "TOUCHLINE_BUS": "kafka",
        "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "TOUCHLINE_KAFKA_SECURITY_PROTOCOL": security.protocol,
        "TOUCHLINE_KAFKA_SASL_MECHANISM": security.mechanism,
        "TOUCHLINE_KAFKA_SASL_USERNAME": security.username,
        "TOUCHLINE_KAFKA_SASL_PASSWORD": security.password,
    } | {f"TOUCHLINE_KAFKA_SSL_{name}_FILE": str(path) for name, path in files.items() if path}


@contextmanager
def running_on_kafka(
    folder: Path, program: Sequence[str] = TOUCHLINE, *, members: int = 1
) -> Iterator[Processes]:
    """Every part as a process of its own, on a broker of their own."""
    broker = KafkaBroker(folder / "broker")
    broker.start()
    environment = kafka_environment(folder, broker.settings)
    try:
        with running_processes(folder, environment, program, members=members) as system:
            yield system
    finally:
        broker.kill()
