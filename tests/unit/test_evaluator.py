"""How bets stand: a table, and what holds at any score."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bets import BET_TRANSITIONS, BetState, Market
from domain.errors import RuleBroken
from domain.evaluator import evaluate, leader
from domain.events import Event, EventPatch, EventState, check_change, patch_event
from domain.score import Score
from tests.samples import IN_STATE, active, an_event, close_scores, score, scores

CREATED, ACTIVE, FINISHED = EventState
TEAM_1, DRAW, TEAM_2 = Market
SWAPPED = {TEAM_1: TEAM_2, DRAW: DRAW, TEAM_2: TEAM_1}

# state, score → team_1, draw, team_2
TABLE = """
created  0-0  none     none     none
active   0-0  losing   winning  losing
active   1-0  winning  losing   losing
active   0-1  losing   losing   winning
active   1-1  losing   winning  losing
active   2-1  winning  losing   losing
active   9-10 losing   losing   winning
active   999-998 winning losing losing
finished 0-0  lose     win      lose
finished 1-0  win      lose     lose
finished 0-1  lose     lose     win
finished 3-3  lose     win      lose
finished 7-1  win      lose     lose
finished 2-10 lose     lose     win
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("state", "goals", "team_1", "draw", "team_2"), ROWS)
def test_the_table(state: str, goals: str, team_1: str, draw: str, team_2: str) -> None:
    found = [evaluate(market, EventState(state), score(goals)) for market in Market]
    assert found == [team_1, draw, team_2]


@pytest.mark.parametrize(
    ("goals", "market"), [("1-0", TEAM_1), ("0-1", TEAM_2), ("0-0", DRAW), ("10-9", TEAM_1)]
)
def test_the_leader(goals: str, market: Market) -> None:
    assert leader(score(goals)) is market


@given(scores)
def test_exactly_one_market_wins(goals: Score) -> None:
    assert [evaluate(market, FINISHED, goals) for market in Market].count(BetState.WIN) == 1
    assert [evaluate(market, ACTIVE, goals) for market in Market].count(BetState.WINNING) == 1


@given(st.sampled_from(Market), st.sampled_from(EventState), scores)
def test_sides_are_treated_alike(market: Market, state: EventState, goals: Score) -> None:
    swapped = Score(home=goals.away, away=goals.home)
    assert evaluate(market, state, goals) is evaluate(SWAPPED[market], state, swapped)


@given(st.sampled_from(Market), scores)
def test_the_end_makes_final_what_was(market: Market, goals: Score) -> None:
    final = {BetState.WINNING: BetState.WIN, BetState.LOSING: BetState.LOSE}
    assert evaluate(market, FINISHED, goals) is final[evaluate(market, ACTIVE, goals)]


# Every path over legal versions

SCORES = [score(f"{home}-{away}") for home, away in product(range(2), repeat=2)]
VERSIONS = [an_event()] + [
    replace(IN_STATE[state], score=goals) for state in (ACTIVE, FINISHED) for goals in SCORES
]


def legal_steps() -> Iterator[tuple[Event, Event]]:
    for before, after in product(VERSIONS, repeat=2):
        try:
            check_change(before, after)
        except RuleBroken:
            continue
        yield before, after


def moves(market: Market, before: Event, after: Event) -> set[tuple[BetState, BetState]]:
    """The step that a bet makes between two versions; nothing when its state stays."""
    step = (
        evaluate(market, before.state, before.score),
        evaluate(market, after.state, after.score),
    )
    return {step} - {(state, state) for state in BetState}


def test_legal_versions_make_exactly_the_steps_of_the_table() -> None:
    made = {
        step
        for before, after in legal_steps()
        for market in Market
        for step in moves(market, before, after)
    }
    assert made == {(before, after) for before, to in BET_TRANSITIONS.items() for after in to}


@given(st.lists(close_scores, max_size=6), st.none() | close_scores, st.sampled_from(Market))
def test_every_path_keeps_to_the_table(
    goals: list[Score], last: Score | None, market: Market
) -> None:
    story = [an_event(), active()]
    for goal in goals:
        story.append(patch_event(story[-1], EventPatch(score=goal)))
    story.append(patch_event(story[-1], EventPatch(state=FINISHED, score=last)))
    for before, after in pairwise(story):
        for step in moves(market, before, after):
            assert step[1] in BET_TRANSITIONS[step[0]]
    # Nothing is remembered: only the last version counts.
    assert evaluate(market, FINISHED, story[-1].score) in {BetState.WIN, BetState.LOSE}
    assert (evaluate(market, FINISHED, story[-1].score) is BetState.WIN) == (
        leader(story[-1].score) is market
    )
