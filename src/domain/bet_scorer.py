"""The Bet Scorer's decisions: which bets an accepted version of an event moves, told in slices."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from uuid import UUID

from domain.bets import BetColumns, Market
from domain.evaluator import evaluate
from domain.identity import slice_message_id
from domain.log import EVENTS_TAXONOMY
from domain.messages import (
    EVENT_KINDS,
    SLICE_SIZE,
    BetsStateChanged,
    Kinds,
    Message,
    slice_key,
)
from domain.ports import Database, UnitOfWork
from domain.records import BetRun, ConsumerName, EventVersion, MarketOfEvent
from domain.rulings import Fate, Lane, Request, Ruling

PAGE = 10 * SLICE_SIZE
"""Bets read in one query: what bounds the memory, whatever an event's size."""


class BetScorer:
    """Finds every accepted version and every bet that stands in the tables, because it never
    passes the Bet Writer. It compares versions with versions, never with the bets' stored states:
    those lag behind bets.state."""

    name: ConsumerName = ConsumerName.BET_SCORER
    behind: ConsumerName | None = ConsumerName.BET_WRITER
    kinds: Kinds = EVENT_KINDS
    publishes: bool = True
    lanes: Sequence[Lane] = (Lane(EVENTS_TAXONOMY, 5000, lazy=True),)

    def outputs(self, database: Database, requests: Sequence[Request]) -> Iterator[list[Message]]:
        """The new states of all bets that these requests move."""
        causes = causes_of(_accepted_versions(database, requests))
        markets = sorted(causes, key=lambda market: (market.event_id, market.market))
        cutter = SliceCutter(causes)
        last: BetRun | None = None
        while markets:
            with database.transaction() as uow:
                page = uow.bets.runs(markets, after=last, most=PAGE)
            more = sum(len(run.bets) for run in page) == PAGE
            yield list(cutter.cut(page, more=more))
            if not more:
                return
            last = page[-1]

    def decide(self, uow: UnitOfWork, requests: Sequence[Request]) -> list[Ruling]:
        """Nothing is written but the position; a request that made a version counts as applied."""
        positions = [request.record.position for request in requests]
        made = {version.position for version in uow.event_versions.made_by(positions)}
        return [Fate.APPLIED if place in made else Fate.UNCHANGED for place in positions]


def _accepted_versions(
    database: Database, requests: Sequence[Request]
) -> Mapping[UUID, list[EventVersion]]:
    """Of each event the versions that these requests made, led by the one before them. A request
    that made none was refused or changed nothing; one whose version is gone belongs to a deleted
    event."""
    if not requests:
        return {}
    with database.transaction() as uow:
        ranges: dict[UUID, tuple[int, int]] = {}
        for made in uow.event_versions.made_by([r.record.position for r in requests]):
            first, last = ranges.get(made.event_id, (made.version, made.version))
            ranges[made.event_id] = (min(first, made.version), max(last, made.version))
        if not ranges:
            return {}
        return uow.event_versions.between(
            {event_id: (first - 1, last) for event_id, (first, last) in ranges.items()}
        )


def causes_of(
    versions: Mapping[UUID, Sequence[EventVersion]],
) -> dict[MarketOfEvent, EventVersion]:
    """The markets whose outcome changed at *any* step, each with the last version.

    Not the net difference: after a crash half-way through an earlier step it can be empty while
    half of the bets were already told something else.
    """
    return {
        MarketOfEvent(event_id, market): steps[-1]
        for event_id, steps in versions.items()
        for market in Market
        if any(
            evaluate(market, before.state, before.score)
            is not evaluate(market, after.state, after.score)
            for before, after in pairwise(steps)
        )
    }


class SliceCutter:
    """Cuts the bets of each market, page by page, into numbered slices of SLICE_SIZE."""

    def __init__(self, causes: Mapping[MarketOfEvent, EventVersion]) -> None:
        self._causes = causes
        self._market: MarketOfEvent | None = None
        self._number = 0
        self._ids: tuple[str, ...] = ()
        self._user_ids: tuple[str, ...] = ()

    def cut(self, page: Sequence[BetRun], *, more: bool) -> Iterator[BetsStateChanged]:
        """The slices that are complete with this page: a market's last one may be shorter, once
        the next market begins or no `more` pages follow."""
        for market, bets in page:
            if market != self._market:
                yield from self._rest()
                self._market, self._number = market, 0
            self._ids += bets.ids
            self._user_ids += bets.user_ids
            while len(self._ids) >= SLICE_SIZE:
                yield self._slice(market)
        if not more:
            yield from self._rest()

    def _rest(self) -> Iterator[BetsStateChanged]:
        if self._market is not None and self._ids:
            yield self._slice(self._market)

    def _slice(self, market: MarketOfEvent) -> BetsStateChanged:
        bets = BetColumns(ids=self._ids[:SLICE_SIZE], user_ids=self._user_ids[:SLICE_SIZE])
        self._ids, self._user_ids = self._ids[SLICE_SIZE:], self._user_ids[SLICE_SIZE:]
        self._number += 1
        return slice_of(market, self._causes[market], self._number - 1, bets)


def slice_of(
    market: MarketOfEvent, cause: EventVersion, number: int, bets: BetColumns
) -> BetsStateChanged:
    """One slice. Id and time follow from the cause, so a repeat is equal to the first."""
    key = slice_key(market.event_id, market.market, number)
    return BetsStateChanged(
        id=slice_message_id(event_id=market.event_id, version=cause.version, key=key),
        time=cause.at,
        event_id=market.event_id,
        event_version=cause.version,
        market=market.market,
        state=evaluate(market.market, cause.state, cause.score),
        number=number,
        bets=bets,
        cause=cause.message_id,
    )
