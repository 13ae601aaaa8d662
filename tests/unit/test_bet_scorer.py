"""Which markets an event's versions move, and how their bets are cut into slices."""

from collections.abc import Iterator
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import bet_scorer
from domain.bet_scorer import PAGE, BetScorer, causes_of
from domain.bets import BetState, Market
from domain.evaluator import evaluate
from domain.events import Event
from domain.log import EVENTS_TAXONOMY
from domain.messages import SLICE_SIZE, BetsStateChanged, Message
from domain.ports import UnitOfWork
from domain.records import ConsumerName, EventVersion, MarketOfEvent
from domain.rulings import Fate, Lane, Request
from tests.samples import (
    BET,
    EVENT,
    NOW,
    OTHER_BET,
    OTHER_EVENT,
    a_bet,
    a_database,
    a_placement,
    a_version,
    active,
    an_event,
    an_id,
    close_scores,
    created,
    finished,
    placed,
    request,
    stored,
    updated,
)

TEAM_1, DRAW, TEAM_2 = Market
ALL = set(Market)


def versions_of(*events: Event) -> list[EventVersion]:
    return [a_version(event, at=offset) for offset, event in enumerate(events)]


def goals(*texts: str) -> list[EventVersion]:
    """Versions of an event under way, one for each score."""
    return versions_of(*(active(text, version=2 + n) for n, text in enumerate(texts)))


# steps, led by the version before them → the markets that they move
STEPS: dict[str, tuple[list[EventVersion], set[Market]]] = {
    "the creation": (versions_of(an_event()), set()),
    "renamed": (versions_of(an_event(), an_event(type="rugby", version=2)), set()),
    "kick-off": (versions_of(an_event(), active()), ALL),
    "all at once": (versions_of(an_event(), active(), finished()), ALL),
    "the first goal": (goals("0-0", "1-0"), {TEAM_1, DRAW}),
    "the lead grows": (goals("1-0", "2-0"), set()),
    "the equaliser": (goals("1-0", "1-1"), {TEAM_1, DRAW}),
    "the lead changes": (goals("1-0", "0-1"), {TEAM_1, TEAM_2}),
    "the other side leads": (goals("1-1", "1-2"), {DRAW, TEAM_2}),
    "a goal and taken back": (goals("0-0", "1-0", "0-0"), {TEAM_1, DRAW}),
    "once round": (goals("0-0", "1-0", "1-1", "1-2", "2-2"), ALL),
    "the end": (versions_of(active("1-0"), finished("1-0")), ALL),
    "only the last one": (goals("1-0"), set()),
    "none": ([], set()),
}


@pytest.mark.parametrize(("steps", "moved"), STEPS.values(), ids=STEPS)
def test_the_markets_that_move(steps: list[EventVersion], moved: set[Market]) -> None:
    causes = causes_of({EVENT: steps})
    assert causes == {MarketOfEvent(EVENT, market): steps[-1] for market in moved}


def test_events_have_their_own_causes() -> None:
    one, other = goals("0-0", "1-0"), versions_of(an_event(id=OTHER_EVENT), active(id=OTHER_EVENT))
    both = causes_of({EVENT: one, OTHER_EVENT: other})
    assert both == causes_of({EVENT: one}) | causes_of({OTHER_EVENT: other})


@given(st.lists(close_scores, min_size=2, max_size=6))
def test_it_is_the_union_of_all_steps(scores: list[object]) -> None:
    steps = goals(*map(str, scores))
    union = {
        market
        for before, after in pairwise(steps)
        for market in Market
        if evaluate(market, before.state, before.score)
        is not evaluate(market, after.state, after.score)
    }
    assert {market for _, market in causes_of({EVENT: steps})} == union
    assert union == set().union(
        *({market for _, market in causes_of({EVENT: list(step)})} for step in pairwise(steps))
    )


# On the tables

CAUSE = a_version(finished("1-0", version=7), at=9)


