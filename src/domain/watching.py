"""What an event's next step would do to its bets, and what each of its steps has done.

Nobody has to ask the bets for a flip. All bets on a market of an event share one state, which its
versions tell; so who knows how many bets a market has, knows how many flip.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from domain.bets import BetState, Market
from domain.evaluator import evaluate
from domain.events import Event, EventPatch, EventState, patch_event
from domain.ports import UnitOfWork
from domain.records import BetTally, EventVersion
from domain.requests import get_event
from domain.score import GOALLESS, Score


class Preview(NamedTuple):
    """What a change of an event would do."""

    event: Event
    """As it would be."""
    bets: int
    """How many bets stand on it."""
    flips: Mapping[BetState, int]
    """How many of them would get which new state."""


class Step(NamedTuple):
    """One version of an event, and the markets whose bets it moved."""

    version: EventVersion
    moved: Mapping[Market, BetState]


def preview(event: Event, patch: EventPatch, tally: BetTally) -> Preview:
    """What `patch` would do to the event and its bets. Raises what `patch_event` raises."""
    after = patch_event(event, patch)
    counts = by_market(tally)
    flips: Counter[BetState] = Counter()
    for market, state in _moved(event.state, event.score, after.state, after.score).items():
        flips[state] += counts[market]
    return Preview(after, counts.total(), +flips)


def preview_of(uow: UnitOfWork, event_id: UUID, patch: EventPatch) -> Preview:
    """The preview for the event and its bets as they now are. Raises EventNotFound, too."""
    event = get_event(uow, event_id)
    return preview(event, patch, uow.bets.tallies([event_id])[event_id])


def steps(versions: Sequence[EventVersion]) -> Iterator[Step]:
    """What each of an event's versions did, in order. The first given one counts as following what
    every event is at its creation."""
    state, score = EventState.CREATED, GOALLESS
    for version in versions:
        yield Step(version, _moved(state, score, version.state, version.score))
        state, score = version.state, version.score


def by_market(tally: BetTally) -> Counter[Market]:
    """How many bets each market has."""
    counts: Counter[Market] = Counter()
    for (market, _), count in tally.items():
        counts[market] += count
    return counts


def by_state(tally: BetTally) -> Counter[BetState]:
    """How many bets have each state."""
    counts: Counter[BetState] = Counter()
    for (_, state), count in tally.items():
        counts[state] += count
    return counts


def _moved(
    state: EventState, score: Score, new_state: EventState, new_score: Score
) -> dict[Market, BetState]:
    changes = {
        market: (evaluate(market, state, score), evaluate(market, new_state, new_score))
        for market in Market
    }
    return {market: after for market, (before, after) in changes.items() if before is not after}
