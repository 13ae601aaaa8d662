"""When a consumer says that it stands at the log's end, and how far it is behind."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.memory.bookkeeping import MemoryPositions
from adapters.memory.bus import MemorySubscription
from domain.log import BETS_STATE, EVENTS_TAXONOMY
from domain.records import ConsumerName
from domain.rulings import Lane
from tests.unit.bench import (
    Bench,
    Noting,
    a_message,
    junk,
    read_before,
    reading_of,
    started,
    turn,
    work,
)

EVENT_WRITER, BET_WRITER, BET_SCORER = ConsumerName


@pytest.fixture
def bench() -> Bench:
    return Bench()


def marks(bench: Bench, name: ConsumerName = EVENT_WRITER) -> dict[int, float]:
    """Seconds since the consumer stood at the end, by partition."""
    with bench.database.transaction() as uow:
        found = uow.positions.caught_up_ago(name, EVENTS_TAXONOMY)
    return {partition: ago / timedelta(seconds=1) for partition, ago in found.items()}


def test_who_stands_at_the_end_says_so_once_a_second(bench: Bench) -> None:
    member = bench.member(Noting())
    turn(member)
    assert marks(bench) == {0: 0, 1: 0, 2: 0}
    for seconds, expected in ((0.5, 0.5), (0.4, 0.9), (0.1, 0), (0.9, 0.9), (0.2, 0)):
        bench.seconds = round(bench.seconds + seconds, 3)
        turn(member)
        assert marks(bench)[0] == pytest.approx(expected)


def test_who_is_behind_says_nothing(bench: Bench) -> None:
    member = started(bench, Noting(behind=BET_WRITER))
    bench.append(a_message())
    for _ in range(3):
        bench.seconds += 1
        turn(member)
    assert marks(bench) == {0: 3, 1: 0, 2: 0}
    bench.stand(BET_WRITER, 1)
    work(member)
    assert marks(bench)[0] == 0


def test_under_load_it_says_when_it_has_come_as_far_as_it_saw(bench: Bench) -> None:
    # There is always more; but what lay there at the last look is done half a second later.
    handler = Noting(lanes=[Lane(EVENTS_TAXONOMY, 2)])
    member = started(bench, handler)
    bench.append(*(a_message() for _ in range(4)))
    bench.seconds += 1
    turn(member)
    assert (bench.reached(handler), marks(bench)[0]) == (2, 1)
    bench.append(*(a_message() for _ in range(4)))
    bench.seconds += 0.25
    turn(member)
    bench.seconds += 0.25
    turn(member)
    assert marks(bench)[0] == pytest.approx(0.5)
    assert bench.reached(handler) < 8


def test_under_load_it_says_so_also_where_turns_are_long(bench: Bench) -> None:
    """Each one ends with what lay there at its look; by the next look there is more."""
    member = started(bench, Noting(lanes=[Lane(EVENTS_TAXONOMY, 2)]))
    for _ in range(5):
        bench.append(a_message(), a_message())
        bench.seconds += 1
        turn(member)
    assert marks(bench)[0] == 1


def test_what_came_after_the_look_does_not_count(bench: Bench) -> None:
    member = bench.member(Noting())
    turn(member)
    bench.append(a_message())
    bench.seconds += 0.5
    turn(member)
    assert marks(bench)[0] == 0.5


def test_nothing_is_said_before_the_log_is_proven(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = read_before(bench)
    bench.seconds += 5
    monkeypatch.setattr(MemorySubscription, "resume", MemorySubscription.pause)
    member = bench.member(handler)
    turn(member)
    assert reading_of(member).anchors
    assert marks(bench) == {0: 5, 1: 0, 2: 0}


def test_nothing_is_said_of_a_lost_partition(bench: Bench) -> None:
    handler = read_before(bench)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=2)
    bench.append(junk())
    bench.seconds += 5
    work(bench.member(handler))
    bench.seconds += 1
    work(bench.member(handler))
    assert marks(bench)[0] >= 5


def test_each_topic_has_its_own_marks(bench: Bench) -> None:
    member = bench.member(Noting(name=BET_WRITER, lanes=[Lane(BETS_STATE, 20)]))
    turn(member)
    assert marks(bench, BET_WRITER) == {}
    with bench.database.transaction() as uow:
        assert set(uow.positions.caught_up_ago(BET_WRITER, BETS_STATE)) == {0, 1, 2}


def test_the_time_that_it_stood_still_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = MemoryPositions.mark_caught_up

    def late(*args: Any, ago: timedelta) -> None:
        bench.seconds += 9
        mark(*args, ago=ago)

    monkeypatch.setattr(MemoryPositions, "mark_caught_up", late)
    turn(bench.member(Noting()))
    assert marks(bench) == {0: 9, 1: 9, 2: 9}


def test_the_time_that_the_look_took_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = MemorySubscription.bounds

    def slowly(self: MemorySubscription, sources: object) -> object:
        found = bounds(self, sources)  # type: ignore[arg-type]
        bench.seconds += 0.25
        return found

    monkeypatch.setattr(MemorySubscription, "bounds", slowly)
    turn(bench.member(Noting()))
    assert marks(bench)[0] == 0.25


def test_a_log_that_is_gone_has_no_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    member = started(bench, Noting())
    monkeypatch.setattr(MemorySubscription, "bounds", lambda *_: {})
    bench.seconds += 1
    turn(member)
    assert reading_of(member).lost is None


def test_how_far_it_is_behind(bench: Bench) -> None:
    member = started(bench, Noting(behind=BET_WRITER))
    bench.append(*(a_message() for _ in range(4)))
    bench.stand(BET_WRITER, 1)
    bench.seconds += 1
    turn(member)
    assert reading_of(member).lag == 3
    bench.stand(BET_WRITER, 4)
    turn(member)
    assert reading_of(member).lag == 0
    assert all(reading_of(member, partition).lag == 0 for partition in (1, 2))
