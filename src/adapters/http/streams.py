"""Streams of what happens, as server-sent events: for programs in JSON (pages have their own)."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from adapters.http.access import CallerOf
from adapters.http.app import was_head
from adapters.http.bodies import StrictRoute
from adapters.http.desk import Desk
from adapters.http.feed import Feed
from adapters.http.openapi import refusals
from adapters.http.problems import BadRequest
from adapters.http.schemas import UserText, UuidText, show_bet, show_event, show_tally, show_version
from adapters.http.sights import Portion, Stream
from domain.records import Reach
from domain.requests import get_event
from domain.views import BetsView, EventInSight, EventView, View

RETRY_MS = 1000
"""When clients shall try again after a connection was lost."""

STREAM = """Server-sent events, as JSON, of one event or of all.

| event | data | when |
| --- | --- | --- |
| `event` | the event as it is now | at first and at every change, with `eventId` |
| `tally` | how many of its bets stand how, as `/events/{id}/tally` | likewise; on the bets API |
| `bets` | the user's newest bets as they are now | likewise, with `userId`; on the bets API |
| `version` | a version that an event got, with its `eventId` | for each, in order |
| `deleted` | `{"eventId"}` | the event is gone; the stream ends |
| `gap` | `{}` | versions were left out: ask for the history |
| `reached` | `{}` | there is nothing to be told yet, or again |
| `away` | `{}` | the database can't be reached; what is new comes once it is back |

What changes faster than five times a second is told once, as it then is; what takes long to count,
less often. Messages that come together end with an `id`; a client that comes back with the last one
in `Last-Event-ID` is told every version that was made meanwhile."""

_ID = re.compile(r"([0-9a-f]{32})((?:\.[0-9]{1,18}){1,99})", re.ASCII)


def id_of(reach: Reach | None) -> str | None:
    """A place in the story, opaque to clients; none before it has begun."""
    return None if reach is None else ".".join([reach.log_id.hex, *map(str, reach.next_offsets)])


def last_event_id(request: Request) -> Reach | None:
    """The place up to which a client that comes back was told of everything."""
    return reach_of(request.headers.get("last-event-id", ""), "header", "Last-Event-ID")


def reach_of(text: str, *loc: str) -> Reach | None:
    """The place that an id names; none where it is empty. Raises BadRequest for what is no id."""
    text = text.strip()
    if not text:
        return None
    match = _ID.fullmatch(text)
    if match is None:
        raise BadRequest((loc, "must be the id of an earlier message"))
    offsets = tuple(int(each) for each in match[2].split(".")[1:])
    return Reach(UUID(match[1]), offsets)


def stream_routes(desk: Desk, feed: Feed, *, with_bets: bool) -> APIRouter:
    """`/stream`; of the events API without bets."""
    router = APIRouter(tags=["streams"], route_class=StrictRoute)
    views = _views_with_bets if with_bets else _views

    async def joined(
        request: Request, asked: Annotated[list[View], Depends(views)], caller: CallerOf
    ) -> AsyncIterator[Stream]:
        since = last_event_id(request)
        event_id = next((v.event_id for v in asked if isinstance(v, EventView)), None)
        if event_id is not None:
            await desk.read(lambda uow: get_event(uow, event_id))
        async with feed.joined(asked, event_id=event_id, since=since, caller=caller) as stream:
            yield stream

    @router.get(
        "/stream",
        operation_id="stream",
        response_class=EventSourceResponse,
        responses=refusals(404),
        description=STREAM,
        openapi_extra={
            "parameters": [
                {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "required": False,
                    "description": "The id of the last message that came.",
                    "schema": {"type": "string"},
                }
            ]
        },
    )
    async def get_stream(
        request: Request, stream: Annotated[Stream, Depends(joined)]
    ) -> AsyncIterator[ServerSentEvent]:
        """What happens, as it happens."""
        yield ServerSentEvent(comment="welcome", retry=RETRY_MS)
        if was_head(request):
            return
        async for portion in stream.portions():
            assert portion is not None
            messages = _messages(portion, with_bets=with_bets)
            for name, data in messages[:-1]:
                yield ServerSentEvent(event=name, data=data)
            # The last one has the id: who breaks off before it is told all once more.
            name, data = messages[-1]
            yield ServerSentEvent(event=name, data=data, id=id_of(portion.reach))
            if name == "deleted":
                return

    return router


def _views(
    event_id: Annotated[UuidText | None, Query(alias="eventId", description="Only this.")] = None,
) -> list[View]:
    return [] if event_id is None else [EventView(event_id=event_id)]


def _views_with_bets(
    asked: Annotated[list[View], Depends(_views)],
    caller: CallerOf,
    user_id: Annotated[UserText | None, Query(alias="userId", description="Whose bets.")] = None,
) -> list[View]:
    if user_id is None:
        return asked
    caller.acting_for(user_id)
    event_id = next((v.event_id for v in asked if isinstance(v, EventView)), None)
    return [*asked, BetsView(user_id=user_id, event_id=event_id)]


def _messages(portion: Portion, *, with_bets: bool) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    if portion.is_gap:
        found.append(("gap", {}))
    found += [
        ("version", {"eventId": str(each.event_id), **show_version(each)})
        for each in portion.versions
    ]
    for view, sight in portion.sights.items():
        if isinstance(view, BetsView):
            found.append(("bets", sight.made("json", _bets)))
        elif isinstance(view, EventView):
            if sight.value is None:
                return [*found, ("deleted", {"eventId": str(view.event_id)})]
            found.append(("event", sight.made("event", _event)))
            if with_bets:
                found.append(("tally", sight.made("tally", _tally)))
    # Last, and beside what a slow client was not sent yet: that must not be lost.
    if portion.is_away:
        found.append(("away", {}))
    return found or [("reached", {})]


def _bets(sight: Any) -> dict[str, Any]:
    return {"items": [show_bet(each.bet) for each in sight]}


def _event(sight: EventInSight) -> dict[str, Any]:
    return show_event(sight.event)


def _tally(sight: EventInSight) -> dict[str, Any]:
    return show_tally(sight.event.version, sight.tally)
