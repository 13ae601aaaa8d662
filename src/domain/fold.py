"""The story, judged again record by record: what `touchline verify` compares the tables with.

It shares the judges with the writers and nothing else: no batches, positions or locks. It keeps
events, and no bets: so its memory doesn't grow with them.
"""

from typing import NamedTuple
from uuid import UUID

from domain.bet_writer import Known, judge_placement
from domain.bets import Bet, Placement
from domain.errors import MalformedRecord
from domain.event_writer import judge_event
from domain.events import EventState
from domain.log import LogPosition, Record
from domain.messages import BetPlaced, BetUpdated, EventCreated, EventUpdated
from domain.ports import Codec
from domain.records import EventVersion, StoredEvent


class HandOver(NamedTuple):
    """A request to give a bet to another user, at a place where its event is open."""

    placement: Placement
    position: LogPosition
    at_place: EventVersion


Made = EventVersion | Bet | HandOver | None
"""What a record makes: a version; a bet, if its id was not heard of before; a new user, if the bet
stands. None: nothing, whatever was before."""


class Fold:
    """What the records of a log make, as if nothing had ever been deleted."""

    def __init__(self, codec: Codec) -> None:
        self.events: dict[UUID, StoredEvent] = {}
        """The events so far, as they are by now."""
        self._codec = codec
        self._versions: dict[UUID, EventVersion] = {}

    def judge(self, record: Record) -> Made:
        """Judge the next record of its partition."""
        try:
            message = self._codec.decode(record)
        except MalformedRecord:
            return None
        match message:
            case EventCreated() | EventUpdated():
                return self._event(record, message)
            case BetPlaced():
                return self._placement(record, message.placement)
            case BetUpdated():
                return self._hand_over(record, message.placement)
            case _:
                return None

    def forget(self, event_id: UUID) -> None:
        """Take the event for one that was never told."""
        del self.events[event_id], self._versions[event_id]

    def _event(self, record: Record, message: EventCreated | EventUpdated) -> EventVersion | None:
        event_id = message.event.id
        after = judge_event(message, self.events.get(event_id), deleted=False)
        if not isinstance(after, StoredEvent):
            return None
        self.events[event_id] = after
        self._versions[event_id] = made = EventVersion(
            event_id=event_id,
            version=after.event.version,
            state=after.event.state,
            score=after.event.score,
            at=message.time,
            position=record.position,
            message_id=message.id,
        )
        return made

    def _placement(self, record: Record, placement: Placement) -> Bet | None:
        known = Known(
            standing=None,
            deleted=False,
            refused=None,
            event_deleted=False,
            at_place=self._versions.get(placement.event_id),
        )
        after = judge_placement(placement, record.position, known)
        return after if isinstance(after, Bet) else None

    def _hand_over(self, record: Record, placement: Placement) -> HandOver | None:
        at_place = self._versions.get(placement.event_id)
        if at_place is None or at_place.state is not EventState.CREATED:
            return None
        return HandOver(placement, record.position, at_place)
