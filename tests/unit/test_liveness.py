"""Which consumers `/livez` calls stuck: those that take no step while records wait."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_mock import MockerFixture

from adapters.memory.bus import MemoryBus
from adapters.memory.database import MemoryDatabase
from domain.consumer import Consumer
from domain.errors import BusUnavailable, DatabaseUnavailable
from domain.ports import Database, UnitOfWork
from domain.reading import Reading
from domain.records import ConsumerName
from entrypoints import health
from entrypoints.health import Liveness
from entrypoints.runner import ConsumerRunner
from tests.unit.bench import Bench, Noting, a_message


@dataclass(eq=False)
class Loop:
    """A loop that last took a step so many seconds ago."""

    turn_age: float
    name: ConsumerName = ConsumerName.EVENT_WRITER
    trouble: str | None = None
    held: list[Reading] = field(default_factory=list)

    def readings(self) -> list[Reading]:
        return self.held


class AwayDatabase(MemoryDatabase):
    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        raise DatabaseUnavailable("gone")
        yield


@pytest.fixture
def bench() -> Bench:
    return Bench()


def said_of(loop: Loop, bench: Bench, database: Database | None = None) -> dict[str, str]:
    found = Liveness([loop], database or bench.database, MemoryBus(bench.log), stuck_seconds=60)
    return found()


def do_first_record(bench: Bench) -> None:
    """As the Event Writer does."""
    with bench.database.transaction() as uow:
        uow.logs.register("events.taxonomy", bench.source().log_id)
        uow.commit()
    bench.stand(ConsumerName.EVENT_WRITER, 1)


def test_no_step_and_records_that_wait(bench: Bench) -> None:
    bench.append(a_message(), a_message(1))
    said = said_of(Loop(61.4), bench)
    assert said == {"event-writer": "stuck: no step for 61 s, and 2 records wait"}


def test_no_step_and_nothing_to_do(bench: Bench) -> None:
    assert said_of(Loop(600), bench) == {}
    bench.append(a_message())
    do_first_record(bench)
    assert said_of(Loop(600), bench) == {}


def test_steps_while_records_wait(bench: Bench) -> None:
    """It tries again, waits for another one, or its history was lost."""
    bench.append(a_message())
    assert said_of(Loop(59), bench) == {}


def test_what_waits_for_another_member_is_not_its_own(bench: Bench) -> None:
    bench.append(a_message(1))
    own = Reading(bench.source(0), 0)
    assert said_of(Loop(600, held=[own]), bench) == {}
    bench.append(a_message(0))
    assert "1 records wait" in said_of(Loop(600, held=[own]), bench)["event-writer"]


def test_where_the_database_is_away_a_new_start_would_not_help(bench: Bench) -> None:
    bench.append(a_message())
    assert said_of(Loop(600), bench, AwayDatabase()) == {}


def test_only_what_a_consumer_reads_waits_for_it(bench: Bench) -> None:
    bench.append(a_message())
    assert said_of(Loop(600, ConsumerName.BET_WRITER), bench) != {}


# The runner's own clock


class Deaf:
    """A listener that ends its thread, as no error does."""

    def wait(self, timeout: float) -> bool:
        raise SystemExit

    def wake(self) -> None: ...

    def close(self) -> None: ...


class Hearing(Deaf):
    """A listener that nobody tells anything."""

    def wait(self, timeout: float) -> bool:
        return False


def a_runner(
    make: Callable[[], Consumer], stop: threading.Event, listen: type[Deaf] = Hearing
) -> ConsumerRunner:
    return ConsumerRunner(
        ConsumerName.EVENT_WRITER, make=make, listen=listen, stop=stop, close=lambda: None
    )


def test_a_thread_that_died_takes_no_step(bench: Bench) -> None:
    runner = a_runner(lambda: bench.member(Noting()), threading.Event(), Deaf)
    with pytest.raises(SystemExit):
        runner.run()
    before = runner.turn_age
    while runner.turn_age <= before:
        pass
    bench.append(a_message())
    found = Liveness([runner], bench.database, bench.bus, stuck_seconds=0)()
    assert "stuck" in found["event-writer"]


def test_who_tries_again_takes_steps() -> None:
    stop, tries = threading.Event(), iter(range(3))
    stepped_at: list[float] = []

    def away() -> Consumer:
        stepped_at.append(runner._stepped_at)
        if next(tries, None) is None:
            stop.set()
        raise BusUnavailable("gone")

    runner = a_runner(away, stop)
    runner.run()
    assert runner.trouble == "BusUnavailable: gone"
    assert len(set(stepped_at)) == 4
    assert stepped_at == sorted(stepped_at)


def test_what_is_counted_too_late_counts_for_the_next_who_asks(
    bench: Bench, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.append(a_message())
    may_answer = threading.Event()
    bounds = bench.bus.bounds

    def slowly(topic: str) -> Any:
        may_answer.wait(60)
        return bounds(topic)

    mocker.patch.object(bench.bus, "bounds", side_effect=slowly)
    alive = Liveness([Loop(600)], bench.database, bench.bus, stuck_seconds=60)
    with monkeypatch.context() as patched:
        patched.setattr(health, "PATIENCE", 0.01)
        assert alive() == {}
    may_answer.set()
    assert "stuck" in alive()["event-writer"]


def test_what_was_counted_too_late_does_not_count_for_ever(
    bench: Bench, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the next late look, days later, tells of records that have long been done."""
    bench.append(a_message())
    may_answer, seconds = threading.Event(), 0.0
    bounds = bench.bus.bounds

    def slowly(topic: str) -> Any:
        may_answer.wait(60)
        return bounds(topic)

    mocker.patch.object(bench.bus, "bounds", side_effect=slowly)
    monkeypatch.setattr(health, "monotonic", lambda: seconds)
    alive = Liveness([Loop(600)], bench.database, bench.bus, stuck_seconds=60)
    with monkeypatch.context() as patched:
        patched.setattr(health, "PATIENCE", 0.01)
        assert alive() == {}
    may_answer.set()
    (waiting,) = alive._waiting.values()
    assert waiting.ask().result(60) == "1"
    do_first_record(bench)
    seconds = health.LATE_COUNTS_SECONDS
    assert alive() == {}
