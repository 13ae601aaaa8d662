"""kill -9 of every process, alone and together, in the middle of matches: nothing is lost."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.promises import Promises
from tests.integration.system import Processes, Up, running_processes
from tests.kafka.broker import KafkaBroker


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    up = Up(tmp_path)
    up.start()
    yield up
    up.stop()


def postmaster(up: Up) -> int:
    return int((up.folder / "data" / "postgres" / "postmaster.pid").read_text().split()[0])


@pytest.mark.parametrize(
    "victims",
    [["up"], pytest.param(["postgres"], marks=pytest.mark.long), ["up", "postgres"]],
    ids="+".join,
)
def test_up_is_killed(up: Up, victims: list[str]) -> None:
    promises = Promises(up.client)
    with promises.kept_busy():
        promises.after(20)
        promises.push()
        if "postgres" in victims:
            os.kill(postmaster(up), signal.SIGKILL)
        if "up" in victims:
            up.process.kill()
            up.start()
        promises.after(20)
    promises.check(up)


@pytest.mark.long
class TestOnThePostgresLog:
    """Processes that share the embedded PostgreSQL."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
        folder = tmp_path_factory.mktemp("processes")
        with running_processes(folder, {"TOUCHLINE_DATA": str(folder / "data")}) as system:
            yield system

    def test_each_process_is_killed(self, system: Processes) -> None:
        kill_each(system)

    def test_all_are_killed_at_once(self, system: Processes) -> None:
        kill_all(system)


class TestOnKafka:
    """Processes on real Kafka."""

    @pytest.fixture(scope="class")
    @classmethod
    def broker(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
        broker = KafkaBroker(tmp_path_factory.mktemp("broker"))
        broker.start()
        yield broker
        broker.kill()

    @pytest.fixture(scope="class")
    @classmethod
    def system(
        cls, tmp_path_factory: pytest.TempPathFactory, broker: KafkaBroker
    ) -> Iterator[Processes]:
        folder = tmp_path_factory.mktemp("kafka")
        environment = {
            "TOUCHLINE_DATA": str(folder / "data"),
            "TOUCHLINE_BUS": "kafka",
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        }
        with running_processes(folder, environment) as system:
            yield system

    def test_each_process_is_killed(self, system: Processes) -> None:
        kill_each(system)

    @pytest.mark.long
    def test_all_are_killed_at_once(self, system: Processes) -> None:
        kill_all(system)

    def test_the_broker_is_killed(self, system: Processes, broker: KafkaBroker) -> None:
        promises = Promises(system.client)
        with promises.kept_busy():
            promises.after(10)
            promises.push()
            broker.kill()
            broker.start()
            promises.after(10)
        promises.check_answers()
        promises.check(system)


def kill_each(system: Processes) -> None:
    promises = Promises(system.client)
    with promises.kept_busy():
        for name in tuple(system.running):
            promises.after(5)
            if name.startswith("bet-scorer"):
                promises.push()
            system.kill(name)
            system.start_one(name)
        promises.after(5)
    promises.check(system)


def kill_all(system: Processes) -> None:
    promises = Promises(system.client)
    with promises.kept_busy():
        promises.after(10)
        promises.push()
        system.kill()
        for name in system.names:
            system.start_one(name)
        promises.after(10)
    promises.check(system)
