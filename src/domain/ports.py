"""The outside as the domain sees it: a message bus, a database, a codec.

Each promise below is tested by the contract suites in tests/contracts, which every adapter passes.
All methods may raise Unavailable: nothing is known to have happened, a retry is safe.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

from domain.bets import Bet, BetState, Market
from domain.events import EventState
from domain.log import Bounds, LogPartition, LogPosition, NewRecord, Placed, Record
from domain.messages import Kinds, Message, Other
from domain.records import (
    BetGroup,
    BetKind,
    BetRun,
    BetTally,
    Book,
    ConsumerName,
    Correction,
    Cursor,
    DeadLetter,
    EventVersion,
    Faults,
    MarketOfEvent,
    PlacedBet,
    Position,
    Reach,
    Refusal,
    Standing,
    StateRange,
    StoredEvent,
)


class Codec(Protocol):
    """Messages to records and back."""

    def encode(self, message: Message) -> NewRecord: ...

    def decode(self, record: Record) -> Message:
        """Raise MalformedRecord, and nothing else, whatever the bytes are."""
        ...

    def sift(self, record: Record, kinds: Kinds) -> Message | Other:
        """As `decode`; but a message of another kind is only looked at, which costs less."""
        ...


class Poll(NamedTuple):
    """What one poll brought."""

    records: Sequence[Record]
    """In offset order within each partition."""
    assigned: frozenset[LogPartition]
    """Partitions that are (again) this member's and deliver nothing until they are sought: newly
    assigned, or reset because the log is not what it was when they were last read."""
    revoked: frozenset[LogPartition]
    """Partitions that are no longer this member's."""


class Subscription(Protocol):
    """One member of a consumer group. Not thread-safe. The position is the caller's to keep."""

    def poll(self, *, timeout: float, most: int) -> Poll:
        """Up to `most` records; wait up to `timeout` seconds for the first. Keeps the membership
        alive. Partitions are shared by the group's members; between a member's death and its
        noticing, two may hold one partition."""
        ...

    def seek(self, source: LogPartition, offset: int) -> None:
        """Deliver from `offset` on. Partitions that are no longer assigned are ignored."""
        ...

    def pause(self, sources: Collection[LogPartition]) -> None:
        """Deliver nothing from these until `resume`; the membership goes on."""
        ...

    def resume(self, sources: Collection[LogPartition]) -> None: ...

    def bounds(self, sources: Collection[LogPartition]) -> Mapping[LogPartition, Bounds]:
        """Ask the log itself, now. A partition whose log is no longer there is left out."""
        ...

    def commit(self, next_offsets: Mapping[LogPartition, int]) -> None:
        """Tell lag tools how far the group has come. Best effort: never raises Unavailable."""
        ...

    def close(self) -> None:
        """Leave the group, so that others take over at once. Idempotent."""
        ...


class MessageBus(Protocol):
    """A partitioned, durable log. Equal keys go to one partition and keep their order."""

    def publish(self, records: Sequence[NewRecord]) -> Sequence["Future[Placed]"]:
        """Return at once, one future per record in order: its place once it is durable, or
        BusUnavailable when it was given up (then it is never appended later by the bus itself,
        but may have been appended already)."""
        ...

    def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        """Join a group, or raise Misconfigured when a topic is missing or has another number of
        partitions than it must have."""
        ...

    def read(self, topic: str) -> Iterator[Record]:
        """Everything that the topic holds now, partition by partition, without a group."""
        ...

    def bounds(self, topic: str) -> Mapping[LogPartition, Bounds]:
        """What each of the topic's partitions holds now, without a group."""
        ...

    def is_up(self) -> bool:
        """Whether the log answers, and takes records as far as is known: asked now, with an answer
        within about a second. Where it is known why not, BusUnavailable or Misconfigured says so.
        """
        ...

    def close(self) -> None:
        """Give up what is not yet acknowledged and free everything. Idempotent."""
        ...


