"""Which version an event had at a moment of its story, and a bet's way through the versions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bets import BET_TRANSITIONS, Bet, BetState, Market
from domain.errors import BetNotFound
from domain.events import EventState
from domain.history import BetChange, bet_history, precedes, version_at
from domain.log import LogPosition
from domain.records import EventVersion
from domain.score import GOALLESS, Score
from tests.samples import (
    GENERATIONS,
    LATER_LOG,
    LOG,
    NOW,
    a_bet,
    a_position,
    a_version,
    active,
    an_event,
    close_scores,
    finished,
    score,
)

NONE, WINNING, LOSING, WIN, LOSE = BetState


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        (a_position(1), a_position(2), True),
        (a_position(2), a_position(1), False),
        (a_position(1), a_position(1), False),
        (a_position(9), a_position(1, log=LATER_LOG), True),
        (a_position(1, log=LATER_LOG), a_position(9), False),
        (a_position(1), a_position(1, log=LATER_LOG), True),
    ],
)
def test_which_place_precedes(earlier: LogPosition, later: LogPosition, expected: bool) -> None:
    assert precedes(earlier, later, GENERATIONS) is expected


STORY = [
    a_version(an_event(), at=10),
    a_version(an_event(type="rugby", version=2), at=20),
    a_version(active(version=3), at=5, log=LATER_LOG),
]


@pytest.mark.parametrize(
    ("offset", "log", "version"),
    [
        (9, LOG, None),
        (10, LOG, None),  # at its own place it had not been made yet
        (11, LOG, 1),
        (20, LOG, 1),
        (21, LOG, 2),
        (999, LOG, 2),
        (0, LATER_LOG, 2),
        (5, LATER_LOG, 2),
        (6, LATER_LOG, 3),
    ],
)
def test_the_version_at_a_place(offset: int, log: UUID, version: int | None) -> None:
    found = version_at(STORY, a_position(offset, log=log), GENERATIONS)
    assert (found and found.version) == version


def test_before_all_versions_there_is_none() -> None:
    assert version_at([], a_position(), GENERATIONS) is None


# A bet's way

MATCH: list[EventVersion] = [
    replace(a_version(event, at=10 * n), at=NOW + timedelta(minutes=n))
    for n, event in enumerate(
        [
            an_event(),
            an_event(type="rugby", version=2),
            active(version=3),
            active("1-0", version=4),
            active("2-0", version=5),
            active("2-2", version=6),
            finished("2-2", version=7),
        ]
    )
]


def told(bet: Bet, versions: Sequence[EventVersion] = MATCH) -> list[tuple[int, BetState]]:
    return [(c.event_version, c.state) for c in bet_history(bet, versions, GENERATIONS)]


WAYS = {
    Market.TEAM_1: [(1, NONE), (3, LOSING), (4, WINNING), (6, LOSING), (7, LOSE)],
    Market.DRAW: [(1, NONE), (3, WINNING), (4, LOSING), (6, WINNING), (7, WIN)],
    Market.TEAM_2: [(1, NONE), (3, LOSING), (7, LOSE)],
}


@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize("until", range(1, 8))
def test_the_way_up_to_the_bets_own_version(market: Market, until: int) -> None:
    bet = a_bet(at=5, market=market, event_version=until)
    assert told(bet) == [change for change in WAYS[market] if change[0] <= until]


def test_it_begins_with_the_version_at_its_place() -> None:
    assert told(a_bet(at=15, event_version=3)) == [(2, NONE), (3, WINNING)]


def test_every_change_says_its_cause() -> None:
    first, second = bet_history(a_bet(at=5, event_version=3), MATCH, GENERATIONS)
    assert first == BetChange(
        event_version=1,
        event_state=EventState.CREATED,
        score=GOALLESS,
        state=NONE,
        at=a_bet().placement.date_created,
    )
    assert second == BetChange(
        event_version=3,
        event_state=EventState.ACTIVE,
        score=score("0-0"),
        state=WINNING,
        at=MATCH[2].at,
    )


def test_a_bet_whose_event_was_deleted_meanwhile_is_gone() -> None:
    with pytest.raises(BetNotFound):
        told(a_bet(), versions=[])


@given(st.lists(close_scores, max_size=6), st.sampled_from(Market), st.integers(1, 9))
def test_it_makes_only_legal_steps(goals: list[Score], market: Market, until: int) -> None:
    events = [an_event(), active()]
    events += [active(str(goal), version=3 + n) for n, goal in enumerate(goals)]
    events.append(finished(str(events[-1].score), version=len(events) + 1))
    versions = [a_version(event, at=n) for n, event in enumerate(events)]
    way = told(a_bet(at=1, market=market, event_version=until), versions)
    assert way[0] == (1, NONE)
    for (before, state), (after, new_state) in pairwise(way):
        assert before < after <= until
        assert new_state in BET_TRANSITIONS[state]
