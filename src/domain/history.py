"""What the versions of an event tell about a moment of the past, and about a bet's way."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.bets import Bet, BetState
from domain.errors import BetNotFound
from domain.evaluator import evaluate
from domain.events import EventState
from domain.log import LogPosition
from domain.records import EventVersion
from domain.score import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class BetChange:
    """One change of a bet's state, with the version of the event that caused it."""

    event_version: int
    event_state: EventState
    score: Score
    state: BetState
    at: datetime


def precedes(earlier: LogPosition, later: LogPosition, generations: Mapping[UUID, int]) -> bool:
    """Whether one place in an event's story comes before another, also across logs."""
    if earlier.log_id == later.log_id:
        return earlier.offset < later.offset
    return generations[earlier.log_id] < generations[later.log_id]


def version_at(
    versions: Iterable[EventVersion], position: LogPosition, generations: Mapping[UUID, int]
) -> EventVersion | None:
    """The event's version at a place in its story (versions in order); None before its creation."""
    found = None
    for version in versions:
        if not precedes(version.position, position, generations):
            break
        found = version
    return found


def bet_history(
    bet: Bet, versions: Sequence[EventVersion], generations: Mapping[UUID, int]
) -> Iterator[BetChange]:
    """The bet's way, oldest first: from `none` at its place in the story, up to its own version."""
    placed = version_at(versions, bet.position, generations)
    if placed is None:
        # The event was deleted since the bet was read, and so was the bet.
        raise BetNotFound(f"there is no bet {bet.id}")
    state = BetState.NONE
    yield BetChange(
        event_version=placed.version,
        event_state=placed.state,
        score=placed.score,
        state=state,
        at=bet.placement.date_created,
    )
    for version in versions:
        after = evaluate(bet.placement.market, version.state, version.score)
        if placed.version < version.version <= bet.event_version and after is not state:
            state = after
            yield BetChange(
                event_version=version.version,
                event_state=version.state,
                score=version.score,
                state=state,
                at=version.at,
            )
