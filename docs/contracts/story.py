"""A short match as it lies in the topics: where the examples of messages come from.

Ids and times are made up and always the same. All else is said by the code that says it in
production: the domain makes the versions and the states, the codec spells them.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from adapters.cloudevents import CloudEventsCodec
from domain.bets import BetColumns, Market, Placement
from domain.evaluator import evaluate
from domain.events import Event, EventPatch, EventState, patch_event
from domain.identity import slice_message_id
from domain.messages import (
    MESSAGE_TYPES,
    BetPlaced,
    BetsStateChanged,
    BetUpdated,
    EventCreated,
    EventUpdated,
    Message,
    slice_key,
)
from domain.score import Score

PUBLISHED = datetime(2022, 12, 1, 9, tzinfo=UTC)
KICK_OFF = datetime(2022, 12, 18, 15, 0, 12, 250000, tzinfo=UTC)
GOAL = KICK_OFF + timedelta(minutes=22, seconds=41)
END = KICK_OFF + timedelta(minutes=143)


class Example(NamedTuple):
    """A record, and what it says."""

    name: str
    summary: str
    message: Message

    @property
    def type(self) -> str:
        return MESSAGE_TYPES[type(self.message)]

    @property
    def key(self) -> str:
        return (CloudEventsCodec().encode(self.message).key or b"").decode()

    def shown(self) -> dict[str, Any]:
        """As AsyncAPI shows an example of a message."""
        record = CloudEventsCodec().encode(self.message)
        return {
            "name": self.name,
            "summary": f"{self.summary} The record's key is `{self.key}`.",
            "headers": {name: value.decode() for name, value in record.headers},
            "payload": json.loads(record.value or b""),
        }


def story() -> list[Example]:
    """What the two topics hold of a match that ended 1-0."""
    return [*_taxonomy(), *_states()]


def _id(number: int, *, made_at: datetime = PUBLISHED) -> UUID:
    """A UUID of version 7."""
    milliseconds = int(made_at.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) + (7 << 76) + (2 << 62) + number)


MATCH = Event(
    id=_id(1),
    type="football",
    team_1="Argentina",
    team_2="France",
    event_date=datetime(2022, 12, 18, 15, tzinfo=UTC),
)
STARTED = patch_event(MATCH, EventPatch(state=EventState.ACTIVE))
LEADING = patch_event(STARTED, EventPatch(score=Score.parse("1-0")))
FINISHED = patch_event(LEADING, EventPatch(state=EventState.FINISHED))

ANN, BOB, CARLA = (
    Placement(
        id=_id(10 + number, made_at=PUBLISHED + timedelta(hours=number)),
        date_created=PUBLISHED + timedelta(hours=number),
        user_id=user,
        event_id=MATCH.id,
        market=market,
    )
    for number, (user, market) in enumerate(
        [("ann", Market.TEAM_1), ("bob", Market.DRAW), ("carla", Market.TEAM_1)], 1
    )
)
DAVID = replace(CARLA, user_id="david")


CAUSES = {
    event.version: _id(number, made_at=time)
    for number, time, event in (
        (106, KICK_OFF, STARTED),
        (107, GOAL, LEADING),
        (108, END, FINISHED),
    )
}
"""The ids of the messages that made the versions."""


def _taxonomy() -> Iterator[Example]:
    """What was asked for, in order."""
    told: list[tuple[str, str, datetime, Event | Placement]] = [
        ("created", "A match is announced.", PUBLISHED, MATCH),
        ("placed", "Ann bets on Argentina.", ANN.date_created, ANN),
        ("placedOnTheDraw", "Bob bets on the draw.", BOB.date_created, BOB),
        ("placedToo", "Carla bets on Argentina.", CARLA.date_created, CARLA),
        ("handedOver", "Carla's bet becomes David's.", KICK_OFF - timedelta(hours=1), DAVID),
        ("kickOff", "It begins.", KICK_OFF, STARTED),
        ("goal", "Argentina leads.", GOAL, LEADING),
        ("finalWhistle", "It is over.", END, FINISHED),
    ]
    for number, (name, summary, time, what) in enumerate(told, 101):
        message_id = _id(number, made_at=time)
        message: Message
        if isinstance(what, Event):
            kind = EventCreated if what is MATCH else EventUpdated
            message = kind(id=message_id, time=time, event=what)
        else:
            about = BetUpdated if what is DAVID else BetPlaced
            message = about(id=message_id, time=time, placement=what)
        yield Example(name, summary, message)


def _states() -> Iterator[Example]:
    """What follows for the bets."""
    for name, said, time, event in (
        ("kickOff", "At kick-off it is a draw: {}", KICK_OFF, STARTED),
        ("goal", "Argentina leads: {}", GOAL, LEADING),
        ("finalWhistle", "Argentina has won: {}", END, FINISHED),
    ):
        yield _slice(f"{name}Team1", said.format("bets on it move."), time, event, [ANN, DAVID])
        yield _slice(f"{name}Draw", said.format("bets on the draw move."), time, event, [BOB])


def _slice(name: str, summary: str, time: datetime, event: Event, bets: list[Placement]) -> Example:
    market = bets[0].market
    key = slice_key(event.id, market, 0)
    message = BetsStateChanged(
        id=slice_message_id(event_id=event.id, version=event.version, key=key),
        time=time,
        event_id=event.id,
        event_version=event.version,
        market=market,
        state=evaluate(market, event.state, event.score),
        number=0,
        bets=BetColumns.of((bet.id, bet.user_id) for bet in bets),
        cause=CAUSES[event.version],
    )
    return Example(name, summary, message)
