"""What the APIs' routes and the pages' forms ask for alike: bets, events, their next versions."""

from collections.abc import Collection
from uuid import UUID

from adapters.http.desk import Desk
from adapters.http.schemas import EventChanges, NewBet, NewEvent
from domain.bets import Bet, Placement
from domain.errors import BetNotFound
from domain.events import Event
from domain.identity import bet_id_of_key, event_id_of_key
from domain.requests import create_event, place_bet, update_event
from domain.verdicts import Publication


async def submit_bet(
    desk: Desk,
    bet: NewBet,
    *,
    key: str | None,
    owner: str | None = None,
    respond_async: bool = False,
) -> Bet | Publication:
    """For an `owner` only that user's bets are there: BetNotFound for one that the key made and
    that was given to another."""
    keyed_id = (
        None if key is None else bet_id_of_key(user_id=bet.userId, event_id=bet.eventId, key=key)
    )
    placed = await desk.submit(
        lambda uow, stamp: place_bet(
            uow,
            Placement(
                id=keyed_id or stamp.new_id,
                date_created=stamp.now,
                user_id=bet.userId,
                event_id=bet.eventId,
                market=bet.market,
            ),
            keyed=keyed_id is not None,
            owner=owner,
            message_id=stamp.message_id,
            now=stamp.now,
        ),
        respond_async=respond_async,
    )
    # Once more: while it waited for its verdict, another request with the key may have made the
    # bet, and that been given away.
    if isinstance(placed, Bet) and owner not in {None, placed.placement.user_id}:
        raise BetNotFound(f"there is no bet {placed.id}")
    return placed


async def submit_event(
    desk: Desk, event: NewEvent, *, key: str | None, respond_async: bool = False
) -> Event | Publication:
    return await desk.submit(
        lambda uow, stamp: create_event(
            uow,
            event.event(stamp.new_id if key is None else event_id_of_key(key)),
            keyed=key is not None,
            message_id=stamp.message_id,
            now=stamp.now,
        ),
        respond_async=respond_async,
    )


async def submit_changes(
    desk: Desk,
    event_id: UUID,
    changes: EventChanges,
    *,
    expected: Collection[int] | None,
    respond_async: bool = False,
) -> Event | Publication:
    """`expected` are the versions that the client saw; None when it names none."""
    return await desk.submit(
        lambda uow, stamp: update_event(
            uow,
            event_id,
            changes.patch(),
            expected_versions=expected,
            message_id=stamp.message_id,
            now=stamp.now,
        ),
        respond_async=respond_async,
    )