class EventLock(StrEnum):
    """How an event's row is held, weakest first."""

    REFERENCE = "reference"
    """It must not be deleted: for who adds bets to it."""
    CHANGE = "change"
    """Nobody else changes it."""
    DELETE = "delete"
    """Nobody else does anything with it."""


class Logs(Protocol):
    """Which incarnations of the topics were seen, in order."""

    def register(self, topic: str, log_id: UUID) -> None:
        """Remember the log as the topic's newest, also when it is known as an earlier one."""
        ...

    def incarnations(self, topic: str) -> Sequence[UUID]:
        """The topic's known logs, oldest first."""
        ...

    def generations(self) -> Mapping[UUID, int]:
        """Each known log and its place in the order: what lies in a lower one came before."""
        ...


class Positions(Protocol):
    """How far each consumer has come."""

    def lock(
        self, consumer: ConsumerName, sources: Collection[LogPartition]
    ) -> Mapping[LogPartition, Position]:
        """Hold these rows, in sorted order, until the transaction ends; missing ones start at 0."""
        ...

    def read(
        self, consumer: ConsumerName, sources: Collection[LogPartition]
    ) -> Mapping[LogPartition, Position]:
        """Without a lock; a missing one is left out."""
        ...

    def all(self) -> Sequence[Position]: ...

    def save(self, positions: Collection[Position]) -> None:
        """Store the positions and, on commit, wake who waits for them."""
        ...

    def mark_caught_up(
        self, consumer: ConsumerName, sources: Collection[LogPartition], *, ago: timedelta
    ) -> None:
        """`ago` before this transaction began, by the database's clock, the consumer stood at the
        end of these."""
        ...

    def caught_up_ago(self, consumer: ConsumerName, topic: str) -> Mapping[int, timedelta]:
        """In the topic's newest log, by partition: how long ago, by the database's clock, the
        consumer stood at the end. One where it never did is left out."""
        ...

    def reached(self, topic: str) -> Mapping[tuple[ConsumerName, int], int]:
        """In the topic's newest log: next offset by consumer and partition."""
        ...


class Events(Protocol):
    """Events as they are now."""

    def lock(self, ids: Collection[UUID], how: EventLock) -> Mapping[UUID, StoredEvent]:
        """Hold these rows, in id order, until the transaction ends; missing ones are left out."""
        ...

    def among(self, ids: Collection[UUID]) -> Mapping[UUID, StoredEvent]: ...

    def write(self, events: Collection[StoredEvent]) -> None:
        """Insert or replace, in id order."""
        ...

    def remove(self, event_id: UUID) -> None:
        """Delete the event and its versions."""
        ...

    def page(
        self,
        *,
        state: EventState | None = None,
        type: str | None = None,
        team: str | None = None,
        after: Cursor | None = None,
        most: int,
    ) -> Sequence[StoredEvent]:
        """Newest first by (created_at, id). `team` is compared folded, with either side."""
        ...


class EventVersions(Protocol):
    """Every accepted version of every event."""

    def add(self, versions: Collection[EventVersion]) -> None: ...

    def made_by(self, positions: Collection[LogPosition]) -> Sequence[EventVersion]:
        """The versions that the events.taxonomy records at these places made."""
        ...

    def between(self, ranges: Mapping[UUID, tuple[int, int]]) -> Mapping[UUID, list[EventVersion]]:
        """For each event the versions from the first number to the second, both included, in
        order, all in one snapshot. An event without any is left out."""
        ...

    def until_kick_off(self, event_ids: Collection[UUID]) -> Mapping[UUID, list[EventVersion]]:
        """The versions in `created` and the one that ended it, in order."""
        ...

    def history(self, event_id: UUID) -> Sequence[EventVersion]:
        """All versions in order."""
        ...

    def made_from(
        self, first: Reach, last: Reach, *, event_id: UUID | None, most: int
    ) -> Sequence[EventVersion]:
        """The versions, `most` at most, that records from `first` on and before `last` made, of one
        event or of all; partition by partition, in the order of their places. Both ends are of one
        log."""
        ...


