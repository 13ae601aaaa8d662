"""What `/readyz` says of the dependencies: the truth, and in time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event

import pytest
from pytest_mock import MockerFixture

from adapters.memory.bus import MemoryBus
from adapters.memory.database import MemoryDatabase
from adapters.memory.log import MemoryLog
from domain.errors import DatabaseUnavailable, Misconfigured
from domain.ports import UnitOfWork
from entrypoints import health
from entrypoints.health import Dependencies
from tests.shortages import one_thread_refused


class LameDatabase(MemoryDatabase):
    """One that hangs until it is told to answer, or fails."""

    def __init__(self) -> None:
        super().__init__(now=lambda: datetime.now(UTC))
        self.answers = Event()
        self.answers.set()
        self.asked = 0
        self.failure: Exception | None = None

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        self.asked += 1
        self.answers.wait()
        if self.failure is not None:
            raise self.failure
        with super().transaction() as uow:
            yield uow


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(MemoryLog())


@pytest.fixture
def database() -> LameDatabase:
    return LameDatabase()


def test_all_is_well(database: LameDatabase, bus: MemoryBus) -> None:
    assert Dependencies(database, bus)() == {"database": "up", "bus": "up"}


def test_what_is_away_is_named(database: LameDatabase, bus: MemoryBus) -> None:
    dependencies = Dependencies(database, bus)
    database.failure = DatabaseUnavailable("gone fishing")
    bus.close()
    assert dependencies() == {"database": "down: gone fishing", "bus": "down"}
    database.failure = None
    assert dependencies() == {"database": "up", "bus": "down"}


def test_a_bus_that_says_why(database: LameDatabase, bus: MemoryBus, mocker: MockerFixture) -> None:
    mocker.patch.object(bus, "is_up", side_effect=Misconfigured("Kafka: not this way"))
    known = {"database": "up", "bus": "down", "bus_reason": "Kafka: not this way"}
    assert Dependencies(database, bus)() == known


def test_what_hangs_is_down_and_asked_once(
    database: LameDatabase, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    dependencies = Dependencies(database, bus)
    database.answers.clear()
    with monkeypatch.context() as patched:
        patched.setattr(health, "PATIENCE", 0.01)
        for _ in range(3):
            assert dependencies() == {"database": "down: it doesn't answer", "bus": "up"}
    assert database.asked == 1
    database.answers.set()
    assert dependencies() == {"database": "up", "bus": "up"}


def test_both_may_hang_for_the_time_of_one(
    database: LameDatabase, bus: MemoryBus, mocker: MockerFixture
) -> None:
    mocker.patch.object(bus, "is_up", side_effect=lambda: database.answers.wait() and True)
    mocker.patch.object(health, "PATIENCE", 0.01)
    waits = mocker.spy(health, "wait")
    database.answers.clear()
    assert Dependencies(database, bus)() == {"database": "down: it doesn't answer", "bus": "down"}
    assert waits.call_count == 1
    database.answers.set()


def test_a_fault_of_our_own_is_not_hidden(database: LameDatabase, bus: MemoryBus) -> None:
    database.failure = RuntimeError("a mistake")
    with pytest.raises(RuntimeError, match="a mistake"):
        Dependencies(database, bus)()


def test_what_could_not_be_asked_once_is_asked_again(
    database: LameDatabase, bus: MemoryBus
) -> None:
    """Or it is down until a restart."""
    dependencies = Dependencies(database, bus)
    with one_thread_refused("health"), pytest.raises(RuntimeError, match="new thread"):
        dependencies()
    assert dependencies() == {"database": "up", "bus": "up"}
