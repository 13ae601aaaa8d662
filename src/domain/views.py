"""What one can keep in sight: an event, a user's bets, the board of events, the standings.

A view tells which changes touch it, and looks at the tables: what it then sees is whole, so that
who slept has only to look again.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from domain.bets import Bet
from domain.events import Event, EventState
from domain.history import BetChange, bet_history
from domain.ports import UnitOfWork
from domain.records import BetTally, EventVersion, Standing

LAST_VERSION = 2**31 - 1
MOST_VERSIONS = 200
"""Of one event; the oldest are left out."""

MOST_BETS = 50
MOST_EVENTS = 30
"""Of each state."""

MOST_STANDINGS = 50


class View(Protocol):
    """Something to keep in sight. Equal views see the same."""

    def look(self, uow: UnitOfWork) -> Any:
        """What there is to see now."""
        ...


class EventInSight(NamedTuple):
    """An event as it now is, and all that it has been."""

    event: Event
    versions: Sequence[EventVersion]
    """In order."""
    tally: BetTally


@dataclass(frozen=True, slots=True)
class EventView:
    """One event with its bets; None once it is deleted."""

    event_id: UUID

    def look(self, uow: UnitOfWork) -> EventInSight | None:
        stored = uow.events.among([self.event_id]).get(self.event_id)
        if stored is None:
            return None
        last = stored.event.version
        found = uow.event_versions.between({self.event_id: (last - MOST_VERSIONS + 1, last)})
        tally = uow.bets.tallies([self.event_id])[self.event_id]
        return EventInSight(stored.event, found.get(self.event_id, []), tally)


class BetInSight(NamedTuple):
    """A bet with its event and its way."""

    bet: Bet
    event: Event
    changes: Sequence[BetChange]


@dataclass(frozen=True, slots=True)
class BetsView:
    """A user's newest bets: on one event, or on all."""

    user_id: str
    event_id: UUID | None = None

    def look(self, uow: UnitOfWork) -> Sequence[BetInSight]:
        bets = uow.bets.page(user_id=self.user_id, event_id=self.event_id, most=MOST_BETS)
        ids = {bet.event_id for bet in bets}
        events = uow.events.among(ids)
        versions = uow.event_versions.between(dict.fromkeys(ids, (1, LAST_VERSION)))
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class StandingsView:
    """Who has won most."""

    event_id: UUID | None = None

    def look(self, uow: UnitOfWork) -> Sequence[Standing]:
        return uow.bets.standings(event_id=self.event_id, most=MOST_STANDINGS)


def touched(
    uow: UnitOfWork, seen: Mapping[View, Any], changed: Collection[UUID]
) -> Collection[View]:
    """Which of these views, given what each last saw, may see something else now that these events
    changed."""
    if not changed:
        return []
    holders: dict[str, set[View]] = defaultdict(set)
    found: set[View] = set()
    for view, sight in seen.items():
        match view:
            case EventView(event_id=event_id):
                is_touched = event_id in changed
            case BetsView(user_id=user_id, event_id=None):
                holders[user_id].add(view)
                # Also what is no longer the user's: it was withdrawn, or handed over.
                is_touched = any(each.event.id in changed for each in sight or ())
            case BetsView(event_id=event_id):
                is_touched = event_id in changed
            case _:
                is_touched = True
        if is_touched:
            found.add(view)
    for user_id in uow.bets.held_by(holders, changed, most=1):
        found |= holders[user_id]
    return found
