"""What clients ask for: quick checks against the tables, then a message for the story.

A creating or updating request ends in one of three ways: answered at once (a retry, or nothing to
change), refused by a raised error with nothing published, or a Publication, whose verdict is given
at its place in the log (see `verdicts`). Reading and deleting go straight to the tables.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from domain.bets import Bet, Placement
from domain.errors import (
    BetDeleted,
    BetNotFound,
    BetRefused,
    EventDeleted,
    EventHasBets,
    EventNotFound,
    EventNotOpen,
    IdempotencyKeyReused,
    Lagging,
    VersionMismatch,
)
from domain.events import Event, EventPatch, EventState, check_values, patch_event
from domain.identity import origin_of
from domain.log import EVENTS_TAXONOMY, PARTITIONS, LogPartition, partition_of
from domain.messages import BetPlaced, BetUpdated, EventCreated, EventUpdated
from domain.ports import EventLock, UnitOfWork
from domain.records import ConsumerName, EventVersion, RefusalReason
from domain.verdicts import Publication, refusal_error

FRESH_ENOUGH = timedelta(seconds=2)
"""How old the Event Writer's caught-up mark may be when a bet is withdrawn."""

LATELY = timedelta(seconds=10)
"""How old the Bet Writer's caught-up mark may be when an event is deleted. It is no question of
seconds, as a losing bet is: a bet that comes a moment too late is refused, and its client told."""


def create_event(
    uow: UnitOfWork, event: Event, *, keyed: bool, message_id: UUID, now: datetime
) -> Event | Publication:
    """Ask for a new event. With a key, the event that it made before is the answer."""
    if keyed:
        stored = uow.events.among([event.id]).get(event.id)
        if stored is not None:
            if stored.origin != origin_of(event):
                raise IdempotencyKeyReused("the key was used for another event")
            return stored.event
        if uow.deletions.among([event.id]):
            raise EventDeleted("the event of this key has been deleted")
    message = EventCreated(id=message_id, time=now, event=event)
    return Publication(
        message=message, judge=ConsumerName.EVENT_WRITER, event_version=event.version
    )


def update_event(
    uow: UnitOfWork,
    event_id: UUID,
    patch: EventPatch,
    *,
    expected_versions: Collection[int] | None,
    message_id: UUID,
    now: datetime,
) -> Event | Publication:
    """Ask for the event's next version, or answer with the event when nothing would change.

    `expected_versions` are those of If-Match; None when the client named none.
    """
    event = get_event(uow, event_id)
    if not patch.changes(event):
        return event
    check_values(event, patch)
    _check_version(event, expected_versions)
    after = patch_event(event, patch)
    return Publication(
        message=EventUpdated(id=message_id, time=now, event=after),
        judge=ConsumerName.EVENT_WRITER,
        event_version=after.version,
        conditional=expected_versions is not None,
    )


def _check_version(event: Event, expected: Collection[int] | None) -> None:
    if expected is not None and event.version not in expected:
        raise VersionMismatch(f"the event is at version {event.version}")


def place_bet(
    uow: UnitOfWork,
    placement: Placement,
    *,
    keyed: bool,
    owner: str | None = None,
    message_id: UUID,
    now: datetime,
) -> Bet | Publication:
    """Ask for a bet. With a key, an earlier verdict (accepted, deleted, refused) is the answer,
    before the event's state is looked at. For an `owner` only that user's bets are there, also
    where the key made one that was given to another since."""
    if keyed:
        standing = _earlier_verdict(uow, placement, owner)
        if standing is not None:
            return standing
    event = get_event(uow, placement.event_id)
    if event.state is not EventState.CREATED:
        if not keyed:
            raise EventNotOpen
        if _is_judged_until_kick_off(uow, event.id):
            # Looked for once more: it may have been decided since the first look.
            standing = _earlier_verdict(uow, placement, owner)
            if standing is None:
                raise EventNotOpen
            return standing
    message = BetPlaced(id=message_id, time=now, placement=placement)
    return Publication(message=message, judge=ConsumerName.BET_WRITER, event_version=event.version)


def _is_judged_until_kick_off(uow: UnitOfWork, event_id: UUID) -> bool:
    """Whether every bet before the event's kick-off is decided. If not, an earlier request with
    the same key may wait in the log, and only the log can answer: behind that one."""
    versions = uow.event_versions.until_kick_off([event_id]).get(event_id)
    if not versions:
        raise EventNotFound(f"there is no event {event_id}")
    kick_off = versions[-1].position
    source = LogPartition(EVENTS_TAXONOMY, kick_off.partition, kick_off.log_id)
    writer = uow.positions.read(ConsumerName.BET_WRITER, [source]).get(source)
    return writer is not None and writer.next_offset > kick_off.offset


def _earlier_verdict(uow: UnitOfWork, placement: Placement, owner: str | None) -> Bet | None:
    found = _fate_of(uow, placement.id)
    if found.standing is not None:
        if owner not in {None, found.standing.placement.user_id}:
            raise BetNotFound(f"there is no bet {placement.id}")
        if found.standing.placement.market is not placement.market:
            raise IdempotencyKeyReused("the key was used for a bet on another market")
        return found.standing
    if found.deleted:
        raise BetDeleted("the bet of this key has been deleted")
    if found.refused is not None:
        raise refusal_error(found.refused)
    return None