@pytest.fixture(autouse=True, scope="module")
def _small_pages() -> Iterator[None]:
    """Two slices of three bets in a page: small ones show the same, sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bet_scorer, "SLICE_SIZE", 3)
        patch.setattr(bet_scorer, "PAGE", 6)
        yield


def a_match(uow: UnitOfWork) -> None:
    """Kick-off at 5, a goal at 6, another at 7; ann and bob on a draw, eve on team_1."""
    uow.events.write([stored(active("2-0", version=4))])
    goal, second = active("1-0", version=3), active("2-0", version=4)
    story = [(0, an_event()), (5, active()), (6, goal), (7, second)]
    uow.event_versions.add([a_version(event, at=offset) for offset, event in story])
    uow.bets.add(
        [
            a_bet(id=OTHER_BET, user_id="bob"),
            a_bet(),
            a_bet(id=an_id(9), user_id="eve", market=TEAM_1),
        ]
    )


CREATION = request(created(an_event()), at=0)
KICK_OFF = request(updated(active()), at=5)
GOAL = request(updated(active("1-0", version=3)), at=6)
SECOND = request(updated(active("2-0", version=4)), at=7)
REFUSED = request(updated(active("5-5", version=3)), at=8)
BET_PLACED = request(placed(a_placement()), at=1)


def told(*requests: Request) -> dict[Market, tuple[BetState, int, list[UUID]]]:
    """What is published for these requests: state, version and bets of each market."""
    messages = [m for part in BetScorer().outputs(a_database(a_match), requests) for m in part]
    slices = [m for m in messages if isinstance(m, BetsStateChanged)]
    assert len(slices) == len(messages)
    return {s.market: (s.state, s.event_version, list(map(UUID, s.bets.ids))) for s in slices}


def test_it_stays_behind_the_bet_writer_and_publishes() -> None:
    scorer = BetScorer()
    assert (scorer.name, scorer.behind) == (ConsumerName.BET_SCORER, ConsumerName.BET_WRITER)
    assert list(scorer.lanes) == [Lane(EVENTS_TAXONOMY, 5000, lazy=True)]
    assert scorer.publishes


def test_slices_and_pages_are_bounded() -> None:
    assert (SLICE_SIZE, PAGE) == (1000, 10_000)


def test_kick_off_tells_every_bet() -> None:
    assert told(KICK_OFF) == {
        DRAW: (BetState.WINNING, 2, [BET, OTHER_BET]),
        TEAM_1: (BetState.LOSING, 2, [an_id(9)]),
    }


def test_a_goal_tells_whom_it_moves() -> None:
    assert told(GOAL) == {
        DRAW: (BetState.LOSING, 3, [BET, OTHER_BET]),
        TEAM_1: (BetState.WINNING, 3, [an_id(9)]),
    }


@pytest.mark.parametrize("requests", [[], [CREATION], [SECOND], [REFUSED], [BET_PLACED]])
def test_nothing_is_told_when_nothing_moves(requests: list[Request]) -> None:
    assert told(*requests) == {}


def test_a_batch_tells_each_bet_once_with_the_last_version() -> None:
    assert told(BET_PLACED, KICK_OFF, GOAL, REFUSED, SECOND) == {
        DRAW: (BetState.LOSING, 4, [BET, OTHER_BET]),
        TEAM_1: (BetState.WINNING, 4, [an_id(9)]),
    }


def test_a_repeat_is_equal_to_the_first() -> None:
    def outputs() -> list[list[Message]]:
        return list(BetScorer().outputs(a_database(a_match), [KICK_OFF, GOAL]))

    assert outputs() == outputs()


def test_versions_of_a_deleted_event_are_skipped() -> None:
    gone = an_event(id=OTHER_EVENT)
    requests = [request(created(gone), at=2), request(updated(active(id=OTHER_EVENT)), at=3)]
    database = a_database(a_match)
    assert list(BetScorer().outputs(database, requests)) == []
    with database.transaction() as uow:
        assert BetScorer().decide(uow, requests) == [Fate.UNCHANGED] * 2


def test_what_made_a_version_was_applied() -> None:
    requests = [CREATION, KICK_OFF, REFUSED]
    with a_database(a_match).transaction() as uow:
        assert BetScorer().decide(uow, requests) == [Fate.APPLIED, Fate.APPLIED, Fate.UNCHANGED]
        assert BetScorer().decide(uow, []) == []


@pytest.mark.parametrize("bets", [0, 1, 5, 6, 7, 12, 20])
def test_many_bets_come_page_by_page(bets: int) -> None:
    def many(uow: UnitOfWork) -> None:
        uow.events.write([stored(active())])
        uow.event_versions.add(versions_of(an_event(), active()))
        uow.bets.add([a_bet(id=an_id(number), date_created=NOW) for number in range(bets)])

    kick_off = request(updated(active()), at=1)
    portions = list(BetScorer().outputs(a_database(many), [kick_off]))
    slices = [piece for portion in portions for piece in portion]
    assert all(len(portion) <= 2 for portion in portions)
    assert [i for s in slices if isinstance(s, BetsStateChanged) for i in s.bets.ids] == [
        str(an_id(number)) for number in range(bets)
    ]
    assert len(portions) == bets // 6 + 1


def test_a_market_without_bets_is_passed_over() -> None:
    def one_bet(uow: UnitOfWork) -> None:
        uow.events.write([stored(active())])
        uow.event_versions.add(versions_of(an_event(), active()))
        uow.bets.add([a_bet(market=TEAM_2)])

    (portion,) = BetScorer().outputs(a_database(one_bet), [request(updated(active()), at=1)])
    assert [m.market for m in portion if isinstance(m, BetsStateChanged)] == [TEAM_2]
