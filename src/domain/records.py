"""What is kept beside events and bets: versions, positions, refusals, dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Self
from uuid import UUID

from domain.bets import BetColumns, BetState, Market
from domain.events import Event, EventState
from domain.log import BETS_STATE, EVENTS_TAXONOMY, LogPartition, LogPosition, Record
from domain.score import Score


class ConsumerName(StrEnum):
    """The three consumers; the name is the group id too."""

    EVENT_WRITER = "event-writer"
    BET_WRITER = "bet-writer"
    BET_SCORER = "bet-scorer"


READERS: Mapping[str, tuple[ConsumerName, ...]] = MappingProxyType(
    {
        EVENTS_TAXONOMY: (
            ConsumerName.EVENT_WRITER,
            ConsumerName.BET_WRITER,
            ConsumerName.BET_SCORER,
        ),
        BETS_STATE: (ConsumerName.BET_WRITER,),
    }
)
"""Who reads each topic; of events.taxonomy each waits for the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event as it is now, with what was true at its creation."""

    event: Event
    created_at: datetime
    origin: bytes
    """`identity.origin_of` its first version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventVersion:
    """One accepted version of an event, and the record that made it."""

    event_id: UUID
    version: int
    state: EventState
    score: Score
    at: datetime
    position: LogPosition
    message_id: UUID


class Tally(NamedTuple):
    """What became of the records that a consumer read from one partition.

    read = applied + unchanged + duplicate + refused + dead_lettered, always.
    """

    read: int = 0
    applied: int = 0
    unchanged: int = 0
    duplicate: int = 0
    refused: int = 0
    dead_lettered: int = 0

    def plus(self, other: Self) -> "Tally":
        return Tally(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


NOTHING_READ = Tally()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a consumer has come in one partition of one log."""

    consumer: ConsumerName
    source: LogPartition
    next_offset: int = 0
    last_record_digest: bytes | None = None
    """Digest of the record at `next_offset` - 1; None at 0."""
    tally: Tally = NOTHING_READ


class RefusalReason(StrEnum):
    """Why a well-formed request was refused at its place in the log."""

    EVENT_NOT_FOUND = "event-not-found"
    EVENT_DELETED = "event-deleted"
    EVENT_NOT_OPEN = "event-not-open"
    EVENT_CONFLICT = "event-conflict"
    NOT_A_NEW_EVENT = "not-a-new-event"
    ILLEGAL_TRANSITION = "illegal-transition"
    FIELD_FROZEN = "field-frozen"
    SCORE_NOT_ALLOWED = "score-not-allowed"
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused"
    BET_NOT_FOUND = "bet-not-found"
    BET_DELETED = "bet-deleted"
    STATE_NOT_OF_VERSION = "state-not-of-version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that was judged and refused; `subject` is an event's id or a bet's."""

    source: LogPartition
    offset: int
    message_id: UUID
    type: str
    subject: UUID
    reason: RefusalReason


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that can't be read, whole. `id` is None until it is stored."""

    record: Record
    reason: str
    id: int | None = None
    seen_at: datetime | None = None
    requeued_at: datetime | None = None


class MarketOfEvent(NamedTuple):
    """All bets on one market of one event: they always share one state."""

    event_id: UUID
    market: Market


class BetRun(NamedTuple):
    """Bets of one market that follow each other, in the order in which slices are cut."""

    market: MarketOfEvent
    bets: BetColumns


class PlacedBet(NamedTuple):
    """A bet as it stands, without its state, and where in its partition it was placed."""

    offset: int
    id: UUID
    event_id: UUID
    market: Market
    user_id: str
    date_created: datetime


class Faults(NamedTuple):
    """How many rows are not as they must be, and the ids of some."""

    total: int
    examples: Sequence[UUID]


class Book(NamedTuple):
    """What the tables hold of one partition's records, and what the consumers say that they read,
    all in one snapshot. A last offset is -1 where there is none."""

    source: LogPartition
    refusals: int
    refused: int
    """How many refusals all consumers counted."""
    dead_letters: int
    dead_lettered: int
    """How many dead letters the consumer counted that counted most."""
    last_version: int
    versions_until: int
    """The Event Writer's position: no version was made at it or above."""
    last_bet: int
    bets_until: int
    """The Bet Writer's position: no bet was placed at it or above."""
    last_verdict: int
    """Of a refusal or dead letter."""
    verdicts_until: int
    """The highest position of all."""


class StateRange(NamedTuple):
    """A new state for the bets of one market from `first` to `last`, ids in order."""

    event_id: UUID
    market: Market
    first: UUID
    last: UUID
    state: BetState
    event_version: int


class BetGroup(NamedTuple):
    """How many bets of one event and market have one state from one version."""

    event_id: UUID
    market: Market
    state: BetState
    event_version: int
    bets: int


class Cause(NamedTuple):
    """What a bet's state follows from, beside its market."""

    state: EventState
    score: Score


class BetKind(NamedTuple):
    """Bets that are alike in everything that tells whether their state is right."""

    market: Market
    state: BetState
    own: Cause | None
    """The event at the version that the bets name; None if it has none of that number."""
    now: Cause
    """The event as it is now."""
    is_ahead: bool
    """Whether the bets name a version above the event's."""


class Correction(NamedTuple):
    """A group of bets whose state is not what it must be, and what it must be by now."""

    wrong: BetGroup
    state: BetState
    event_version: int


class Cursor(NamedTuple):
    """The last item of a page: the next page begins after it."""

    created_at: datetime
    id: UUID


class Reach(NamedTuple):
    """How far the Event Writer has come in the story: in each partition of one log, the offset
    before which every record has been judged."""

    log_id: UUID
    next_offsets: tuple[int, ...]


BetTally = Mapping[tuple[Market, BetState], int]
"""How many bets stand how; combinations without any are left out."""


class Standing(NamedTuple):
    """How a user's bets have gone."""

    rank: int
    """1 is the best; equal for users who won and lost as often."""
    user_id: str
    wins: int
    losses: int
    open: int
    """Bets that are not decided yet."""
    winning: int
    """Of these, how many would win now."""
