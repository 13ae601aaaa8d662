"""What a bet may be, and which steps its state can make."""

from dataclasses import FrozenInstanceError

import pytest

from domain.bets import BET_TRANSITIONS, BetColumns, BetState, Market, check_user_id
from domain.errors import InvalidValue
from tests.samples import BET, EVENT, a_bet, a_placement, an_id

NONE, WINNING, LOSING, WIN, LOSE = BetState
STEPS = {
    (NONE, WINNING),
    (NONE, LOSING),
    (WINNING, LOSING),
    (LOSING, WINNING),
    (WINNING, WIN),
    (WINNING, LOSE),
    (LOSING, WIN),
    (LOSING, LOSE),
}


def test_the_names_are_the_contracts() -> None:
    assert [market.value for market in Market] == ["team_1", "draw", "team_2"]
    assert [state.value for state in BetState] == ["none", "winning", "losing", "win", "lose"]


def test_the_table_is_total_and_says_this() -> None:
    assert set(BET_TRANSITIONS) == set(BetState)
    assert {(before, after) for before, to in BET_TRANSITIONS.items() for after in to} == STEPS


@pytest.mark.parametrize("final", [WIN, LOSE])
def test_win_and_lose_are_final(final: BetState) -> None:
    assert not BET_TRANSITIONS[final]


@pytest.mark.parametrize("user_id", ["a", "x" * 64, "player 7", "ann@example.org", "👤"])
def test_a_user_id_is_opaque(user_id: str) -> None:
    assert check_user_id(user_id) == user_id
    assert a_placement(user_id=user_id).user_id == user_id


@pytest.mark.parametrize("user_id", ["", "x" * 65, " ann", "ann\n", "a\x00n", "a\ud800n"])
def test_some_user_ids_are_not_allowed(user_id: str) -> None:
    for attempt in (check_user_id, lambda value: a_placement(user_id=value)):
        with pytest.raises(InvalidValue) as invalid:
            attempt(user_id)
        assert invalid.value.field == "userId"


def test_a_new_bet_is_in_none() -> None:
    bet = a_bet(event_version=3)
    assert (bet.state, bet.event_version) == (NONE, 3)
    assert (bet.id, bet.event_id) == (BET, EVENT)


def test_a_bet_does_not_change_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        a_bet().state = WIN  # type: ignore[misc]


def test_columns_hold_as_many_ids_as_users_and_the_ids_rise() -> None:
    ids = [str(an_id(number)) for number in range(3)]
    columns = BetColumns(ids=tuple(ids), user_ids=("ann", "bob", "cid"))
    assert (len(columns), columns.first, columns.last) == (3, an_id(0), an_id(2))
    assert columns == BetColumns.of([(an_id(0), "ann"), (an_id(1), "bob"), (an_id(2), "cid")])
    assert len(BetColumns.of([])) == 0
    for wrong, users in ((ids, ("ann",)), (ids[::-1], ("a", "b", "c")), (ids[:1] * 2, ("a", "b"))):
        with pytest.raises(InvalidValue, match="bets: must "):
            BetColumns(ids=tuple(wrong), user_ids=users)
