"""The whole system in one thread, on the memory adapters: clients, three consumers, both topics.

Nothing moves by itself: a test says who takes a step. `settle` lets everybody work until nothing
is left to do.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar
from uuid import UUID

from adapters.cloudevents import CloudEventsCodec
from adapters.memory.bus import MemoryBus
from adapters.memory.database import MemoryDatabase
from adapters.memory.log import MemoryLog
from domain.bet_scorer import BetScorer
from domain.bet_writer import BetWriter
from domain.bets import Bet, BetState, Market, Placement
from domain.consumer import Consumer, Step
from domain.errors import RuleBroken
from domain.event_writer import EventWriter
from domain.events import Event, EventPatch, EventState
from domain.identity import bet_id_of_key
from domain.log import BETS_STATE, NewRecord, Placed
from domain.messages import BetsStateChanged
from domain.ports import UnitOfWork
from domain.records import ConsumerName, Tally
from domain.requests import (
    create_event,
    delete_bet,
    delete_event,
    place_bet,
    update_bet,
    update_event,
)
from domain.rulings import Handler
from domain.score import Score
from domain.verdicts import Publication, verdicts

HANDLERS: dict[ConsumerName, type[Handler]] = {
    ConsumerName.EVENT_WRITER: EventWriter,
    ConsumerName.BET_WRITER: BetWriter,
    ConsumerName.BET_SCORER: BetScorer,
}
Resource = TypeVar("Resource", Event, Bet)
IDLE_TURNS = 4
"""Turns without a commit after which nothing is left to do: a member that begins to read looks at
its log first, and at the log of the consumer before it."""

KICK_OFF = EventPatch(state=EventState.ACTIVE)
FINISH = EventPatch(state=EventState.FINISHED)


def goal(score: str) -> EventPatch:
    return EventPatch(score=Score.parse(score))


class World:
    """One Touchline. `members`: how many each consumer group has."""

    def __init__(self, *, members: int = 1) -> None:
        self._seconds = 0.0
        self._numbers = count(1)
        self.log = MemoryLog(new_id=self.new_id)
        self.database = self.new_database()
        self.bus = MemoryBus(self.log)
        self.codec = CloudEventsCodec()
        self.consumers: dict[ConsumerName, list[Consumer]] = {
            name: [self.consumer(name) for _ in range(members)] for name in ConsumerName
        }

    def new_database(self) -> MemoryDatabase:
        """A Database; this one can also be taken back to what it was."""
        return MemoryDatabase(now=self.now)

    # Time and ids

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._seconds)

    def pass_time(self, seconds: float) -> None:
        self._seconds += seconds

    def new_id(self) -> UUID:
        return UUID(int=next(self._numbers) * 2**64 + (7 << 76) + (2 << 62))

    # Consumers

    def consumer(self, name: ConsumerName, handler: type[Handler] | None = None) -> Consumer:
        return Consumer(
            (handler or HANDLERS[name])(),
            bus=MemoryBus(self.log),
            codec=self.codec,
            database=self.database,
            monotonic=lambda: self._seconds,
        )

    def crash(self, name: ConsumerName, handler: type[Handler] | None = None) -> None:
        """Every member of the group dies where it stands; new ones take its place."""
        dead = self.consumers[name]
        for member in self.log.members(name):
            self.log.expire(member)
        self.consumers[name] = [self.consumer(name, handler) for _ in dead]

    def turn(self, name: ConsumerName) -> bool:
        """One turn of each member of the group; whether any recorded something."""
        steps = [step for member in self.consumers[name] for step in member.turn(idle=0)]
        return Step.COMMITTED in steps

    def settle(self, names: Collection[ConsumerName] = tuple(ConsumerName)) -> None:
        """Let these consumers work until nothing moves any more."""
        idle = 0
        while idle < IDLE_TURNS:
            moved = any([self.turn(name) for name in names])  # noqa: C419 - everybody has a turn
            idle = 0 if moved else idle + 1
            # Whoever stands at the log's end says so once a second.
            self.pass_time(1 if idle == IDLE_TURNS - 1 else 0)

    # Clients

    def submit(
        self, ask: Callable[[UnitOfWork], Resource | Publication]
    ) -> tuple[Publication, Placed] | Resource:
        """Ask, and publish what is to be published, without waiting for the verdict."""
        with self.database.transaction() as uow:
            asked = ask(uow)
        if not isinstance(asked, Publication):
            return asked
        return asked, self.publish([self.codec.encode(asked.message)])[0]

    def publish(self, records: Sequence[NewRecord]) -> list[Placed]:
        return [future.result(timeout=0) for future in self.bus.publish(records)]

    def decided(self, ask: Callable[[UnitOfWork], Resource | Publication]) -> Resource:
        """Ask, let the system settle, and return or raise what was decided."""
        submitted = self.submit(ask)
        if not isinstance(submitted, tuple):
            return submitted
        self.settle()
        verdict = self.verdict(*submitted)
        if isinstance(verdict, RuleBroken):
            raise verdict
        return verdict  # type: ignore[return-value]

    def verdict(self, publication: Publication, placed: Placed) -> Event | Bet | RuleBroken | None:
        with self.database.transaction() as uow:
            return verdicts(uow, [(publication, placed)]).get(publication.message.id)

    def creating(
        self, *, key_id: UUID | None = None, team_1: str = "Argentina"
    ) -> Callable[[UnitOfWork], Event | Publication]:
        event = Event(
            id=key_id or self.new_id(),
            type="football",
            team_1=team_1,
            team_2="France",
            event_date=datetime(2022, 12, 18, 15, tzinfo=UTC),
        )
        return lambda uow: create_event(
            uow, event, keyed=key_id is not None, message_id=self.new_id(), now=self.now()
        )

    def updating(
        self, event_id: UUID, patch: EventPatch, expected: Collection[int] | None = None
    ) -> Callable[[UnitOfWork], Event | Publication]:
        return lambda uow: update_event(
            uow,
            event_id,
            patch,
            expected_versions=expected,
            message_id=self.new_id(),
            now=self.now(),
        )

    def placing(
        self, event_id: UUID, market: Market, *, user_id: str = "ann", key: str | None = None
    ) -> Callable[[UnitOfWork], Bet | Publication]:
        bet_id = (
            self.new_id()
            if key is None
            else bet_id_of_key(user_id=user_id, event_id=event_id, key=key)
        )
        placement = Placement(
            id=bet_id, date_created=self.now(), user_id=user_id, event_id=event_id, market=market
        )
        return lambda uow: place_bet(
            uow, placement, keyed=key is not None, message_id=self.new_id(), now=self.now()
        )

    def create(self) -> Event:
        return self.decided(self.creating())

    def update(self, event_id: UUID, patch: EventPatch) -> Event:
        return self.decided(self.updating(event_id, patch))

    def place(
        self, event_id: UUID, market: Market, *, user_id: str = "ann", key: str | None = None
    ) -> Bet:
        return self.decided(self.placing(event_id, market, user_id=user_id, key=key))

    def hand_over(self, bet_id: UUID, user_id: str) -> Bet:
        return self.decided(
            lambda uow: update_bet(uow, bet_id, user_id, message_id=self.new_id(), now=self.now())
        )

    def delete_event(self, event_id: UUID) -> None:
        with self.database.transaction() as uow:
            delete_event(uow, event_id)
            uow.commit()

    def delete_bet(self, bet_id: UUID) -> None:
        with self.database.transaction() as uow:
            delete_bet(uow, bet_id)
            uow.commit()

    # What is there

    def states(self, event_id: UUID) -> dict[Market, set[BetState]]:
        """The states of the event's bets, by market."""
        with self.database.transaction() as uow:
            tally = uow.bets.tallies([event_id])[event_id]
        return {
            market: {state for (of, state), bets in tally.items() if of is market and bets}
            for market in Market
            if any(of is market for of, _ in tally)
        }

    def bet(self, bet_id: UUID) -> Bet:
        with self.database.transaction() as uow:
            return uow.bets.among([bet_id])[bet_id]

    def event(self, event_id: UUID) -> Event:
        with self.database.transaction() as uow:
            return uow.events.among([event_id])[event_id].event

    def slices(self, event_id: UUID, market: Market) -> list[BetState]:
        """The states that bets.state tells of the market, in order."""
        messages = [self.codec.decode(record) for record in self.bus.read(BETS_STATE)]
        return [
            message.state
            for message in messages
            if isinstance(message, BetsStateChanged)
            and (message.event_id, message.market) == (event_id, market)
        ]

    def tally(self, name: ConsumerName) -> Tally:
        """What became of all records that a consumer read."""
        total = Tally()
        with self.database.transaction() as uow:
            for position in uow.positions.all():
                if position.consumer is name:
                    total = total.plus(position.tally)
        return total
