"""From the goal to the last bet written: measured once the Bet Writer has passed every slice."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from adapters.memory.database import MemoryDatabase
from adapters.telemetry import goals
from adapters.telemetry.goals import LastBets
from domain.errors import DatabaseUnavailable
from domain.log import BETS_STATE, LogPartition, Placed
from domain.observing import Told
from domain.ports import UnitOfWork
from domain.records import ConsumerName, Position
from domain.rulings import Fate, Ruling
from tests.samples import EVENT, LOG, NOW, OTHER_EVENT, active, request, updated
from tests.shortages import one_thread_refused


class Clock:
    """Seconds since NOW, when every request here was made."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


class Noted:
    """Where goals are noted."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.any = threading.Event()

    def goal(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.any.set()


class Database(MemoryDatabase):
    """One that can be away."""

    away = False

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        if self.away:
            self.was_asked.set()
            raise DatabaseUnavailable("gone")
        with super().transaction() as uow:
            yield uow

    def __init__(self) -> None:
        super().__init__()
        self.was_asked = threading.Event()
        with self.transaction() as uow:
            uow.logs.register(BETS_STATE, LOG)
            uow.commit()

    def reach(self, *next_offsets: int) -> None:
        """The Bet Writer comes so far in each partition of bets.state."""
        with self.transaction() as uow:
            uow.positions.save(
                [
                    Position(
                        consumer=ConsumerName.BET_WRITER,
                        source=LogPartition(BETS_STATE, partition, LOG),
                        next_offset=offset,
                    )
                    for partition, offset in enumerate(next_offsets)
                ]
            )
            uow.commit()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
def last_bets(
    database: Database, clock: Clock, noted: Noted, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LastBets]:
    """Without its thread: the tests look."""
    monkeypatch.setattr(LastBets, "_run", lambda _: None)
    followed = LastBets(database, noted, now=clock.now, monotonic=lambda: clock.seconds)
    yield followed
    followed.close()


def told(*places: tuple[int, int]) -> list[Told]:
    return [Told(EVENT, 1000, Placed(BETS_STATE, *place)) for place in places]


def follow(last_bets: LastBets, slices: Sequence[Told], *rulings: Ruling) -> None:
    """Versions of EVENT that were ruled so."""
    requests = [request(updated(active(version=2 + n)), at=n) for n in range(len(rulings))]
    last_bets.follow(slices, requests, rulings)


def test_it_ends_with_the_last_slice_in_every_partition(
    last_bets: LastBets, database: Database, clock: Clock, noted: Noted
) -> None:
    follow(last_bets, told((0, 4), (0, 5), (2, 1)), Fate.APPLIED)
    for seconds, reached in enumerate([(0, 0, 0), (5, 0, 1), (6, 0, 1), (6, 9, 2)], start=1):
        assert noted.seconds == []
        database.reach(*reached)
        clock.seconds = seconds
        last_bets.look()
    assert noted.seconds == [4.0]
    last_bets.look()
    assert noted.seconds == [4.0]
    assert last_bets.followed == 0


def test_each_version_that_was_scored_counts_and_no_other(
    last_bets: LastBets, database: Database, clock: Clock, noted: Noted
) -> None:
    requests = [
        request(updated(active(version=2)), at=0),
        request(updated(active(version=3)), at=1),
        request(updated(active(version=4)), at=2),
        request(updated(active(id=OTHER_EVENT)), at=3),
    ]
    rulings = [Fate.APPLIED, Fate.APPLIED, Fate.UNCHANGED, Fate.APPLIED]
    last_bets.follow(told((0, 0)), requests, rulings)
    database.reach(1)
    clock.seconds = 0.25
    last_bets.look()
    assert noted.seconds == [0.25, 0.25]


def test_a_clock_that_was_set_back_gives_no_negative_time(
    last_bets: LastBets, database: Database, clock: Clock, noted: Noted
) -> None:
    follow(last_bets, told((0, 0)), Fate.APPLIED)
    database.reach(1)
    clock.seconds = -5
    last_bets.look()
    assert noted.seconds == [0.0]


def test_what_can_never_arrive_is_given_up(last_bets: LastBets, clock: Clock, noted: Noted) -> None:
    """Its topic was made anew."""
    follow(last_bets, told((0, 10**9)), Fate.APPLIED)
    clock.seconds = goals.GIVEN_UP - 1
    last_bets.look()
    assert last_bets.followed == 1
    clock.seconds = goals.GIVEN_UP
    last_bets.look()
    assert last_bets.followed == 0
    assert noted.seconds == []


def test_another_log_says_nothing_of_what_was_told(
    last_bets: LastBets, database: Database, clock: Clock, noted: Noted
) -> None:
    """The topic was made anew, and its offsets begin again."""
    database.reach(50)
    follow(last_bets, told((0, 60)), Fate.APPLIED)
    last_bets.look()
    database.reach(3)
    last_bets.look()
    assert last_bets.followed == 0
    database.reach(100)
    clock.seconds = 1500
    last_bets.look()
    assert noted.seconds == []


def test_who_is_new_is_looked_for_soon(
    last_bets: LastBets, clock: Clock, database: Database
) -> None:
    """Also while another has been on its way for long."""
    follow(last_bets, told((0, 10**9)), Fate.APPLIED)
    clock.seconds = last_bets._looked_at = 30
    assert last_bets._due_at() == 30 + goals.LONGEST_LOOK
    follow(last_bets, told((1, 0)), Fate.APPLIED)
    assert last_bets._due_at() == 30 + goals.SHORTEST_LOOK


def test_memory_is_bounded(last_bets: LastBets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goals, "MOST_FOLLOWED", 3)
    for _ in range(3):
        follow(last_bets, told((0, 0)), Fate.APPLIED, Fate.APPLIED)
    assert last_bets.followed == 2


def test_the_thread_looks_until_it_is_there(
    database: Database, clock: Clock, noted: Noted, caplog: pytest.LogCaptureFixture
) -> None:
    last_bets = LastBets(database, noted, now=clock.now, monotonic=lambda: clock.seconds)
    database.away = True
    follow(last_bets, told((0, 0)), Fate.APPLIED)
    assert database.was_asked.wait(60)
    assert noted.seconds == []
    database.away = False
    database.reach(1)
    assert noted.any.wait(60)
    assert caplog.records == [], "that it is away others say"
    last_bets.close()
    follow(last_bets, told((0, 0)), Fate.APPLIED)
    assert last_bets.followed == 0


def test_a_thread_that_could_not_start_starts_with_the_next_goal(
    database: Database, clock: Clock, noted: Noted
) -> None:
    last_bets = LastBets(database, noted, now=clock.now, monotonic=lambda: clock.seconds)
    with one_thread_refused("last-bets"):
        follow(last_bets, told((0, 0)), Fate.APPLIED)
    follow(last_bets, told((0, 0)), Fate.APPLIED)
    database.reach(1)
    assert noted.any.wait(10)
    last_bets.close()
