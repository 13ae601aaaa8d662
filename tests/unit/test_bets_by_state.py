"""Bets by state: told without waiting, counted seldom, and only where somebody scrapes."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from adapters.http import bets_by_state
from adapters.http.bets_by_state import BetsByState
from adapters.memory.database import MemoryDatabase
from domain.bets import BetState
from domain.errors import DatabaseUnavailable
from domain.ports import UnitOfWork
from tests.shortages import one_thread_refused


class Counting(MemoryDatabase):
    """Counts how often it is asked; each count takes its time, waits for a word, or fails."""

    def __init__(self, clock: "Clock") -> None:
        super().__init__()
        self.clock = clock
        self.counts = 0
        self.takes = 0.0
        self.away = False
        self.go_on = threading.Event()
        self.go_on.set()

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        self.counts += 1
        assert self.go_on.wait(60)
        self.clock.seconds += self.takes
        if self.away:
            raise DatabaseUnavailable("gone")
        yield Answering()  # type: ignore[misc]


class Answering:
    """What is asked of a transaction."""

    @property
    def audit(self) -> Any:
        return self

    def bets_by_state(self) -> Mapping[BetState, int]:
        return {BetState.WINNING: 2}


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(bets_by_state, "monotonic", lambda: clock.seconds)
    return clock


@pytest.fixture
def database(clock: Clock) -> Counting:
    return Counting(clock)


@pytest.fixture
def scrape(database: Counting) -> Callable[[], dict[str, float]]:
    """What a scrape is told; then the count that it began is over."""
    collector = BetsByState(database)
    registry = CollectorRegistry()
    registry.register(collector)

    def ask() -> dict[str, float]:
        (family,) = registry.collect()
        told = {sample.labels["state"]: sample.value for sample in family.samples}
        for thread in threading.enumerate():
            if thread.name == "bets-by-state" and database.go_on.is_set():
                thread.join()
        return told

    return ask


TWO = {"none": 0, "winning": 2, "losing": 0, "win": 0, "lose": 0}
Scrape = Callable[[], dict[str, float]]


def test_no_scrape_waits_for_the_count(database: Counting, scrape: Scrape) -> None:
    database.go_on.clear()
    assert scrape() == {}
    assert scrape() == {}
    database.go_on.set()
    scrape()
    assert scrape() == TWO
    assert database.counts == 1


def test_nobody_counts_where_nobody_scrapes(database: Counting, scrape: Scrape) -> None:
    assert database.counts == 0
    scrape()
    assert database.counts == 1


def test_it_is_counted_once_in_15_seconds(database: Counting, clock: Clock, scrape: Scrape) -> None:
    for seconds, counts in ((0, 1), (14.9, 1), (0.2, 2), (1, 2)):
        clock.seconds += seconds
        scrape()
        assert database.counts == counts


def test_it_rests_long_after_a_long_count(database: Counting, clock: Clock, scrape: Scrape) -> None:
    database.takes = 2.0
    scrape()
    clock.seconds += 99.9
    scrape()
    assert database.counts == 1
    clock.seconds += 0.2
    scrape()
    assert database.counts == 2


def test_what_can_not_be_counted_is_not_told(
    database: Counting, clock: Clock, scrape: Scrape
) -> None:
    scrape()
    assert scrape() == TWO
    database.away = True
    clock.seconds += 20
    scrape()
    assert scrape() == {}
    database.away = False
    clock.seconds += 20
    scrape()
    assert scrape() == TWO


def test_a_count_that_could_not_begin_begins_with_the_next_scrape(
    database: Counting, scrape: Scrape
) -> None:
    with one_thread_refused("bets-by-state"):
        scrape()
    scrape()
    assert scrape() == TWO
