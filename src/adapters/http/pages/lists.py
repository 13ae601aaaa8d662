"""All matches of a state, and older bets: pages that don't live, for what the others leave out."""

from fastapi import Request, Response

from adapters.http.access import Caller
from adapters.http.desk import Desk
from adapters.http.pages.rendering import html
from adapters.http.paging import decode_cursor, encode_cursor
from adapters.http.problems import BadRequest
from domain.events import EventState
from domain.records import Cursor

PER_PAGE = 100


async def event_list(request: Request, desk: Desk, *, side: str, caller: Caller) -> Response:
    """One page of all events of a state, newest first."""
    try:
        state = EventState(request.query_params.get("state", ""))
    except ValueError as wrong:
        raise BadRequest((["state"], "no such list")) from wrong
    after = cursor_of(request, "events")
    found = await desk.read(
        lambda uow: uow.events.page(state=state, after=after, most=PER_PAGE + 1)
    )
    shown = found[:PER_PAGE]
    more = None
    if len(found) > PER_PAGE:
        more = encode_cursor("events", Cursor(shown[-1].created_at, shown[-1].event.id))
    events = [each.event for each in shown]
    return html("events.html", caller=caller, side=side, state=state, events=events, next=more)


def cursor_of(request: Request, items: str) -> Cursor | None:
    """Where a list goes on; None for its beginning."""
    text = request.query_params.get("cursor", "")
    try:
        return decode_cursor(items, text) if text else None
    except ValueError as wrong:
        raise BadRequest((["cursor"], str(wrong))) from wrong
