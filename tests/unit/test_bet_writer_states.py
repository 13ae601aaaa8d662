"""The Bet Writer's other side: slices of bets.state, and the states that they write."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bet_writer import BetWriter, without_overlap
from domain.bets import BetState, Market
from domain.messages import Message
from domain.ports import UnitOfWork
from domain.records import MarketOfEvent, RefusalReason, StateRange
from domain.rulings import Fate, Ruling
from tests.samples import (
    BET,
    EVENT,
    OTHER_BET,
    OTHER_EVENT,
    STATES_SOURCE,
    a_bet,
    a_database,
    a_slice,
    a_version,
    active,
    an_event,
    an_id,
    request,
    stored,
)

APPLIED = Fate.APPLIED
GOALLESS, GOAL = a_version(active(), at=20), a_version(active("1-0", version=3), at=30)


def under_way(uow: UnitOfWork) -> None:
    """Two bets on a draw; version 2 is kick-off, 3 a goal."""
    uow.events.write([stored(active("1-0", version=3))])
    uow.event_versions.add([a_version(an_event(), at=0), GOALLESS, GOAL])
    uow.bets.add([a_bet(), a_bet(id=OTHER_BET)])


def decide(uow: UnitOfWork, *messages: Message) -> list[Ruling]:
    requests = [request(m, at=n, source=STATES_SOURCE) for n, m in enumerate(messages)]
    return BetWriter().decide(uow, requests)


def states(uow: UnitOfWork) -> list[tuple[BetState, int]]:
    return [(bet.state, bet.event_version) for bet in uow.bets.among([BET, OTHER_BET]).values()]


def test_a_slice_writes_its_bets_states() -> None:
    with a_database(under_way).transaction() as uow:
        assert decide(uow, a_slice([BET], version=GOALLESS)) == [APPLIED]
        assert states(uow) == [(BetState.WINNING, 2), (BetState.NONE, 1)]
        assert decide(uow, a_slice([BET, OTHER_BET], version=GOAL)) == [APPLIED]
        assert states(uow) == [(BetState.LOSING, 3)] * 2
        assert decide(uow, a_slice([BET, OTHER_BET], version=GOALLESS)) == [APPLIED]
        assert states(uow) == [(BetState.LOSING, 3)] * 2


def test_a_slice_between_two_bets_touches_all_between_them() -> None:
    with a_database(under_way).transaction() as uow:
        decide(uow, a_slice([an_id(1), an_id(9999)], version=GOAL))
        assert states(uow) == [(BetState.LOSING, 3)] * 2


@pytest.mark.parametrize("order", [(GOALLESS, GOAL), (GOAL, GOALLESS)])
def test_of_several_versions_in_a_batch_the_newest_counts(order: tuple[Any, ...]) -> None:
    with a_database(under_way).transaction() as uow:
        slices = [a_slice([BET, OTHER_BET], version=version) for version in order]
        assert decide(uow, *slices) == [APPLIED, APPLIED]
        assert states(uow) == [(BetState.LOSING, 3)] * 2


@pytest.mark.parametrize("state", [s for s in BetState if s is not BetState.LOSING])
def test_a_slice_that_does_not_say_what_its_version_makes_is_refused(state: BetState) -> None:
    with a_database(under_way).transaction() as uow:
        wrong, right = a_slice(version=GOAL, state=state), a_slice(version=GOALLESS)
        assert decide(uow, wrong, right) == [RefusalReason.STATE_NOT_OF_VERSION, APPLIED]
        assert states(uow) == [(BetState.WINNING, 2), (BetState.NONE, 1)]


def test_a_slice_of_no_known_version_is_refused() -> None:
    unknown = a_version(active("1-0", version=4), at=40)
    foreign = a_version(active(id=OTHER_EVENT), at=20)
    with a_database(under_way).transaction() as uow:
        for version in (unknown, foreign):
            assert decide(uow, a_slice(version=version), a_slice(version=GOAL)) == [
                RefusalReason.STATE_NOT_OF_VERSION,
                APPLIED,
            ]


# Ranges that are written together

EVENTS = [EVENT, OTHER_EVENT]
CUTS = [(an_id(10 * n), an_id(10 * n + 9)) for n in range(3)]


def a_range(event: int, market: Market, cut: int, version: int) -> StateRange:
    state = [BetState.WINNING, BetState.LOSING][version % 2]
    return StateRange(EVENTS[event], market, *CUTS[cut], state, version)


ranges = st.lists(
    st.builds(
        a_range, st.integers(0, 1), st.sampled_from(Market), st.integers(0, 2), st.integers(2, 5)
    ),
    max_size=20,
)


@given(ranges)
def test_each_range_is_written_once_by_its_newest_version(given_ranges: list[StateRange]) -> None:
    newest: dict[tuple[Any, ...], StateRange] = {}
    for each in sorted(given_ranges, key=lambda r: r.event_version):
        newest[each[:4]] = each
    written = [each for part in without_overlap(given_ranges) for each in part]
    assert sorted(written) == sorted(newest.values())


@given(ranges)
def test_rounds_have_one_version_of_each_market_and_rise(given_ranges: list[StateRange]) -> None:
    seen: dict[MarketOfEvent, int] = {}
    for part in without_overlap(given_ranges):
        assert part
        versions = {(MarketOfEvent(r.event_id, r.market), r.event_version) for r in part}
        assert len({market for market, _ in versions}) == len(versions)
        for market, version in versions:
            assert seen.get(market, 0) < version
            seen[market] = version


def test_one_round_is_enough_for_many_markets() -> None:
    many = [
        a_range(event, market, cut, 2) for event in (0, 1) for market in Market for cut in (0, 1)
    ]
    (only,) = without_overlap(many)
    assert only == sorted(many)


def test_no_ranges_no_rounds() -> None:
    assert list(without_overlap([])) == []
