"""The walk: create, bets, kick-off, goals, a goal taken back, the end; each state right."""

from collections.abc import Sequence

import pytest
from pytest_mock import MockerFixture

from domain.bet_writer import BetWriter
from domain.bets import BetState, Market
from domain.errors import (
    BetDeleted,
    BetNotFound,
    EventConflict,
    EventHasBets,
    EventNotFound,
    EventNotOpen,
    IdempotencyKeyReused,
    VersionMismatch,
)
from domain.log import BETS_STATE, EVENTS_TAXONOMY, NewRecord
from domain.records import ConsumerName
from domain.rulings import Lane
from tests.world import FINISH, KICK_OFF, World, goal

NONE, WINNING, LOSING = {BetState.NONE}, {BetState.WINNING}, {BetState.LOSING}
WIN, LOSE = {BetState.WIN}, {BetState.LOSE}
TEAM_1, DRAW, TEAM_2 = Market


@pytest.fixture(params=[1, 2], ids=["one member", "two members"])
def world(request: pytest.FixtureRequest) -> World:
    return World(members=request.param)


def test_every_bet_follows_the_match(world: World) -> None:
    event = world.create()
    for market in Market:
        for user in ("ann", "bob"):
            world.place(event.id, market, user_id=user)
    assert world.states(event.id) == {TEAM_1: NONE, DRAW: NONE, TEAM_2: NONE}
    for patch, team_1, draw, team_2 in (
        (KICK_OFF, LOSING, WINNING, LOSING),
        (goal("1-0"), WINNING, LOSING, LOSING),
        (goal("2-0"), WINNING, LOSING, LOSING),
        (goal("2-1"), WINNING, LOSING, LOSING),
        (goal("2-2"), LOSING, WINNING, LOSING),
        (goal("2-3"), LOSING, LOSING, WINNING),
        (goal("2-2"), LOSING, WINNING, LOSING),
        (FINISH, LOSE, WIN, LOSE),
    ):
        world.update(event.id, patch)
        assert world.states(event.id) == {TEAM_1: team_1, DRAW: draw, TEAM_2: team_2}, patch


def test_a_late_bet_is_refused_at_once(world: World) -> None:
    event = world.create()
    world.update(event.id, KICK_OFF)
    with pytest.raises(EventNotOpen):
        world.place(event.id, TEAM_1)


def test_a_bet_whose_record_comes_after_kick_off_is_refused(world: World) -> None:
    event = world.create()
    late = world.submit(world.placing(event.id, TEAM_1))
    # Both passed the quick checks; the log has the last word.
    kicked = world.submit(world.updating(event.id, KICK_OFF))
    too_late = world.submit(world.placing(event.id, TEAM_2))
    world.settle()
    assert isinstance(late, tuple)
    assert isinstance(kicked, tuple)
    assert isinstance(too_late, tuple)
    assert isinstance(world.verdict(*too_late), EventNotOpen)
    assert world.states(event.id) == {TEAM_1: LOSING}


def test_concurrent_updates_of_one_version_have_one_winner(world: World) -> None:
    event = world.create()
    world.place(event.id, TEAM_1)
    world.update(event.id, KICK_OFF)
    asked = [
        world.submit(world.updating(event.id, goal("1-0"))),
        world.submit(world.updating(event.id, goal("0-1"))),
        world.submit(world.updating(event.id, goal("0-2"), expected=[2])),
    ]
    world.settle()
    first, second, conditional = (world.verdict(*each) for each in asked)  # type: ignore[misc]
    assert str(getattr(first, "score", None)) == "1-0"
    assert isinstance(second, EventConflict)
    assert isinstance(conditional, VersionMismatch)
    assert world.states(event.id) == {TEAM_1: WINNING}
    assert world.event(event.id).version == 3


def test_the_same_update_twice_makes_one_version(world: World) -> None:
    event = world.create()
    asked = [world.submit(world.updating(event.id, KICK_OFF)) for _ in range(2)]
    world.settle()
    versions = [world.verdict(*each) for each in asked]  # type: ignore[misc]
    assert [getattr(version, "version", None) for version in versions] == [2, 2]


def test_each_topic_again_changes_nothing(world: World) -> None:
    event = world.create()
    bets = [world.place(event.id, market) for market in Market]
    gone = world.place(event.id, DRAW, user_id="bob")
    world.hand_over(bets[0].id, "eve")
    world.delete_bet(gone.id)
    for patch in (KICK_OFF, goal("1-0"), goal("1-1"), FINISH):
        world.update(event.id, patch)
    before = [world.bet(bet.id) for bet in bets], world.event(event.id)
    for topic in (EVENTS_TAXONOMY, BETS_STATE):
        world.publish(
            [NewRecord(topic, r.key, r.value, r.headers) for r in list(world.bus.read(topic))]
        )
        world.settle()
    assert ([world.bet(bet.id) for bet in bets], world.event(event.id)) == before
    with world.database.transaction() as uow:
        assert not uow.bets.among([gone.id])
        assert len(uow.event_versions.history(event.id)) == 5


def test_redelivered_records_are_skipped(world: World) -> None:
    event = world.create()
    bet = world.place(event.id, TEAM_1)
    world.update(event.id, KICK_OFF)
    before = world.bet(bet.id), world.event(event.id)
    for name in ConsumerName:
        world.crash(name)
    world.settle()
    assert (world.bet(bet.id), world.event(event.id)) == before
    for name in ConsumerName:
        tally = world.tally(name)
        assert tally.read == sum(tally[1:])


