"""What one can keep in sight: an event, a user's bets, the board, the standings, the work behind.

A view tells which changes touch it, and looks at the tables: what it then sees is whole, so that
who slept has only to look again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, assert_never
from uuid import UUID

from domain.bets import Bet
from domain.events import Event, EventState
from domain.history import BetChange, bet_history
from domain.log import PARTITIONS
from domain.ports import UnitOfWork
from domain.records import (
    READERS,
    BetTally,
    ConsumerName,
    Cursor,
    DeadLetter,
    EventVersion,
    Standing,
)

STORY_LENGTH = 200
"""Versions of an event that are seen; the oldest are left out."""

MOST_BETS = 50
MOST_EVENTS = 30
"""Of each state."""

MOST_STANDINGS = 50
MOST_LETTERS = 20


class EventInSight(NamedTuple):
    """An event as it now is, and all that it has been."""

    event: Event
    versions: Sequence[EventVersion]
    """In order."""
    tally: BetTally


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One event with its bets; None once it is deleted."""

    event_id: UUID

    def look(self, uow: UnitOfWork) -> EventInSight | None:
        stored = uow.events.among([self.event_id]).get(self.event_id)
        if stored is None:
            return None
        last = stored.event.version
        found = uow.event_versions.between({self.event_id: (last - STORY_LENGTH + 1, last)})
        tally = uow.bets.tallies([self.event_id])[self.event_id]
        return EventInSight(stored.event, found.get(self.event_id, []), tally)


class BetInSight(NamedTuple):
    """A bet with its event and its way."""

    bet: Bet
    event: Event
    changes: Sequence[BetChange]


@dataclass(frozen=True, slots=True, kw_only=True)
class BetsView:
    """A user's newest bets: on one event, or on all."""

    user_id: str
    event_id: UUID | None = None

    def look(self, uow: UnitOfWork) -> Sequence[BetInSight]:
        return bets_in_sight(uow, self.user_id, event_id=self.event_id)


def bets_in_sight(
    uow: UnitOfWork, user_id: str, *, event_id: UUID | None = None, after: Cursor | None = None
) -> Sequence[BetInSight]:
    """A user's newest bets, or those behind a place in the list of them, newest first."""
    bets = uow.bets.page(user_id=user_id, event_id=event_id, after=after, most=MOST_BETS)
    events = uow.events.among({bet.event_id for bet in bets})
    versions = uow.event_versions.between(
        {each: (1, stored.event.version) for each, stored in events.items()}
    )
    generations = uow.logs.generations()
    return [
        BetInSight(
            bet,
            events[bet.event_id].event,
            list(bet_history(bet, versions[bet.event_id], generations)),
        )
        for bet in bets
        if bet.event_id in events and bet.event_id in versions
    ]


class Board(NamedTuple):
    """The newest events of each state; those that are played with their bets."""

    events: Mapping[EventState, Sequence[Event]]
    tallies: Mapping[UUID, BetTally]
    latest: Mapping[UUID, Sequence[EventVersion]]
    """Of those that are played the last two versions: what happened last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """All that is on."""

    def look(self, uow: UnitOfWork) -> Board:
        events = {
            state: [stored.event for stored in uow.events.page(state=state, most=MOST_EVENTS)]
            for state in (EventState.ACTIVE, EventState.CREATED, EventState.FINISHED)
        }
        live = events[EventState.ACTIVE]
        last_two = {each.id: (each.version - 1, each.version) for each in live}
        return Board(events, uow.bets.tallies(last_two), uow.event_versions.between(last_two))


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingsView:
    """Who has won most."""

    event_id: UUID | None = None

    def look(self, uow: UnitOfWork) -> Sequence[Standing]:
        return uow.bets.standings(event_id=self.event_id, most=MOST_STANDINGS)


class Standpoint(NamedTuple):
    """How a consumer stands on a topic."""

    consumer: ConsumerName
    topic: str
    ago: timedelta | None
    """How long ago it stood at the end, of the partition where that is longest; None: never."""
    behind: int | None
    """Records that the consumer before it has done and it has not; None of the first."""


class Work(NamedTuple):
    """How far the consumers are, and what could not be read and was not put back."""

    standpoints: Sequence[Standpoint]
    letters: Sequence[DeadLetter]
    """The newest; one more than MOST_LETTERS when there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkView:
    """What goes on behind the events."""

    def look(self, uow: UnitOfWork) -> Work:
        return Work(list(_standpoints(uow)), uow.dead_letters.waiting(most=MOST_LETTERS + 1))


def _standpoints(uow: UnitOfWork) -> Iterator[Standpoint]:
    for topic, readers in READERS.items():
        reached = uow.positions.reached(topic)
        before: ConsumerName | None = None
        for consumer in readers:
            marks = uow.positions.caught_up_ago(consumer, topic)
            ago = max(marks.values()) if len(marks) == PARTITIONS else None
            behind = None
            if before is not None:
                behind = sum(
                    max(reached.get((before, each), 0) - reached.get((consumer, each), 0), 0)
                    for each in range(PARTITIONS)
                )
            yield Standpoint(consumer, topic, ago, behind)
            before = consumer


View = EventView | BetsView | BoardView | StandingsView | WorkView
"""Something to keep in sight. Equal views see the same."""


def touched(
    uow: UnitOfWork, seen: Mapping[View, Any], changed: Collection[UUID]
) -> Collection[View]:
    """Which of these views, given what each last saw, may see something else now that these events
    changed."""
    if not changed:
        return []
    holders: list[BetsView] = []
    found: set[View] = set()
    for view, sight in seen.items():
        match view:
            case EventView(event_id=event_id):
                is_touched = event_id in changed
            case BetsView():
                holders.append(view)
                # Also what is no longer the user's: it was withdrawn, or handed over.
                is_touched = any(each.event.id in changed for each in sight or ())
            case BoardView() | StandingsView():
                is_touched = True
            case WorkView():
                is_touched = False
            case _:
                assert_never(view)
        if is_touched:
            found.add(view)
    users = {view.user_id for view in holders}
    held = uow.bets.held_by(users, changed, most=MOST_BETS) if users else {}
    events = {user_id: {bet.event_id for bet in bets} for user_id, bets in held.items()}
    for view in holders:
        theirs = events.get(view.user_id, set())
        if view.event_id in theirs or (view.event_id is None and theirs):
            found.add(view)
    return found
