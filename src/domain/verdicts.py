"""What was decided on published requests, looked up for many of them at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from domain.bets import Bet, BetState
from domain.errors import (
    BetDeleted,
    BetNotFound,
    EventConflict,
    EventDeleted,
    EventNotFound,
    EventNotOpen,
    FieldFrozen,
    IdempotencyKeyReused,
    RuleBroken,
    VersionMismatch,
)
from domain.events import Event, EventState
from domain.history import version_at
from domain.identity import origin_of
from domain.log import Placed
from domain.messages import BetPlaced, BetUpdated, EventCreated, EventUpdated, TaxonomyMessage
from domain.ports import UnitOfWork
from domain.records import ConsumerName, RefusalReason

Verdict = Event | Bet | RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A request on its way into the log, and who judges it there."""

    message: TaxonomyMessage
    judge: ConsumerName
    event_version: int
    """The event's version as far as the quick checks knew; of an event, the version asked for."""
    conditional: bool = False
    """Whether the client named the version that it expects (If-Match)."""


def refusal_error(reason: RefusalReason, publication: Publication | None = None) -> RuleBroken:
    """The error that answers a refused request, now or on a retry."""
    match reason:
        case RefusalReason.EVENT_DELETED if publication is not None and isinstance(
            publication.message, EventCreated
        ):
            return EventDeleted("the event of this key has been deleted")
        case (
            RefusalReason.EVENT_NOT_FOUND
            | RefusalReason.EVENT_DELETED
            | RefusalReason.NOT_A_NEW_EVENT
        ):
            return EventNotFound("the event is not there")
        case RefusalReason.EVENT_NOT_OPEN:
            return EventNotOpen()
        case RefusalReason.IDEMPOTENCY_KEY_REUSED:
            return IdempotencyKeyReused("the key was used for a request with other content")
        case RefusalReason.BET_NOT_FOUND:
            return BetNotFound("the bet is not there")
        case RefusalReason.BET_DELETED:
            return BetDeleted("the bet has been deleted")
        case RefusalReason.FIELD_FROZEN if publication is None or not isinstance(
            publication.message, EventUpdated
        ):
            return FieldFrozen("market")
        case _:
            if publication is not None and publication.conditional:
                return VersionMismatch("a concurrent update came first: read the event again")
            return EventConflict("a concurrent update came first: read the event again and decide")


def verdicts(
    uow: UnitOfWork, published: Sequence[tuple[Publication, Placed]]
) -> Mapping[UUID, Verdict]:
    """By message id what became of these requests, once their judge's position has passed them.
    One that left no trace is left out: it was a dead letter; or it lies in another log than the
    one that the position is of, and its place says nothing of whether it was judged.

    What was applied is never answered as refused: a record may lie in the log twice, and the second
    one meet what came in between.

    What changed nothing is answered with the event as it is now or, if it has moved on since, at
    the version that was as asked for. But versions don't keep what may change only while it is
    `created`: an update of that, which changed nothing, is left out once the event has moved on."""
    refusals = uow.refusals.of_messages([p.message.id for p, _ in published])
    messages = [p.message for p, _ in published]
    events = [m for m in messages if isinstance(m, EventCreated | EventUpdated)]
    found: dict[UUID, Verdict] = {**_applied(uow, events)}
    found |= {
        p.message.id: refusal_error(refusals[p.message.id].reason, p)
        for p, _ in published
        if p.message.id in refusals and p.message.id not in found
    }
    found |= _unchanged(uow, [message for message in events if message.id not in found])
    rest = [(p, placed) for p, placed in published if p.message.id not in found]
    found |= _bet_verdicts(
        uow,
        [
            (message, placed)
            for p, placed in rest
            for message in [p.message]
            if isinstance(message, BetPlaced | BetUpdated)
        ],
    )
    return found


def _applied(
    uow: UnitOfWork, messages: Sequence[EventCreated | EventUpdated]
) -> Mapping[UUID, Event]:
    """Each event as its message made it."""
    if not messages:
        return {}
    ranges: dict[UUID, tuple[int, int]] = {}
    for message in messages:
        version = message.event.version
        first, last = ranges.get(message.event.id, (version, version))
        ranges[message.event.id] = (min(first, version), max(last, version))
    applied = {v.message_id for vs in uow.event_versions.between(ranges).values() for v in vs}
    return {m.id: m.event for m in messages if m.id in applied}


def _unchanged(
    uow: UnitOfWork, messages: Sequence[EventCreated | EventUpdated]
) -> Mapping[UUID, Event]:
    """The events that were so before: as they are now, or were then if they have moved on."""
    stored = uow.events.among({message.event.id for message in messages}) if messages else {}
    found: dict[UUID, Event] = {}
    moved_on: list[tuple[Event, EventUpdated]] = []
    for message in messages:
        now = stored.get(message.event.id)
        if now is None:
            continue
        if isinstance(message, EventCreated):
            same = now.origin == origin_of(message.event)
        else:
            same = now.event.same_content(message.event)
            if not same and message.event.state is not EventState.CREATED:
                moved_on.append((now.event, message))
        if same:
            found[message.id] = now.event
    return {**found, **_as_they_were(uow, moved_on)}


def _as_they_were(
    uow: UnitOfWork, moved_on: Sequence[tuple[Event, EventUpdated]]
) -> Mapping[UUID, Event]:
    """Events as these messages asked for them, at the first version that was so. It was made after
    the request came, if it is no lower than what was asked for; and but for state and score it was
    as the event is now, for all else is frozen once `created` has ended."""
    if not moved_on:
        return {}
    ranges: dict[UUID, tuple[int, int]] = {}
    for now, message in moved_on:
        first, last = ranges.get(now.id, (message.event.version, now.version))
        ranges[now.id] = (min(first, message.event.version), last)
    versions = uow.event_versions.between(ranges)
    found: dict[UUID, Event] = {}
    for now, message in moved_on:
        for each in versions.get(now.id, []):
            then = replace(now, version=each.version, state=each.state, score=each.score)
            if each.version >= message.event.version and then.same_content(message.event):
                found.setdefault(message.id, then)
    return found


def _bet_verdicts(
    uow: UnitOfWork, messages: Sequence[tuple[BetPlaced | BetUpdated, Placed]]
) -> Mapping[UUID, Bet]:
    """A bet that this very record placed is answered as placed, whatever has happened since; a
    retried one as it now is. A hand-over leaves no trace but the bet's user: if that is another one
    by now, nobody knows whether it came too late or was never judged."""
    if not messages:
        return {}
    standing = uow.bets.among({message.placement.id for message, _ in messages})
    found = {}
    for message, placed in messages:
        bet = standing.get(message.placement.id)
        if bet is None or bet.placement.market is not message.placement.market:
            continue
        if isinstance(message, BetUpdated):
            if bet.placement.user_id == message.placement.user_id:
                found[message.id] = bet
        elif (bet.position.partition, bet.position.offset) == placed[1:]:
            found[message.id] = _as_placed(uow, bet)
        else:
            found[message.id] = bet
    return found


def _as_placed(uow: UnitOfWork, bet: Bet) -> Bet:
    if bet.state is BetState.NONE:
        return bet
    versions = uow.event_versions.until_kick_off([bet.event_id])[bet.event_id]
    at_place = version_at(versions, bet.position, uow.logs.generations())
    version = bet.event_version if at_place is None else at_place.version
    return replace(bet, state=BetState.NONE, event_version=version)