class Bets(Protocol):
    """Bets that stand."""

    def among(self, ids: Collection[UUID]) -> Mapping[UUID, Bet]: ...

    def add(self, bets: Collection[Bet]) -> None:
        """Insert in id order; an id that is there already is left as it is."""
        ...

    def change_users(self, user_ids: Mapping[UUID, str]) -> None: ...

    def write_states(self, ranges: Collection[StateRange]) -> int:
        """Give the bets of each range its state and version where theirs is lower; ranges don't
        overlap. Returns how many bets changed."""
        ...

    def runs(
        self, markets: Sequence[MarketOfEvent], *, after: BetRun | None, most: int
    ) -> Sequence[BetRun]:
        """The next `most` bets of these markets, in the given order of the markets and by id
        within each; call again with the last run until fewer come. Markets without any are left
        out. Holds nothing open between calls."""
        ...

    def remove(self, bet_id: UUID) -> None: ...

    def count(self, event_id: UUID) -> int: ...

    def tallies(self, event_ids: Collection[UUID]) -> Mapping[UUID, BetTally]:
        """How many bets of each event stand how; an event without any has an empty one."""
        ...

    def held_by(
        self, user_ids: Collection[str], event_ids: Collection[UUID], *, most: int
    ) -> Mapping[str, list[Bet]]:
        """The newest `most` bets of each user on any of these events, newest first. Users without
        any are left out."""
        ...

    def standings(self, *, event_id: UUID | None, most: int) -> Sequence[Standing]:
        """The users with the most wins: of one event, or of all. The better one of two with equal
        wins has lost less; then they are in the order of their ids' code points."""
        ...

    def page(
        self,
        *,
        user_id: str | None = None,
        event_id: UUID | None = None,
        market: Market | None = None,
        state: BetState | None = None,
        after: Cursor | None = None,
        most: int,
    ) -> Sequence[Bet]:
        """Newest first by (date_created, id)."""
        ...


class Refusals(Protocol):
    """Requests that were refused at their place in the log."""

    def add(self, refusals: Collection[Refusal]) -> None:
        """A refusal that is there already is left as it is."""
        ...

    def of_subjects(self, subjects: Collection[UUID]) -> Mapping[UUID, Refusal]:
        """The first `bet.placed` refusal of each of these bets."""
        ...

    def of_messages(self, message_ids: Collection[UUID]) -> Mapping[UUID, Refusal]: ...


class Deletions(Protocol):
    """Ids of events and bets that were deleted and must not come back."""

    def among(self, ids: Collection[UUID]) -> frozenset[UUID]: ...

    def add(self, deleted_id: UUID) -> None: ...


class DeadLetters(Protocol):
    """Records that can't be read, kept whole."""

    def add(self, letters: Collection[DeadLetter]) -> None:
        """Unique by place: one that is there already is left as it is."""
        ...

    def page(self, *, after: int | None, most: int) -> Sequence[DeadLetter]:
        """Oldest first, by id."""
        ...

    def waiting(self, *, most: int) -> Sequence[DeadLetter]:
        """Those that were not put back, newest first."""
        ...

    def lock(self, letter_id: int) -> DeadLetter | None:
        """Hold this one until the transaction ends."""
        ...

    def mark_requeued(self, letter_id: int, at: datetime) -> None: ...


