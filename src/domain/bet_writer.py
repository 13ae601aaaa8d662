"""The Bet Writer's decisions: which placed bets stand, who holds them, and their new states."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from domain.bets import Bet, Placement
from domain.evaluator import evaluate
from domain.events import EventState
from domain.history import version_at
from domain.log import BETS_STATE, EVENTS_TAXONOMY, LogPosition
from domain.messages import (
    BET_KINDS,
    SLICE_SIZE,
    BetMessage,
    BetPlaced,
    BetsStateChanged,
    BetUpdated,
    Kinds,
    Message,
)
from domain.ports import Database, EventLock, UnitOfWork
from domain.records import (
    ConsumerName,
    EventVersion,
    MarketOfEvent,
    RefusalReason,
    StateRange,
)
from domain.rulings import Fate, Lane, Request, Ruling


class BetWriter:
    """Knows the event's state at each bet's place in the log, because it never passes the Event
    Writer. Few full slices, or many small ones, in one transaction: a goal on a million bets must
    not hold up placements."""

    name: ConsumerName = ConsumerName.BET_WRITER
    behind: ConsumerName | None = ConsumerName.EVENT_WRITER
    kinds: Kinds = BET_KINDS | {BetsStateChanged}
    publishes: bool = False
    lanes: Sequence[Lane] = (
        Lane(EVENTS_TAXONOMY, 5000),
        Lane(BETS_STATE, 20 * SLICE_SIZE, lazy=True),
    )

    def outputs(self, database: Database, requests: Sequence[Request]) -> Iterator[list[Message]]:
        """Nothing: what it writes is all that it has to say."""
        return iter(())

    def decide(self, uow: UnitOfWork, requests: Sequence[Request]) -> list[Ruling]:
        messages = [request.message for request in requests]
        bets = _BetsInBatch(uow, [m for m in messages if isinstance(m, BetMessage)])
        slices = _SlicesInBatch(uow, [m for m in messages if isinstance(m, BetsStateChanged)])
        rulings: list[Ruling] = []
        for record, message in requests:
            match message:
                case BetPlaced():
                    rulings.append(bets.place(message.placement, record.position))
                case BetUpdated():
                    rulings.append(bets.update(message.placement, record.position))
                case BetsStateChanged():
                    rulings.append(slices.accept(message))
                case _:
                    rulings.append(Fate.UNCHANGED)
        uow.changes.tell(bets.write() | slices.write())
        return rulings


class Known(NamedTuple):
    """What was known of a bet, and of its event, when its request was judged."""

    standing: Bet | None
    deleted: bool
    refused: RefusalReason | None
    event_deleted: bool
    at_place: EventVersion | None
    """The event's version at the request's place in the log; None before the event's creation."""


def judge_placement(placement: Placement, position: LogPosition, known: Known) -> Bet | Ruling:
    """The bet that stands from here on, or the ruling. An earlier verdict on the same id comes
    before the event's state, so that a retry after kick-off is answered as the first was."""
    if known.standing is not None:
        return (
            Fate.UNCHANGED
            if _same_wager(known.standing.placement, placement)
            else RefusalReason.IDEMPOTENCY_KEY_REUSED
        )
    if known.deleted:
        return RefusalReason.BET_DELETED
    if known.refused is not None:
        return known.refused
    if known.event_deleted:
        return RefusalReason.EVENT_DELETED
    if known.at_place is None:
        return RefusalReason.EVENT_NOT_FOUND
    if known.at_place.state is not EventState.CREATED:
        return RefusalReason.EVENT_NOT_OPEN
    return Bet(placement=placement, position=position, event_version=known.at_place.version)


def judge_update(placement: Placement, known: Known) -> Bet | Ruling:
    """The bet with its new user, or the ruling."""
    standing = known.standing
    if standing is None:
        if known.deleted:
            return RefusalReason.BET_DELETED
        return known.refused or RefusalReason.BET_NOT_FOUND
    handed_over = replace(standing.placement, user_id=placement.user_id)
    if handed_over != placement:
        return RefusalReason.FIELD_FROZEN
    if handed_over == standing.placement:
        return Fate.UNCHANGED
    if known.at_place is None or known.at_place.state is not EventState.CREATED:
        return RefusalReason.EVENT_NOT_OPEN
    return replace(standing, placement=handed_over)


def _same_wager(one: Placement, other: Placement) -> bool:
    return one.event_id == other.event_id and one.market is other.market


