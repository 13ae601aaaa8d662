"""What a change would do, what each version did, and what is new since a place in the story."""

from dataclasses import replace
from itertools import product

import pytest

from adapters.memory.database import MemoryDatabase
from domain.bets import Bet, BetState, Market
from domain.errors import EventNotFound, ScoreNotAllowed
from domain.evaluator import evaluate
from domain.events import Event, EventPatch, EventState
from domain.log import EVENTS_TAXONOMY, LogPartition
from domain.reach import made_between, reach_now
from domain.records import ConsumerName, Position, Reach
from domain.watching import by_market, by_state, preview, preview_of, steps
from tests.samples import (
    EVENT,
    LATER_LOG,
    LOG,
    OTHER_EVENT,
    a_bet,
    a_database,
    a_version,
    active,
    an_event,
    an_id,
    finished,
    holding,
    score,
    with_bets,
)

NONE, WINNING, LOSING, WIN, LOSE = BetState
TALLY = {
    (Market.TEAM_1, WINNING): 5,
    (Market.TEAM_1, LOSING): 2,
    (Market.DRAW, LOSING): 10,
    (Market.TEAM_2, LOSING): 100,
}
"""In the midst of a flip."""


@pytest.mark.parametrize(
    ("event", "patch", "flips"),
    [
        (an_event(), {"state": EventState.ACTIVE}, {WINNING: 10, LOSING: 107}),
        (active("1-0"), {"score": score("2-0")}, {}),
        (active("1-0"), {"score": score("1-1")}, {WINNING: 10, LOSING: 7}),
        (active("1-1"), {"score": score("1-2")}, {WINNING: 100, LOSING: 10}),
        (active("1-0"), {"score": score("0-1")}, {WINNING: 100, LOSING: 7}),
        (active("1-0"), {"state": EventState.FINISHED}, {WIN: 7, LOSE: 110}),
        (
            active("1-0"),
            {"state": EventState.FINISHED, "score": score("1-1")},
            {WIN: 10, LOSE: 107},
        ),
        (an_event(), {"team_1": "Milan"}, {}),
        (active("1-0"), {"score": score("1-0")}, {}),
    ],
)
def test_a_preview_counts_what_would_flip(
    event: Event, patch: dict[str, object], flips: dict[BetState, int]
) -> None:
    found = preview(event, EventPatch(**patch), TALLY)  # type: ignore[arg-type]
    assert found.flips == flips
    assert found.bets == 117
    assert found.event == replace(
        event,
        **patch,  # type: ignore[arg-type]
        version=event.version + (found.event != event),
    )


def test_a_preview_of_what_is_not_allowed_says_why() -> None:
    with pytest.raises(ScoreNotAllowed):
        preview(an_event(), EventPatch(score=score("1-0")), {})


def test_a_preview_is_of_what_is_there() -> None:
    database = a_database(holding(active("0-0")), with_bets(a_bet(), a_bet(id=an_id(5))))
    with database.transaction() as uow:
        found = preview_of(uow, EVENT, EventPatch(score=score("1-0")))
        assert (found.bets, found.flips) == (2, {LOSING: 2})
        with pytest.raises(EventNotFound):
            preview_of(uow, OTHER_EVENT, EventPatch(score=score("1-0")))


def test_counts_by_market_and_by_state() -> None:
    assert by_market(TALLY) == {Market.TEAM_1: 7, Market.DRAW: 10, Market.TEAM_2: 100}
    assert by_state(TALLY) == {WINNING: 5, LOSING: 112}


def test_steps_tell_what_moved() -> None:
    story = [
        an_event(),
        an_event(version=2, type="rugby"),
        active("0-0", version=3),
        active("1-0", version=4),
        active("2-0", version=5),
        active("1-2", version=6),
        finished("1-2", version=7),
    ]
    versions = [a_version(event, at=number) for number, event in enumerate(story)]
    found = list(steps(versions))
    assert [step.version for step in found] == versions
    assert [step.moved for step in found] == [
        {},
        {},
        {Market.TEAM_1: LOSING, Market.DRAW: WINNING, Market.TEAM_2: LOSING},
        {Market.TEAM_1: WINNING, Market.DRAW: LOSING},
        {},
        {Market.TEAM_1: LOSING, Market.TEAM_2: WINNING},
        {Market.TEAM_1: LOSE, Market.DRAW: LOSE, Market.TEAM_2: WIN},
    ]


def test_steps_add_up_to_the_evaluator() -> None:
    """Whatever the way: the last state that a market was told is the right one."""
    scores = [score(text) for text in ("0-0", "1-0", "0-1", "1-1")]
    for first, second, last in product(scores, repeat=3):
        story = [an_event(), active(str(first)), active(str(second), version=3)]
        story.append(finished(str(last), version=4))
        told: dict[Market, BetState] = dict.fromkeys(Market, NONE)
        for step in steps([a_version(event, at=0) for event in story]):
            told |= step.moved
        assert told == {m: evaluate(m, EventState.FINISHED, last) for m in Market}


def standing(offsets: dict[int, int]) -> list[Position]:
    return [
        Position(
            consumer=ConsumerName.EVENT_WRITER,
            source=LogPartition(EVENTS_TAXONOMY, partition, LATER_LOG),
            next_offset=offset,
        )
        for partition, offset in offsets.items()
    ]


def test_the_reach_is_the_event_writers_in_the_newest_log() -> None:
    database = a_database(lambda uow: uow.positions.save(standing({0: 4, 2: 1})))
    with database.transaction() as uow:
        assert reach_now(uow) == Reach(LATER_LOG, (4, 0, 1))


def test_without_a_log_there_is_no_reach() -> None:
    with MemoryDatabase().transaction() as uow:
        assert reach_now(uow) is None


def test_what_was_made_between_two_places() -> None:
    versions = [
        a_version(an_event(), at=3),
        a_version(active(), at=5),
        a_version(an_event(id=OTHER_EVENT), at=4),
    ]
    with a_database(lambda uow: uow.event_versions.add(versions)).transaction() as uow:
        start, end = Reach(LOG, (3, 0, 0)), Reach(LOG, (6, 0, 0))
        found = made_between(uow, start, end, most=3)
        assert found is not None
        assert {each.position for each in found} == {each.position for each in versions}
        assert made_between(uow, start, end, most=2) is None
        assert made_between(uow, start, end, event_id=EVENT, most=2) == versions[:2]
        assert made_between(uow, end, end, most=0) == []
        assert made_between(uow, start, Reach(LATER_LOG, (9, 9, 9)), most=9) is None
        assert made_between(uow, Reach(LOG, (3,)), end, most=9) is None


def test_what_was_made_since_a_place_that_is_not_reached_any_more_is_unknown() -> None:
    """The tables went back to a backup, and the log with them: below that place lies another
    story, on each partition or only on some."""
    versions = [a_version(an_event(), at=5)]
    with a_database(lambda uow: uow.event_versions.add(versions)).transaction() as uow:
        now = Reach(LOG, (6, 2, 0))
        for first in (Reach(LOG, (9, 2, 0)), Reach(LOG, (5, 3, 0)), Reach(LOG, (6, 2, 1))):
            assert made_between(uow, first, now, most=9) is None


def test_a_bet_is_no_more_than_its_market() -> None:
    """Bets on one market flip together: that is why nobody has to be asked."""
    bets: list[Bet] = [a_bet(id=an_id(n), market=m) for n, m in enumerate(Market)]
    with a_database(holding(an_event()), with_bets(*bets)).transaction() as uow:
        tally = uow.bets.tallies([EVENT])[EVENT]
    assert by_market(tally) == dict.fromkeys(Market, 1)
