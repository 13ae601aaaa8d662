"""Wrong states of bets are found by their own version or by now's, and put right."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.store import CommitFault
from domain import repair as repairing
from domain.bets import Bet, BetState, Market
from domain.errors import DatabaseUnavailable
from domain.evaluator import evaluate
from domain.events import Event, EventState
from domain.log import BETS_STATE
from domain.ports import EventLock
from domain.records import BetGroup, BetKind, Cause, ConsumerName, Correction
from domain.repair import correct, corrections, is_wrong, repair
from domain.score import Score
from domain.verification import verify
from tests.samples import EVENT, MustWait, a_bet, a_database, a_version, an_event, stored
from tests.world import FINISH, KICK_OFF, World, goal


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def event(world: World) -> Event:
    """1-0, version 3, with three bets on each market."""
    event = world.create()
    for market in Market:
        for user in ("ann", "bob", "eve"):
            world.place(event.id, market, user_id=user)
    world.update(event.id, KICK_OFF)
    return world.update(event.id, goal("1-0"))


def bets(world: World, event: Event, market: Market | None = None) -> list[Bet]:
    with world.database.transaction() as uow:
        found = uow.bets.page(event_id=event.id, market=market, most=99)
    return sorted(found, key=lambda bet: bet.id)


def spoil(world: World, bet: Bet, state: BetState, event_version: int) -> None:
    with world.database.transaction() as uow:
        uow.bets.remove(bet.id)
        uow.commit()
    with world.database.transaction() as uow:
        uow.bets.add([replace(bet, state=state, event_version=event_version)])
        uow.commit()


def found(world: World, *, to_now: bool) -> list[Correction]:
    return corrections(world.database, to_now=to_now)


def repaired(world: World, *, to_now: bool) -> list[Correction]:
    return repair(world.database, found(world, to_now=to_now))


def bets_are_right(world: World, event: Event) -> bool:
    return all(
        bet.state is evaluate(bet.placement.market, event.state, event.score)
        and bet.event_version <= event.version
        for bet in bets(world, event)
    )


def test_slices_that_were_lost_unread(world: World, event: Event) -> None:
    """No consumer can know of them; a repair needs no more than the tables."""
    ends = {source.partition: held.end for source, held in world.bus.bounds(BETS_STATE).items()}
    world.submit(world.updating(event.id, goal("1-1")))
    world.settle([ConsumerName.EVENT_WRITER, ConsumerName.BET_WRITER])
    world.settle([ConsumerName.BET_SCORER])
    for partition, end in ends.items():
        world.log.truncate(BETS_STATE, partition, end=end)
    world.settle()
    now = replace(event, score=Score(home=1, away=1), version=event.version + 1)
    assert not bets_are_right(world, now)
    assert not verify(world.database, world.bus, world.codec).holds
    assert repaired(world, to_now=True)
    assert bets_are_right(world, now)
    assert verify(world.database, world.bus, world.codec).holds


def test_nothing_is_wrong_with_right_bets(world: World, event: Event) -> None:
    assert found(world, to_now=False) == found(world, to_now=True) == []
    assert repaired(world, to_now=True) == []


@pytest.mark.parametrize("to_now", [True, False])
@pytest.mark.parametrize(
    ("state", "version"),
    [
        (BetState.WINNING, 3),
        (BetState.NONE, 2),
        (BetState.LOSE, 1),
        (BetState.LOSING, 4),
        (BetState.WINNING, 0),
    ],
)
def test_a_wrong_bet_is_found_and_put_right(
    world: World, event: Event, state: BetState, version: int, *, to_now: bool
) -> None:
    bet = bets(world, event, Market.TEAM_2)[1]
    before = bets(world, event)
    spoil(world, bet, state, version)
    wrong = BetGroup(event.id, Market.TEAM_2, state, version, 1)
    expected = [Correction(wrong, BetState.LOSING, 3)]
    assert found(world, to_now=to_now) == expected
    assert repaired(world, to_now=to_now) == expected
    assert found(world, to_now=to_now) == []
    after = bets(world, event)
    right = replace(bet, state=BetState.LOSING, event_version=3)
    assert after == [right if each.id == bet.id else each for each in before]
    assert verify(world.database, world.bus, world.codec).holds


def test_a_version_above_the_events_is_wrong_even_if_it_is_there() -> None:
    now = Cause(EventState.ACTIVE, Score.parse("1-0"))
    kind = BetKind(market=Market.TEAM_1, state=BetState.WINNING, own=now, now=now, is_ahead=False)
    for to_now in (True, False):
        assert not is_wrong(kind, to_now=to_now)
        assert is_wrong(kind._replace(is_ahead=True), to_now=to_now)
        assert is_wrong(kind._replace(own=None), to_now=to_now)


def test_a_bet_that_only_lags_is_not_wrong_yet(world: World, event: Event) -> None:
    world.submit(world.updating(event.id, goal("1-1")))
    world.settle([ConsumerName.EVENT_WRITER])
    assert found(world, to_now=False) == []
    assert {(c.wrong.market, c.state, c.wrong.bets) for c in found(world, to_now=True)} == {
        (Market.TEAM_1, BetState.LOSING, 3),
        (Market.DRAW, BetState.WINNING, 3),
    }


def test_consumers_go_on_from_what_was_corrected(world: World, event: Event) -> None:
    # Lost with the topic: the slices of a goal that no bet has heard of.
    world.submit(world.updating(event.id, goal("1-1")))
    world.settle([ConsumerName.EVENT_WRITER])
    assert repaired(world, to_now=True)
    assert bets_are_right(world, world.event(event.id))
    world.settle()
    assert bets_are_right(world, world.event(event.id))
    # What was told of an earlier version changes nothing; a later version everything.
    world.update(event.id, goal("1-2"))
    finished = world.update(event.id, FINISH)
    assert bets_are_right(world, finished)
    assert verify(world.database, world.bus, world.codec).holds


def test_an_event_that_moved_since_is_read_again(world: World, event: Event) -> None:
    bet = bets(world, event, Market.DRAW)[0]
    spoil(world, bet, BetState.WINNING, 3)
    stale = found(world, to_now=False)
    finished = world.update(event.id, FINISH)
    with world.database.transaction() as uow:
        assert correct(uow, stale) == []
        uow.commit()
    assert bets_are_right(world, finished)


def test_what_is_gone_since_is_left_out(world: World) -> None:
    event = world.create()
    bet = world.place(event.id, Market.DRAW)
    spoil(world, bet, BetState.WIN, 1)
    stale = found(world, to_now=False)
    with world.database.transaction() as uow:
        uow.bets.remove(bet.id)
        uow.events.remove(event.id)
        uow.commit()
    with world.database.transaction() as uow:
        assert correct(uow, stale) == []


def test_what_is_right_by_now_is_left_as_it_is(world: World, event: Event) -> None:
    bet = bets(world, event, Market.DRAW)[0]
    stale = Correction(
        BetGroup(event.id, Market.DRAW, bet.state, bet.event_version, 1), BetState.WIN, 3
    )
    spoil(world, bet, BetState.LOSING, 3)
    with world.database.transaction() as uow:
        assert correct(uow, [stale._replace(wrong=stale.wrong._replace(event_version=3))]) == []


def test_the_callers_transaction_decides(world: World, event: Event) -> None:
    spoil(world, bets(world, event)[0], BetState.NONE, 3)
    wrong = found(world, to_now=False)
    with world.database.transaction() as uow:
        assert [each.wrong.bets for each in correct(uow, wrong)] == [1]
    assert found(world, to_now=False) == wrong, "nobody has committed"


def test_events_stand_still_while_their_bets_are_corrected() -> None:
    wrong = a_bet(event_version=7)
    database = a_database(
        lambda uow: uow.events.write([stored(an_event())]),
        lambda uow: uow.event_versions.add([a_version(an_event(), at=0)]),
        lambda uow: uow.bets.add([wrong]),
    )
    wrong_ones = corrections(database, to_now=True)
    with database.transaction() as uow:
        assert correct(uow, wrong_ones)
        with database.transaction() as other, pytest.raises(MustWait):
            other.events.lock([EVENT], EventLock.CHANGE)


def test_large_repairs_are_many_small_transactions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def watched(*args: object, **kwargs: object) -> list[Correction]:
        changed = correct(*args, **kwargs)  # type: ignore[arg-type]
        sizes.append(sum(each.wrong.bets for each in changed))
        return changed

    monkeypatch.setattr(repairing, "correct", watched)
    monkeypatch.setattr(repairing, "BETS_AT_ONCE", 4)
    monkeypatch.setattr(repairing, "EVENTS_AT_ONCE", 2)
    events = [world.create() for _ in range(3)]
    for event in events:
        for market in (Market.DRAW, Market.DRAW, Market.TEAM_1):
            spoil(world, world.place(event.id, market), BetState.LOSE, 1)
    done = repaired(world, to_now=True)
    assert sizes == [4, 2, 3]
    assert Counter(each.wrong.bets for each in done) == {2: 3, 1: 3}
    assert all(bets_are_right(world, event) for event in events)


@pytest.mark.parametrize("fault", CommitFault)
def test_a_repair_that_died_is_done_again(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: CommitFault
) -> None:
    monkeypatch.setattr(repairing, "EVENTS_AT_ONCE", 1)
    events = [world.create() for _ in range(2)]
    for event in events:
        spoil(world, world.place(event.id, Market.DRAW), BetState.LOSE, 1)
    world.database.fail_next_commit(fault)
    with pytest.raises(DatabaseUnavailable):
        repaired(world, to_now=True)
    left = 2 if fault is CommitFault.BEFORE else 1
    assert len(repaired(world, to_now=True)) == left
    assert all(bets_are_right(world, event) for event in events)


spoiled = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from(BetState), st.integers(0, 5)), max_size=9
)


@given(spoiled, st.booleans())
def test_whatever_was_wrong_is_right_afterwards(
    wrong: list[tuple[int, BetState, int]], to_now: bool
) -> None:
    world = World()
    event = world.create()
    for market in Market:
        for user in ("ann", "bob", "eve"):
            world.place(event.id, market, user_id=user)
    event = world.update(event.id, KICK_OFF)
    event = world.update(event.id, goal("0-2"))
    for index, state, version in wrong:
        spoil(world, bets(world, event)[index], state, version)
    repaired(world, to_now=to_now)
    assert found(world, to_now=to_now) == []
    repaired(world, to_now=True)
    assert bets_are_right(world, event)
    assert verify(world.database, world.bus, world.codec).holds