class _BetsInBatch:
    """The bets that a batch is about, as they become while it is judged."""

    def __init__(self, uow: UnitOfWork, messages: Sequence[BetMessage]) -> None:
        self._uow = uow
        self._added: dict[UUID, Bet] = {}
        self._new_users: dict[UUID, str] = {}
        if not messages:
            return
        ids = {message.placement.id for message in messages}
        events = {message.placement.event_id for message in messages}
        standing_events = uow.events.lock(events, EventLock.REFERENCE).keys()
        self._deleted = uow.deletions.among(ids | (events - standing_events))
        self._standing = dict(uow.bets.among(ids))
        self._refused = {
            bet_id: refusal.reason
            for bet_id, refusal in uow.refusals.of_subjects(ids - self._standing.keys()).items()
        }
        self._versions = uow.event_versions.until_kick_off(standing_events)
        self._generations = uow.logs.generations()

    def place(self, placement: Placement, position: LogPosition) -> Ruling:
        bet = judge_placement(placement, position, self._known(placement, position))
        if isinstance(bet, RefusalReason):
            # Refused once, refused for good: also for a retry in this very batch.
            if placement.id not in self._standing:
                self._refused.setdefault(placement.id, bet)
            return bet
        if not isinstance(bet, Bet):
            return bet
        self._standing[bet.id] = self._added[bet.id] = bet
        return Fate.APPLIED

    def update(self, placement: Placement, position: LogPosition) -> Ruling:
        bet = judge_update(placement, self._known(placement, position))
        if not isinstance(bet, Bet):
            return bet
        self._standing[bet.id] = bet
        if bet.id in self._added:
            self._added[bet.id] = bet
        else:
            self._new_users[bet.id] = bet.placement.user_id
        return Fate.APPLIED

    def write(self) -> set[UUID]:
        """Write what has become of them; return their events."""
        if self._added:
            self._uow.bets.add(self._added.values())
        if self._new_users:
            self._uow.bets.change_users(self._new_users)
        return {self._standing[each].event_id for each in self._added.keys() | self._new_users}

    def _known(self, placement: Placement, position: LogPosition) -> Known:
        versions = self._versions.get(placement.event_id, ())
        return Known(
            standing=self._standing.get(placement.id),
            deleted=placement.id in self._deleted,
            refused=self._refused.get(placement.id),
            event_deleted=placement.event_id in self._deleted,
            at_place=version_at(versions, position, self._generations),
        )


class _SlicesInBatch:
    """The slices of a batch, and the ranges of bets that they give a new state."""

    def __init__(self, uow: UnitOfWork, slices: Sequence[BetsStateChanged]) -> None:
        self._uow = uow
        self._ranges: list[StateRange] = []
        wanted: dict[UUID, tuple[int, int]] = {}
        for piece in slices:
            first, last = wanted.get(piece.event_id, (piece.event_version, piece.event_version))
            version = piece.event_version
            wanted[piece.event_id] = (min(first, version), max(last, version))
        versions = uow.event_versions.between(wanted) if wanted else {}
        self._versions = {(v.event_id, v.version): v for vs in versions.values() for v in vs}

    def accept(self, piece: BetsStateChanged) -> Ruling:
        """Take a slice that says what its event's version makes of its market; refuse another."""
        version = self._versions.get((piece.event_id, piece.event_version))
        if version is None or piece.state is not evaluate(
            piece.market, version.state, version.score
        ):
            return RefusalReason.STATE_NOT_OF_VERSION
        self._ranges.append(
            StateRange(
                event_id=piece.event_id,
                market=piece.market,
                first=piece.bets.first,
                last=piece.bets.last,
                state=piece.state,
                event_version=piece.event_version,
            )
        )
        return Fate.APPLIED

    def write(self) -> set[UUID]:
        """Write the ranges; return their events."""
        for ranges in without_overlap(self._ranges):
            self._uow.bets.write_states(ranges)
        return {each.event_id for each in self._ranges}


def without_overlap(ranges: Iterable[StateRange]) -> Iterator[list[StateRange]]:
    """The ranges in rounds to be written one after the other: within a round each market has one
    version only, and a range that a newer version repeats is left out. Nearly always one round."""
    newest: dict[tuple[MarketOfEvent, UUID, UUID], StateRange] = {}
    for each in ranges:
        key = (MarketOfEvent(each.event_id, each.market), each.first, each.last)
        if key not in newest or newest[key].event_version < each.event_version:
            newest[key] = each
    versions: dict[MarketOfEvent, set[int]] = defaultdict(set)
    for (market, _, _), each in newest.items():
        versions[market].add(each.event_version)
    rounds: dict[int, list[StateRange]] = defaultdict(list)
    for (market, _, _), each in sorted(newest.items()):
        rounds[sorted(versions[market]).index(each.event_version)].append(each)
    for number in sorted(rounds):
        yield rounds[number]
