"""The requests of a plan, as calls of both APIs' use cases."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from domain import identity
from domain.bets import BetColumns, BetState, Placement
from domain.events import Event, EventPatch, EventState
from domain.history import bet_history
from domain.log import BETS_STATE, EVENTS_TAXONOMY, NewRecord
from domain.messages import BetPlaced, BetsStateChanged, BetUpdated, EventUpdated
from domain.ports import UnitOfWork
from domain.requests import (
    create_event,
    delete_bet,
    delete_event,
    get_bet,
    place_bet,
    update_bet,
    update_event,
)
from domain.score import Score
from tests.simulation.chronicle import Entry, Outcome
from tests.simulation.plan import Ask, Deed
from tests.simulation.processes import Server

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

NAMESPACE = UUID("6f1d1f0e-5f0c-5d36-a7a3-0f5b1a0f7c11")
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
Prepared = tuple[Entry, Server, Callable[[], None]]


class Requests:
    """Turns an Ask into something to be done on a server."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self._placed: list[tuple[UUID, UUID]] = []
        """(Bet, event) of everything that was asked for."""
        self._keyed: dict[tuple[UUID, int], UUID] = {}

    def event_id(self, number: int) -> UUID:
        return uuid5(NAMESPACE, f"{self._simulation.plan.seed}/{number}")

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self._simulation.scheduler.now)

    def prepare(self, ask: Ask) -> Prepared | None:
        """None when there is nothing yet that could be asked about."""
        event_id = self.event_id(ask.event)
        now = self._simulation.scheduler.now
        entry = Entry(ask.deed, Outcome.UNKNOWN, now, now, event=event_id)
        match ask.deed:
            case Deed.CREATE | Deed.KICK_OFF | Deed.GOAL | Deed.FINISH | Deed.RENAME:
                entry.wanted = _wanted(ask)
                return self._publishing(entry, self._simulation.events_api, self._of_event(ask))
            case Deed.PLACE:
                return self._place(entry, ask)
            case Deed.DELETE_EVENT:
                return self._deleting(entry, lambda uow: delete_event(uow, event_id))
            case Deed.GARBAGE | Deed.FORGE:
                return self._vandalism(entry, ask)
            case _:
                return self._about_a_bet(entry, ask)

    def _publishing(self, entry: Entry, server: Server, ask: Callable[..., Any]) -> Prepared:
        return entry, server, lambda: server.submit(entry, ask, publish=True)

    def _deleting(self, entry: Entry, delete: Callable[[UnitOfWork], Any]) -> Prepared:
        server = self._simulation.bets_api
        return entry, server, lambda: server.submit(entry, delete, publish=False)

    def _of_event(self, ask: Ask) -> Callable[[UnitOfWork], Any]:
        event_id, message_id, now = self.event_id(ask.event), self._simulation.new_id(), self.now()
        if ask.deed is Deed.CREATE:
            event = _event(event_id)
            return lambda uow: create_event(uow, event, keyed=True, message_id=message_id, now=now)
        patch = {
            Deed.KICK_OFF: EventPatch(state=EventState.ACTIVE),
            Deed.GOAL: EventPatch(score=Score.parse(ask.score)),
            Deed.FINISH: EventPatch(state=EventState.FINISHED, score=Score.parse(ask.score)),
            Deed.RENAME: EventPatch(team_1="Milan"),
        }[ask.deed]
        return lambda uow: update_event(
            uow, event_id, patch, expected_versions=None, message_id=message_id, now=now
        )

    def _place(self, entry: Entry, ask: Ask) -> Prepared:
        event_id, user = self.event_id(ask.event), f"user-{ask.key % 2}"
        bet_id = self._simulation.new_id()
        if ask.key:
            bet_id = identity.bet_id_of_key(user_id=user, event_id=event_id, key=str(ask.key))
        placement = Placement(
            id=bet_id, date_created=self.now(), user_id=user, event_id=event_id, market=ask.market
        )
        self._placed.append((bet_id, event_id))
        self._keyed[event_id, ask.key] = bet_id
        entry.bet, entry.market, entry.user = bet_id, ask.market.value, user
        message_id, now = self._simulation.new_id(), self.now()
        return self._publishing(
            entry,
            self._simulation.bets_api,
            lambda uow: place_bet(
                uow, placement, keyed=bool(ask.key), message_id=message_id, now=now
            ),
        )

    def _about_a_bet(self, entry: Entry, ask: Ask) -> Prepared | None:
        if not self._placed:
            return None
        entry.bet, entry.event = self._some_bet(ask)
        bet_id = entry.bet
        match ask.deed:
            case Deed.HAND_OVER:
                user = entry.user = f"heir-{ask.key}-{self._simulation.scheduler.steps}"
                message_id, now = self._simulation.new_id(), self.now()
                return self._publishing(
                    entry,
                    self._simulation.bets_api,
                    lambda uow: update_bet(uow, bet_id, user, message_id=message_id, now=now),
                )
            case Deed.WITHDRAW:
                return self._deleting(entry, lambda uow: delete_bet(uow, bet_id))
            case _:
                server = self._simulation.bets_api
                return entry, server, lambda: self._read(entry, server, bet_id)

    def _some_bet(self, ask: Ask) -> tuple[UUID, UUID]:
        """The one with the key that was placed last, or any."""
        random = self._simulation.scheduler.random
        event_id = self.event_id(ask.event)
        keyed = self._keyed.get((event_id, ask.key))
        if keyed is not None and random.random() < 0.7:
            return keyed, event_id
        return random.choice(self._placed)

    def _read(self, entry: Entry, server: Server, bet_id: UUID) -> None:
        """What `GET /bets/{id}` and its history would say has to fit."""
        with server.database.transaction() as uow:
            bet = get_bet(uow, bet_id)
            versions = uow.event_versions.history(bet.event_id)
            way = list(bet_history(bet, versions, uow.logs.generations()))
        if way[-1].state is not bet.state:
            raise AssertionError(f"bet {bet_id} is {bet.state}, and its history says {way}")
        entry.outcome, entry.answered_bet = Outcome.OK, bet

    def _vandalism(self, entry: Entry, ask: Ask) -> Prepared:
        record = self._garbage(ask) if ask.deed is Deed.GARBAGE else self._forgery(ask)
        server = self._simulation.bets_api

        def send() -> None:
            if ask.deed is Deed.GARBAGE and record.value is not None:
                self._simulation.garbage.add(record.value)
            (future,) = server.bus.publish([record])
            future.result()
            entry.outcome = Outcome.OK

        return entry, server, send

    def _garbage(self, ask: Ask) -> NewRecord:
        topic = (EVENTS_TAXONOMY, BETS_STATE)[ask.key % 2]
        event_id = self.event_id(ask.event)
        values = (b"\xff\x00garbage", b"{}", b'{"specversion":"1.0"', b"[1,2,3]", b"null")
        # A number behind it, for JSON a blank one: each piece of garbage is known by its bytes.
        value = values[ask.key % len(values)] + b" " * (1 + ask.key)
        return NewRecord(topic, str(event_id).encode(), value)

    def _forgery(self, ask: Ask) -> NewRecord:
        event_id = self.event_id(ask.event)
        kind, version = ask.key % 5, 1 + ask.key % 7
        bet_id = self._placed[ask.key % len(self._placed)][0] if self._placed else event_id
        placement = Placement(
            id=bet_id,
            date_created=self.now(),
            user_id="vandal",
            event_id=event_id,
            market=ask.market,
        )
        stamp: Any = {"id": self._simulation.new_id(), "time": self.now()}
        if kind == 0:
            active = replace(_event(event_id), state=EventState.ACTIVE, version=version)
            return self._encode(EventUpdated(**stamp, event=active))
        if kind == 1:
            over = replace(
                _event(event_id),
                state=EventState.FINISHED,
                score=Score.parse("0-9"),
                version=version,
            )
            return self._encode(EventUpdated(**stamp, event=over))
        if kind == 2:
            forged = uuid5(NAMESPACE, f"{event_id}/{ask.key % 2}")
            return self._encode(BetPlaced(**stamp, placement=replace(placement, id=forged)))
        if kind == 3:
            return self._encode(BetUpdated(**stamp, placement=placement))
        return self._encode(
            BetsStateChanged(
                **stamp,
                event_id=event_id,
                event_version=version,
                market=ask.market,
                state=BetState.WIN,
                number=0,
                bets=BetColumns.of([(bet_id, "vandal")]),
            )
        )

    def _encode(self, message: Any) -> NewRecord:
        return self._simulation.codec.encode(message)


def _wanted(ask: Ask) -> dict[str, object]:
    """What must be true of the event once it is done, in the oracle's words."""
    match ask.deed:
        case Deed.KICK_OFF:
            return {"state": "active"}
        case Deed.GOAL:
            return {"score": ask.score}
        case Deed.FINISH:
            return {"state": "finished", "score": ask.score}
        case Deed.RENAME:
            return {"team_1": "Milan"}
        case _:
            return {}


def _event(event_id: UUID) -> Event:
    return Event(
        id=event_id,
        type="football",
        team_1="Argentina",
        team_2="France",
        event_date=datetime(2022, 12, 18, 15, tzinfo=UTC),
    )
