"""A bet and a kick-off race: every order in which their steps can happen ends right."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from domain.bets import BetState, Market
from domain.errors import EventNotOpen, RuleBroken
from domain.events import Event, EventState
from domain.ports import UnitOfWork
from domain.records import ConsumerName
from domain.verdicts import Publication
from tests.world import KICK_OFF, World

CLIENT_STEPS = 2
"""The quick check, and the publication."""

TURNS = 2
"""Turns of a consumer before everybody settles."""

CLIENTS = ("bet", "kick-off")
CONSUMERS = ("event writer", "bet writer")


def orders(taken: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every order of the clients' steps with turns of the consumers in between. A consumer has a
    turn only when there is something in the log that it has not seen: another changes nothing."""
    done = {actor: taken.count(actor) for actor in CLIENTS}
    if all(steps == CLIENT_STEPS for steps in done.values()):
        yield taken
    for client in CLIENTS:
        if done[client] < CLIENT_STEPS:
            yield from orders((*taken, client))
    for consumer in CONSUMERS:
        if taken.count(consumer) < TURNS and _has_news(consumer, taken):
            yield from orders((*taken, consumer))


def _has_news(consumer: str, taken: tuple[str, ...]) -> bool:
    """Whether a client published, or a held consumer's predecessor went on, since its last turn."""
    since = taken[len(taken) - taken[::-1].index(consumer) :] if consumer in taken else taken
    before = taken[: len(taken) - len(since)]
    published = any(
        actor in CLIENTS and (before + since[:index]).count(actor) == CLIENT_STEPS - 1
        for index, actor in enumerate(since)
    )
    return published or (consumer == "bet writer" and "event writer" in since)


@dataclass
class Race:
    """One run: a player and the company, each about to send a request for the same event."""

    world: World
    event: Event
    outcome: dict[str, object] = field(default_factory=dict)

    def take(self, actor: str) -> None:
        match actor:
            case "event writer":
                self.world.turn(ConsumerName.EVENT_WRITER)
            case "bet writer":
                self.world.turn(ConsumerName.BET_WRITER)
            case "bet":
                self._advance(actor, self.world.placing(self.event.id, Market.DRAW))
            case _:
                self._advance(actor, self.world.updating(self.event.id, KICK_OFF))

    def _advance(self, actor: str, ask: Callable[[UnitOfWork], object]) -> None:
        found = self.outcome.get(actor)
        if found is None:
            with self.world.database.transaction() as uow:
                try:
                    self.outcome[actor] = ask(uow)
                except RuleBroken as broken:
                    self.outcome[actor] = broken
        elif isinstance(found, Publication):
            (placed,) = self.world.publish([self.world.codec.encode(found.message)])
            self.outcome[actor] = (found, placed)

    def bet_came_first(self) -> bool:
        """Whether the bet's record lies before the kick-off's: what alone decides."""
        bet, kick_off = self.outcome["bet"], self.outcome["kick-off"]
        assert isinstance(kick_off, tuple)
        return isinstance(bet, tuple) and bet[1].offset < kick_off[1].offset

    def verdict(self, actor: str) -> object:
        found = self.outcome[actor]
        return self.world.verdict(*found) if isinstance(found, tuple) else found


def test_every_order_of_a_bet_and_a_kick_off() -> None:
    accepted = refused_at_once = refused_in_the_log = 0
    for order in orders():
        world = World()
        race = Race(world, world.create())
        for actor in order:
            race.take(actor)
        world.settle()
        event, bet = world.event(race.event.id), race.verdict("bet")
        assert event.state is EventState.ACTIVE, order
        assert race.bet_came_first() is not isinstance(bet, EventNotOpen), order
        if isinstance(bet, EventNotOpen):
            assert world.states(event.id) == {}, order
            refused_at_once += race.outcome["bet"] is bet
            refused_in_the_log += race.outcome["bet"] is not bet
        else:
            assert world.states(event.id) == {Market.DRAW: {BetState.WINNING}}, order
            accepted += 1
    assert min(accepted, refused_at_once, refused_in_the_log) > 0
