"""What may be read and deleted, and when."""

from collections.abc import Collection
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import (
    BetNotFound,
    BetRefused,
    EventHasBets,
    EventNotFound,
    EventNotOpen,
    Lagging,
    RuleBroken,
    VersionMismatch,
)
from domain.events import Event
from domain.log import EVENTS_TAXONOMY, PARTITIONS, LogPartition, partition_of
from domain.ports import EventLock, UnitOfWork
from domain.records import ConsumerName
from domain.requests import (
    delete_bet,
    delete_event,
    get_bet,
    get_event,
    get_event_history,
)
from tests.samples import (
    BET,
    EVENT,
    LATER_LOG,
    OTHER_BET,
    SOURCE,
    Fill,
    MustWait,
    a_bet,
    a_database,
    a_version,
    active,
    an_event,
    an_id,
    finished,
    having_deleted,
    having_refused,
    holding,
    with_bets,
)


def test_what_is_there_is_found() -> None:
    with a_database(
        holding(active("1-0")), with_bets(a_bet()), having_refused()
    ).transaction() as uow:
        assert get_event(uow, EVENT) == active("1-0")
        assert get_bet(uow, BET) == a_bet()
        with pytest.raises(EventNotFound, match=str(an_id(9))):
            get_event(uow, an_id(9))
        with pytest.raises(BetNotFound, match=str(OTHER_BET)):
            get_bet(uow, OTHER_BET)


def test_a_refused_bet_says_why() -> None:
    with a_database(having_refused()).transaction() as uow, pytest.raises(BetRefused) as broken:
        get_bet(uow, BET)
    assert broken.value.details() == {"reason": "event-not-open"}
    assert "event-not-open" in str(broken.value)


def test_a_deleted_bet_is_not_found_whatever_was_refused() -> None:
    with (
        a_database(having_refused(), having_deleted(BET)).transaction() as uow,
        pytest.raises(BetNotFound),
    ):
        get_bet(uow, BET)


def test_an_event_has_a_history_or_is_not_there() -> None:
    """Every event has a first version. One without any was deleted since it was looked for."""
    with a_database(holding(an_event()), versions).transaction() as uow:
        assert get_event_history(uow, EVENT) == [a_version(an_event(), at=0)]
    with (
        a_database(holding(an_event())).transaction() as uow,
        pytest.raises(EventNotFound, match=str(EVENT)),
    ):
        get_event_history(uow, EVENT)


# Deleting


def versions(uow: UnitOfWork) -> None:
    uow.event_versions.add([a_version(an_event(), at=0)])


PARTITION_OF_EVENT = partition_of(str(EVENT).encode(), PARTITIONS)


def bets_caught_up(
    seconds: float, *, partition: int = PARTITION_OF_EVENT, log: Any = LATER_LOG
) -> Fill:
    source = LogPartition(EVENTS_TAXONOMY, partition, log)
    ago = timedelta(seconds=seconds)
    return lambda uow: uow.positions.mark_caught_up(ConsumerName.BET_WRITER, [source], ago=ago)


@pytest.mark.parametrize("seconds", [0, 10])
@pytest.mark.parametrize("event", [an_event(), active(), finished()])
def test_an_event_without_bets_is_deleted_for_good(event: Event, seconds: float) -> None:
    with a_database(holding(event), versions, bets_caught_up(seconds)).transaction() as uow:
        delete_event(uow, EVENT)
        assert not uow.events.among([EVENT])
        assert not uow.event_versions.history(EVENT)
        assert uow.deletions.among([EVENT])
        with pytest.raises(EventNotFound):
            delete_event(uow, EVENT)


@pytest.mark.parametrize(
    "mark",
    [
        bets_caught_up(10.001),
        bets_caught_up(0, partition=(PARTITION_OF_EVENT + 1) % PARTITIONS),
        bets_caught_up(0, log=SOURCE[2]),
        lambda uow: uow.positions.mark_caught_up(
            ConsumerName.EVENT_WRITER,
            [LogPartition(EVENTS_TAXONOMY, PARTITION_OF_EVENT, LATER_LOG)],
            ago=timedelta(0),
        ),
    ],
)
def test_an_event_stays_while_bets_on_it_may_wait_in_the_log(mark: Fill) -> None:
    with a_database(holding(an_event()), versions, mark).transaction() as uow:
        with pytest.raises(Lagging):
            delete_event(uow, EVENT)
        assert uow.events.among([EVENT])
        assert not uow.deletions.among([EVENT])


@pytest.mark.parametrize(
    ("expected", "goes"), [([1], True), ([7, 1], True), ([2], False), ([], False)]
)
def test_an_expected_version_is_the_one_that_is_deleted(expected: list[int], goes: bool) -> None:
    filled = (holding(an_event()), versions, bets_caught_up(0))
    with a_database(*filled).transaction() as uow:
        with nullcontext() if goes else pytest.raises(VersionMismatch):
            delete_event(uow, EVENT, expected_versions=expected)
        assert bool(uow.events.among([EVENT])) is not goes


