"""What the tests of `verify` share: a match to look at, what is said of it, ways to spoil it."""

from collections.abc import Callable
from dataclasses import replace

from domain.bets import Bet, Market
from domain.events import Event
from domain.log import EVENTS_TAXONOMY
from domain.ports import UnitOfWork
from domain.records import ConsumerName, Position
from domain.verification import Report, verify
from tests.world import KICK_OFF, World, goal


def a_match(world: World) -> Event:
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


def position_of(world: World, consumer: ConsumerName) -> Position:
    """Its position in the partition of the story."""
    with world.database.transaction() as uow:
        return next(
            position
            for position in uow.positions.all()
            if position.consumer is consumer
            and position.source.topic == EVENTS_TAXONOMY
            and position.next_offset
        )


def move(world: World, position: Position, next_offset: int) -> None:
    change(world, lambda uow: uow.positions.save([replace(position, next_offset=next_offset)]))


def positions(world: World, consumer: ConsumerName) -> list[Position]:
    with world.database.transaction() as uow:
        return [each for each in uow.positions.all() if each.consumer is consumer]


def examples(world: World, *names: str) -> list[str]:
    """What is said of these invariants, or of all."""
    return [
        text
        for invariant in report(world).invariants
        if not names or invariant.name in names
        for text in invariant.examples
    ]
