"""`verify` is silent when all is well, and names each fault when it isn't."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from adapters.memory.bus import MemoryBus
from domain.bets import Bet, BetState, Market
from domain.events import Event
from domain.log import BETS_STATE, EVENTS_TAXONOMY, LogPosition, Record
from domain.ports import UnitOfWork
from domain.records import ConsumerName, StateRange, StoredEvent, Tally
from domain.verification import Report, verify
from tests.world import FINISH, KICK_OFF, World, goal


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def event(world: World) -> Event:
    """An event under way, with a bet on each market, one withdrawn, one refused."""
    event = world.create()
    for market in Market:
        world.place(event.id, market)
    gone = world.place(event.id, Market.DRAW, user_id="bob")
    world.delete_bet(gone.id)
    kicked = world.submit(world.updating(event.id, KICK_OFF))
    late = world.submit(world.placing(event.id, Market.DRAW, user_id="eve"))
    assert isinstance(kicked, tuple)
    assert isinstance(late, tuple)
    world.settle()
    return world.update(event.id, goal("1-0"))


def report(world: World) -> Report:
    return verify(world.database, world.bus, world.codec)


def violations(world: World) -> dict[str, int]:
    return {i.name: i.violations for i in report(world).invariants if i.violations}


def change(world: World, write: Callable[[UnitOfWork], object]) -> None:
    with world.database.transaction() as uow:
        write(uow)
        uow.commit()


def bet_on(world: World, event: Event, market: Market) -> Bet:
    with world.database.transaction() as uow:
        return uow.bets.page(event_id=event.id, market=market, most=1)[0]


def test_all_is_well(world: World, event: Event) -> None:
    found = report(world)
    assert found.quiet
    assert found.holds
    assert [invariant.name for invariant in found.invariants] == [
        "bet-states",
        "standing-bets",
        "event-versions",
        "accounting",
        "fold",
        "positions-order",
    ]
    world.update(event.id, FINISH)
    assert report(world).holds


@pytest.mark.parametrize("working", [[], [ConsumerName.EVENT_WRITER], list(ConsumerName)[:2]])
def test_no_false_alarm_while_consumers_lag(
    world: World, event: Event, working: list[ConsumerName]
) -> None:
    world.submit(world.updating(event.id, goal("1-1")))
    world.submit(world.creating())
    world.settle(working)
    found = report(world)
    assert not found.quiet
    assert found.holds, found


def test_no_false_alarm_when_something_moves_under_the_checks(world: World, event: Event) -> None:
    class Moving(MemoryBus):
        """While it is read, a goal is scored."""

        def read(self, topic: str) -> Iterator[Record]:
            records = list(super().read(topic))
            if world.event(event.id).version == 3:
                world.update(event.id, goal("1-1"))
            return iter(records)

    found = verify(world.database, Moving(world.log), world.codec)
    assert found.holds, found
    assert not found.quiet


def test_events_of_an_earlier_log_are_left_out_of_the_fold(world: World, event: Event) -> None:
    early = world.create()
    world.log.recreate(EVENTS_TAXONOMY)
    world.log.recreate(BETS_STATE)
    world.place(early.id, Market.DRAW)
    world.update(event.id, FINISH)
    assert report(world).quiet
    assert report(world).holds


def test_a_wrong_state_is_named(world: World, event: Event) -> None:
    bet = bet_on(world, event, Market.DRAW)
    wrong = StateRange(event.id, Market.DRAW, bet.id, bet.id, BetState.WINNING, 99)
    change(world, lambda uow: uow.bets.write_states([wrong]))
    assert violations(world) == {"bet-states": 1}
    assert any(str(bet.id) in text for i in report(world).invariants for text in i.examples)


def test_a_bet_that_came_late_is_named(world: World, event: Event) -> None:
    bet = bet_on(world, event, Market.DRAW)
    late = replace(
        bet,
        placement=replace(bet.placement, id=world.new_id()),
        position=replace_offset(bet, 1000),
    )
    change(world, lambda uow: uow.bets.add([late]))
    assert violations(world)["standing-bets"] == 1


def replace_offset(bet: Bet, more: int) -> LogPosition:
    return bet.position._replace(offset=bet.position.offset + more)


def test_a_deleted_bet_that_came_back_is_named(world: World, event: Event) -> None:
    bet = bet_on(world, event, Market.DRAW)
    change(world, lambda uow: uow.deletions.add(bet.id))
    assert violations(world)["standing-bets"] == 1


def test_a_lost_bet_is_named(world: World, event: Event) -> None:
    bet = bet_on(world, event, Market.DRAW)
    change(world, lambda uow: uow.bets.remove(bet.id))
    assert violations(world) == {"fold": 1}


def test_an_event_with_another_score_is_named(world: World, event: Event) -> None:
    def write(uow: UnitOfWork) -> None:
        stored = uow.events.among([event.id])[event.id]
        wrong: StoredEvent = replace(stored, event=replace(event, team_1="Brazil", version=9))
        uow.events.write([wrong])

    change(world, write)
    assert {"event-versions", "fold"} <= violations(world).keys()


def test_a_record_that_nobody_accounts_for_is_named(world: World, event: Event) -> None:
    def write(uow: UnitOfWork) -> None:
        position = next(p for p in uow.positions.all() if p.next_offset)
        uow.positions.save([replace(position, tally=Tally(read=position.tally.read))])

    change(world, write)
    assert violations(world)["accounting"] == 1


def test_a_consumer_that_passed_the_one_before_is_named(world: World, event: Event) -> None:
    def write(uow: UnitOfWork) -> None:
        scorer = next(
            p
            for p in uow.positions.all()
            if p.consumer is ConsumerName.BET_SCORER and p.next_offset
        )
        uow.positions.save([replace(scorer, next_offset=scorer.next_offset + 5)])

    change(world, write)
    assert violations(world)["positions-order"] == 1