def test_a_recreated_topic_is_not_taken_for_already_seen(world: World) -> None:
    old = world.create()
    world.place(old.id, TEAM_1)
    world.update(old.id, KICK_OFF)
    world.log.recreate(EVENTS_TAXONOMY)
    world.update(old.id, goal("1-0"))
    new = world.create()
    world.place(new.id, DRAW)
    world.update(new.id, KICK_OFF)
    assert world.states(old.id) == {TEAM_1: WINNING}
    assert world.states(new.id) == {DRAW: WINNING}


class PlacementsOnly(BetWriter):
    """A Bet Writer whose bets.state side is held back."""

    lanes: Sequence[Lane] = BetWriter.lanes[:1]


def test_states_end_right_when_slices_are_written_late(world: World) -> None:
    """0-0 → 1-0 → 0-0 while no slice is written: comparing with stored states would lose it."""
    event = world.create()
    world.place(event.id, DRAW)
    world.update(event.id, KICK_OFF)
    world.crash(ConsumerName.BET_WRITER, PlacementsOnly)
    for patch in (goal("1-0"), goal("0-0")):
        world.update(event.id, patch)
        assert world.states(event.id) == {DRAW: WINNING}
    world.crash(ConsumerName.BET_WRITER)
    world.settle([ConsumerName.BET_WRITER])
    assert world.states(event.id) == {DRAW: WINNING}
    assert world.slices(event.id, DRAW) == [BetState.WINNING, BetState.LOSING, BetState.WINNING]


def test_a_hundred_equal_requests_with_one_key_make_one_bet(world: World) -> None:
    event = world.create()
    asked = [world.submit(world.placing(event.id, TEAM_1, key="k")) for _ in range(100)]
    world.settle()
    bets = {world.verdict(*each).id for each in asked}  # type: ignore[misc, union-attr]
    assert len(bets) == 1
    world.update(event.id, KICK_OFF)
    # A retry after kick-off is answered as the first was, by the bet as it now is.
    assert world.place(event.id, TEAM_1, key="k").state is BetState.LOSING
    with pytest.raises(IdempotencyKeyReused):
        world.place(event.id, DRAW, key="k")
    assert world.states(event.id) == {TEAM_1: LOSING}


def test_a_key_whose_bet_was_refused_stays_refused(world: World) -> None:
    event = world.create()
    early = world.submit(world.updating(event.id, KICK_OFF))
    late = world.submit(world.placing(event.id, TEAM_1, key="k"))
    world.settle()
    assert isinstance(early, tuple)
    assert isinstance(world.verdict(*late), EventNotOpen)  # type: ignore[misc]
    with pytest.raises(EventNotOpen):
        world.place(event.id, TEAM_1, key="k")


def test_a_retry_while_the_first_waits_in_the_log_is_answered_as_the_first(world: World) -> None:
    """The kick-off is applied, the bet before it is not yet judged: only the log can answer."""
    event = world.create()
    first = world.submit(world.placing(event.id, TEAM_1, key="k"))
    world.submit(world.updating(event.id, KICK_OFF))
    world.settle([ConsumerName.EVENT_WRITER])
    retry = world.submit(world.placing(event.id, TEAM_1, key="k"))
    too_late = world.submit(world.placing(event.id, TEAM_1, key="another"))
    world.settle()
    bets = [world.verdict(*each) for each in (first, retry)]  # type: ignore[misc]
    assert {getattr(bet, "id", None) for bet in bets} == {world.place(event.id, TEAM_1, key="k").id}
    assert isinstance(world.verdict(*too_late), EventNotOpen)  # type: ignore[misc]
    with pytest.raises(EventNotOpen):
        world.place(event.id, TEAM_1, key="third")
    assert world.states(event.id) == {TEAM_1: LOSING}


def test_a_bet_that_is_decided_between_two_looks_is_the_answer(
    world: World, mocker: MockerFixture
) -> None:
    event = world.create()
    bet = world.place(event.id, TEAM_1, key="k")
    world.update(event.id, KICK_OFF)
    asking = world.placing(event.id, TEAM_1, key="k")
    with world.database.transaction() as uow:
        mocker.patch.object(uow.bets, "among", side_effect=[{}, {bet.id: bet}])
        assert asking(uow) == bet


def test_deleted_things_stay_deleted(world: World) -> None:
    event = world.create()
    bet = world.place(event.id, TEAM_1, key="k")
    with pytest.raises(EventHasBets):
        world.delete_event(event.id)
    world.delete_bet(bet.id)
    with pytest.raises(BetDeleted):
        world.place(event.id, TEAM_1, key="k")
    with pytest.raises(BetNotFound):
        world.delete_bet(bet.id)
    world.delete_event(event.id)
    with pytest.raises(EventNotFound):
        world.update(event.id, KICK_OFF)
    replayed = [
        NewRecord(r.source.topic, r.key, r.value, r.headers)
        for r in world.bus.read(EVENTS_TAXONOMY)
    ]
    world.publish(replayed)
    world.settle()
    with world.database.transaction() as uow:
        assert not uow.events.among([event.id])
        assert not uow.bets.among([bet.id])
