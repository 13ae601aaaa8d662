"""What is said on the two topics. How it is spelt in JSON is an adapter's business."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from uuid import UUID

from domain.bets import BetColumns, BetState, Market, Placement
from domain.events import Event

SLICE_SIZE = 1000
"""Most bets in one slice of bets.state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCreated:
    """A request to create the event; `event.version` is 1."""

    id: UUID
    time: datetime
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EventUpdated:
    """A request to make `event`, whole, the next version."""

    id: UUID
    time: datetime
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class BetPlaced:
    """A request to place a bet."""

    id: UUID
    time: datetime
    placement: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class BetUpdated:
    """A request to change a bet; only its user may differ from what stands."""

    id: UUID
    time: datetime
    placement: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class BetsStateChanged:
    """Slice `number` of an event's bets on one market, and the state that they now have.

    `bets` are 1 to SLICE_SIZE, in id order, and all of the event's bets on that market from the
    first id to the last: the set is frozen once the event has left `created`.

    `cause` is the id of the message that made the version, for who follows it through the logs. It
    is no part of what is said: it lies in a header, and may be missing.
    """

    id: UUID
    time: datetime
    event_id: UUID
    event_version: int
    market: Market
    state: BetState
    number: int
    bets: BetColumns
    cause: UUID | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        return slice_key(self.event_id, self.market, self.number)


EventMessage = EventCreated | EventUpdated
BetMessage = BetPlaced | BetUpdated
TaxonomyMessage = EventMessage | BetMessage
Message = TaxonomyMessage | BetsStateChanged
Kinds = frozenset[type[Message]]

EVENT_KINDS: Kinds = frozenset({EventCreated, EventUpdated})
BET_KINDS: Kinds = frozenset({BetPlaced, BetUpdated})


class Other(Enum):
    """Stands for a well-formed message of a kind that its reader has nothing to do with."""

    OTHER = "other"


def slice_key(event_id: UUID, market: Market, number: int) -> str:
    """The record key that keeps a slice's successive states on one partition, in order."""
    return f"{event_id}:{market}:{number}"


def event_of(message: TaxonomyMessage) -> UUID:
    """The event whose story the message belongs to."""
    match message:
        case EventCreated(event=event) | EventUpdated(event=event):
            return event.id
        case BetPlaced(placement=placement) | BetUpdated(placement=placement):
            return placement.event_id


def subject_of(message: Message) -> UUID:
    """What the message is about: an event's id, or a bet's."""
    match message:
        case EventCreated(event=event) | EventUpdated(event=event):
            return event.id
        case BetPlaced(placement=placement) | BetUpdated(placement=placement):
            return placement.id
        case BetsStateChanged(event_id=event_id):
            return event_id


MESSAGE_TYPES: dict[type[Message], str] = {
    EventCreated: "event.created",
    EventUpdated: "event.updated",
    BetPlaced: "bet.placed",
    BetUpdated: "bet.updated",
    BetsStateChanged: "bets.state_changed",
}
"""What each type of message is called in records."""
