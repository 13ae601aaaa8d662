"""The tables, derived again from nothing but the story: what `touchline verify` compares with.

It shares the judges with the writers and nothing else: no batches, positions or locks.
"""

from collections.abc import Iterable
from uuid import UUID

from domain.bet_writer import Known, judge_placement, judge_update
from domain.bets import Bet
from domain.errors import MalformedRecord
from domain.event_writer import judge_event
from domain.log import Record
from domain.messages import BetPlaced, BetUpdated, EventCreated, EventUpdated
from domain.ports import Codec
from domain.records import EventVersion, RefusalReason, StoredEvent


class Fold:
    """What the records of one partition make, as if nothing had ever been deleted."""

    def __init__(self, codec: Codec) -> None:
        self.events: dict[UUID, StoredEvent] = {}
        self.bets: dict[UUID, Bet] = {}
        self._codec = codec
        self._versions: dict[UUID, EventVersion] = {}
        self._refused: dict[UUID, RefusalReason] = {}

    def take(self, records: Iterable[Record]) -> None:
        for record in records:
            try:
                message = self._codec.decode(record)
            except MalformedRecord:
                continue
            if isinstance(message, EventCreated | EventUpdated):
                self._take_event(record, message)
            elif isinstance(message, BetPlaced | BetUpdated):
                self._take_bet(record, message)

    def _take_event(self, record: Record, message: EventCreated | EventUpdated) -> None:
        event_id = message.event.id
        after = judge_event(message, self.events.get(event_id), deleted=False)
        if isinstance(after, StoredEvent):
            self.events[event_id] = after
            self._versions[event_id] = EventVersion(
                event_id=event_id,
                version=after.event.version,
                state=after.event.state,
                score=after.event.score,
                at=message.time,
                position=record.position,
                message_id=message.id,
            )

    def _take_bet(self, record: Record, message: BetPlaced | BetUpdated) -> None:
        placement = message.placement
        known = Known(
            standing=self.bets.get(placement.id),
            deleted=False,
            refused=self._refused.get(placement.id),
            event_deleted=False,
            at_place=self._versions.get(placement.event_id),
        )
        if isinstance(message, BetPlaced):
            after = judge_placement(placement, record.position, known)
        else:
            after = judge_update(placement, known)
        if isinstance(after, Bet):
            self.bets[placement.id] = after
        elif (
            isinstance(after, RefusalReason)
            and isinstance(message, BetPlaced)
            and known.standing is None
        ):
            self._refused.setdefault(placement.id, after)