class Audit(Protocol):
    """Questions about all rows at once, for `touchline verify`: set-based, each answer of one
    snapshot."""

    def bets_by_state(self) -> Mapping[BetState, int]:
        """How many bets there are in each state; states without any are left out."""
        ...

    def groups(self, which: Callable[[BetKind], bool]) -> Sequence[tuple[BetGroup, BetKind]]:
        """The groups of bets of such a kind, in order. Those that are of such a kind all the while
        are among them. `which` asks nothing of this transaction."""
        ...

    def correct(self, corrections: Sequence[Correction], *, most: int) -> Sequence[int]:
        """Give bets that still are as `wrong` says the right state and version, `most` of them at
        most, locking them in order. Returns how many of each; fewer than `most` in all: no bet is
        wrong any more. The caller holds the events."""
        ...

    def bets_in(self, group: BetGroup, *, most: int) -> Sequence[UUID]:
        """Some of the bets of a group."""
        ...

    def late_bets(self, *, most: int) -> Faults:
        """Bets that stand although their place in the story is not before their event's kick-off,
        or before its creation, or although they were deleted, or refused for another reason than
        that they stand already."""
        ...

    def version_faults(self, *, most: int) -> Faults:
        """Events whose versions are not 1 to `version` without a gap, each later in the story than
        the one before it, whose last version has another state or score than the event, or that
        were deleted."""
        ...

    def books(self) -> Sequence[Book]:
        """What is kept of every partition that anything is kept of, in one snapshot, in order."""
        ...

    def placed_in(self, source: LogPartition, *, below: int) -> Iterator[PlacedBet]:
        """The bets that stand and were placed in this partition below this offset, in order of
        their places, as they were when the first one is asked for: in portions, so that memory
        stays flat. Others may be asked of the same transaction meanwhile."""
        ...

    def made_in(self, source: LogPartition, *, below: int) -> Iterator[EventVersion]:
        """The event versions that were made there, in the same way."""
        ...


MOST_TOLD = 200
"""Of more events than that, who watches is only told that any may have changed."""


class Changes(Protocol):
    """Who watches, by a Watcher, is told what to look at again."""

    def tell(self, event_ids: Collection[UUID]) -> None:
        """On commit: these events changed, or bets on them did."""
        ...


class UnitOfWork(Protocol):
    """One transaction, READ COMMITTED: a method sees what was committed before it began, and what
    this transaction wrote. All or nothing: leaving without `commit` changes nothing.

    Locks are taken in one order by everybody: positions, events; only then deletions, bets and
    versions are read.
    """

    logs: Logs
    positions: Positions
    events: Events
    event_versions: EventVersions
    bets: Bets
    refusals: Refusals
    deletions: Deletions
    dead_letters: DeadLetters
    audit: Audit
    changes: Changes

    def commit(self, *, lazily: bool = False) -> None:
        """Make it durable. After Unavailable the outcome is unknown. `lazily`: a moment later, so
        that a crash of the database may still take it back, and all that was committed lazily
        after it; what is committed otherwise makes everything before it durable, too."""
        ...


class Listener(Protocol):
    """Wakes who waits for positions in the story. Who has one waits again and again, if only for 0
    seconds: what nobody takes notice of piles up."""

    def wait(self, timeout: float) -> bool:
        """True when positions may have moved since the last call; False after `timeout` seconds."""
        ...

    def wake(self) -> None:
        """Let the current or the next `wait` return True at once; callable from any thread."""
        ...

    def close(self) -> None: ...


class Watcher(Protocol):
    """Hears which events changed. Who has one waits again and again, as with a Listener."""

    def wait(self, timeout: float) -> frozenset[UUID] | None:
        """The events that were told of since the last call, none after `timeout` seconds; None
        when any may have changed: too many were told of at once, or some not heard."""
        ...

    def wake(self) -> None:
        """Let the current or the next `wait` return at once; callable from any thread."""
        ...

    def close(self) -> None: ...


class Database(Protocol):
    """Where the story's state is kept."""

    def transaction(self) -> AbstractContextManager[UnitOfWork]: ...

    def check(self) -> None:
        """Raise Unavailable when it doesn't answer, and Misconfigured when its tables are not such
        as this version works on."""
        ...

    def listen(self, to: Iterable[ConsumerName] = ConsumerName) -> Listener:
        """Wake when one of these consumers moves; others may wake it, too."""
        ...

    def watch(self) -> Watcher:
        """Hear what is told from now on."""
        ...

    def close(self) -> None: ...