def test_an_event_with_bets_stays() -> None:
    stand = with_bets(a_bet(), a_bet(id=OTHER_BET))
    with a_database(holding(an_event()), stand).transaction() as uow:
        with pytest.raises(EventHasBets) as broken:
            delete_event(uow, EVENT)
        assert broken.value.details() == {"bets": 2}
        assert uow.events.among([EVENT])
        assert not uow.deletions.among([EVENT])


@pytest.mark.parametrize("stand", [with_bets(), with_bets(a_bet())])
def test_an_event_is_not_deleted_while_somebody_adds_bets_to_it(stand: Fill) -> None:
    # Its bets are counted only once nobody adds to them.
    database = a_database(holding(an_event()), stand)
    with database.transaction() as writer, database.transaction() as uow:
        writer.events.lock([EVENT], EventLock.REFERENCE)
        with pytest.raises(MustWait):
            delete_event(uow, EVENT)


def caught_up(seconds: float, *, partition: int = 0, log: Any = LATER_LOG) -> Fill:
    """So many seconds ago the Event Writer stood at the end."""
    source = LogPartition(EVENTS_TAXONOMY, partition, log)
    ago = timedelta(seconds=seconds)
    return lambda uow: uow.positions.mark_caught_up(ConsumerName.EVENT_WRITER, [source], ago=ago)


@pytest.mark.parametrize("seconds", [0, 1, 2])
def test_a_bet_is_withdrawn_for_good(seconds: float) -> None:
    stand = with_bets(a_bet(), a_bet(id=OTHER_BET))
    with a_database(holding(an_event()), stand, caught_up(seconds)).transaction() as uow:
        delete_bet(uow, BET)
        assert set(uow.bets.among([BET, OTHER_BET])) == {OTHER_BET}
        assert uow.deletions.among([BET, OTHER_BET]) == {BET}
        with pytest.raises(BetNotFound):
            delete_bet(uow, BET)


def by_another(uow: UnitOfWork) -> None:
    """Another consumer's mark."""
    source = LogPartition(EVENTS_TAXONOMY, 0, LATER_LOG)
    uow.positions.mark_caught_up(ConsumerName.BET_WRITER, [source], ago=timedelta(0))


@pytest.mark.parametrize(
    "mark", [caught_up(2.001), caught_up(0, partition=1), caught_up(0, log=SOURCE[2]), by_another]
)
def test_no_bet_is_withdrawn_while_a_kick_off_may_wait_unread(mark: Fill) -> None:
    with a_database(holding(an_event()), with_bets(a_bet()), mark).transaction() as uow:
        with pytest.raises(Lagging):
            delete_bet(uow, BET)
        assert uow.bets.among([BET])
        assert not uow.deletions.among([BET])


@pytest.mark.parametrize("event", [active(), finished()])
@pytest.mark.parametrize("mark", [caught_up(0), caught_up(9)])
def test_no_bet_is_withdrawn_after_kick_off(event: Event, mark: Fill) -> None:
    with a_database(holding(event), with_bets(a_bet()), mark).transaction() as uow:
        with pytest.raises(EventNotOpen):
            delete_bet(uow, BET)
        assert uow.bets.among([BET])


@pytest.mark.parametrize(
    ("filled", "broken"),
    [([], BetNotFound), ([having_refused()], BetRefused), ([having_deleted(BET)], BetNotFound)],
)
def test_only_what_stands_is_withdrawn(filled: list[Fill], broken: type[RuleBroken]) -> None:
    with a_database(*filled).transaction() as uow, pytest.raises(broken):
        delete_bet(uow, BET)


@pytest.mark.parametrize("how", EventLock)
def test_a_bet_is_not_withdrawn_while_its_event_is_held(how: EventLock) -> None:
    database = a_database(holding(an_event()), with_bets(a_bet()), caught_up(0))
    with database.transaction() as writer, database.transaction() as uow:
        writer.events.lock([EVENT], how)
        with pytest.raises(MustWait):
            delete_bet(uow, BET)


def test_what_happened_while_it_waited_for_the_event_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = a_database(holding(an_event()), with_bets(a_bet()), caught_up(0))

    def meanwhile(change: Fill, uow: UnitOfWork) -> None:
        lock = uow.events.lock

        def change_and_lock(ids: Collection[Any], how: EventLock) -> Any:
            with database.transaction() as other:
                change(other)
                other.commit()
            return lock(ids, how)

        monkeypatch.setattr(uow.events, "lock", change_and_lock)

    with database.transaction() as uow:
        meanwhile(holding(active()), uow)
        with pytest.raises(EventNotOpen):
            delete_bet(uow, BET)
    with database.transaction() as uow:
        meanwhile(lambda other: other.bets.remove(BET), uow)
        with pytest.raises(BetNotFound):
            delete_bet(uow, BET)