class _FateOfBet(NamedTuple):
    """What became of a bet's id; nothing yet where all of it is empty."""

    standing: Bet | None = None
    deleted: bool = False
    refused: RefusalReason | None = None


def _fate_of(uow: UnitOfWork, bet_id: UUID) -> _FateOfBet:
    """Ask statement by statement, each of which sees more than the one before. So a refusal counts
    only if the bet is not there after it either: the bet that stands is why others of its id were
    refused, and may have been added since the first look."""
    refusal = None
    found = _standing_or_deleted(uow, bet_id)
    if found is None:
        refusal = uow.refusals.of_subjects([bet_id]).get(bet_id)
    if refusal is not None:
        found = _standing_or_deleted(uow, bet_id) or _FateOfBet(refused=refusal.reason)
    return found or _FateOfBet()


def _standing_or_deleted(uow: UnitOfWork, bet_id: UUID) -> _FateOfBet | None:
    standing = uow.bets.among([bet_id]).get(bet_id)
    if standing is not None:
        return _FateOfBet(standing=standing)
    return _FateOfBet(deleted=True) if uow.deletions.among([bet_id]) else None


def update_bet(
    uow: UnitOfWork, bet_id: UUID, user_id: str, *, message_id: UUID, now: datetime
) -> Bet | Publication:
    """Ask for another user on a bet, while its event is created."""
    bet = get_bet(uow, bet_id)
    if bet.placement.user_id == user_id:
        return bet
    if get_event(uow, bet.event_id).state is not EventState.CREATED:
        raise EventNotOpen
    message = BetUpdated(id=message_id, time=now, placement=replace(bet.placement, user_id=user_id))
    return Publication(
        message=message, judge=ConsumerName.BET_WRITER, event_version=bet.event_version
    )


def get_event(uow: UnitOfWork, event_id: UUID) -> Event:
    stored = uow.events.among([event_id]).get(event_id)
    if stored is None:
        raise EventNotFound(f"there is no event {event_id}")
    return stored.event


def get_event_history(uow: UnitOfWork, event_id: UUID) -> Sequence[EventVersion]:
    """All its versions, in order. Raises EventNotFound."""
    versions = uow.event_versions.history(event_id)
    if not versions:
        raise EventNotFound(f"there is no event {event_id}")
    return versions


def get_bet(uow: UnitOfWork, bet_id: UUID, *, owner: str | None = None) -> Bet:
    """The bet, or BetRefused with the reason when its request was refused. For an `owner` only
    that user's bets are there."""
    found = _fate_of(uow, bet_id)
    if found.standing is not None and owner in (None, found.standing.placement.user_id):
        return found.standing
    if found.refused is not None:
        raise BetRefused(f"bet {bet_id} was refused: {found.refused}", found.refused)
    raise BetNotFound(f"there is no bet {bet_id}")


def delete_event(
    uow: UnitOfWork, event_id: UUID, *, expected_versions: Collection[int] | None = None
) -> None:
    """Delete an event that has no bets, for good. The caller commits.

    `expected_versions` are those of If-Match; None when the client named none.

    Bets that were accepted may wait in the log: the Bet Writer was away, or the database has been
    restored from a backup. So it must have stood at the end of the event's partition lately.
    """
    stored = uow.events.lock([event_id], EventLock.DELETE).get(event_id)
    if stored is None:
        raise EventNotFound(f"there is no event {event_id}")
    _check_version(stored.event, expected_versions)
    bets = uow.bets.count(event_id)
    if bets:
        raise EventHasBets(bets)
    partition = partition_of(str(event_id).encode(), PARTITIONS)
    ago = uow.positions.caught_up_ago(ConsumerName.BET_WRITER, EVENTS_TAXONOMY)
    if ago.get(partition, timedelta.max) > LATELY:
        raise Lagging("the Bet Writer is behind; an event can't be deleted just now")
    uow.events.remove(event_id)
    uow.deletions.add(event_id)
    uow.changes.tell([event_id])


def delete_bet(uow: UnitOfWork, bet_id: UUID, *, owner: str | None = None) -> None:
    """Withdraw a bet while its event is created, for good. The caller commits. For an `owner` only
    that user's bets are there.

    Deletes are ordered by the tables, not by the log. So that nobody withdraws a losing bet while
    a kick-off waits unread, the Event Writer must have stood at its partition's end just now.
    """
    event_id = get_bet(uow, bet_id, owner=owner).event_id
    stored = uow.events.lock([event_id], EventLock.DELETE).get(event_id)
    bet = get_bet(uow, bet_id, owner=owner)
    if stored is None or stored.event.state is not EventState.CREATED:
        raise EventNotOpen
    ago = uow.positions.caught_up_ago(ConsumerName.EVENT_WRITER, EVENTS_TAXONOMY)
    if ago.get(bet.position.partition, timedelta.max) > FRESH_ENOUGH:
        raise Lagging("the Event Writer is behind; a bet can't be withdrawn just now")
    uow.bets.remove(bet_id)
    uow.deletions.add(bet_id)
    uow.changes.tell([event_id])
