"""The operators' pages, on the events server: create matches and run them."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from adapters.http.access import Caller, CallerOf
from adapters.http.desk import Desk
from adapters.http.feed import Feed
from adapters.http.pages.lists import event_list
from adapters.http.pages.live import OPERATORS, live, part
from adapters.http.pages.rendering import html
from adapters.http.pages.route import PageRoute, form, since
from adapters.http.pages.signing_in import sign_in_pages
from adapters.http.problems import BadRequest
from adapters.http.schemas import EventChanges, NewEvent, UuidText
from adapters.http.sights import Stream
from adapters.http.streams import id_of
from adapters.http.submissions import submit_changes, submit_event
from domain.errors import VersionMismatch
from domain.events import Event
from domain.ports import UnitOfWork
from domain.reach import reach_now
from domain.requests import delete_event, get_event
from domain.verdicts import Publication
from domain.views import BoardView, EventInSight, EventView, View, WorkView
from domain.watching import Preview, preview_of


def operator_pages(desk: Desk, feed: Feed) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=PageRoute)
    _show_pages(router, desk)
    _create(router, desk)
    _change(router, desk)
    _keep_live(router, feed)
    router.include_router(sign_in_pages(side="operator"))
    return router


def _show_pages(router: APIRouter, desk: Desk) -> None:
    async def page(name: str, caller: Caller, event_id: UUID | None = None) -> Response:
        def look(uow: UnitOfWork) -> dict[str, Any]:
            event = None if event_id is None else get_event(uow, event_id)
            seen = [(type(view), view.look(uow)) for view in [*_views(event_id), *work(event_id)]]
            parts = {each: part(each, sight) for kind, sight in seen for each in OPERATORS[kind]}
            return {"parts": parts, "event": event}

        # The reach first: whatever comes after it is told by the stream.
        reach = await desk.read(reach_now)
        found = await desk.read(look)
        stream = "/pages/stream" + ("" if event_id is None else f"?event_id={event_id}")
        return html(
            f"operator_{name}.html",
            caller=caller,
            side="operator",
            stream=stream,
            since=id_of(reach) or "",
            **found,
        )

    def work(event_id: UUID | None) -> list[View]:
        return [WorkView()] if event_id is None else []

    @router.get("/", operation_id="page_desk")
    async def home(caller: CallerOf) -> Response:
        return await page("home", caller)

    @router.get("/pages/events/{event_id}", operation_id="page_desk_event")
    async def event(event_id: UuidText, caller: CallerOf) -> Response:
        return await page("event", caller, event_id)

    @router.get("/pages/events", operation_id="page_desk_events")
    async def events(request: Request, caller: CallerOf) -> Response:
        return await event_list(request, desk, side="operator", caller=caller)

    @router.get("/pages/work", operation_id="page_work")
    async def work_behind() -> Response:
        sight = await desk.read(WorkView().look)
        return HTMLResponse(part("work", sight))


def _views(event_id: UUID | None) -> list[View]:
    """What a page keeps in sight."""
    return [BoardView() if event_id is None else EventView(event_id=event_id)]


def _create(router: APIRouter, desk: Desk) -> None:
    @router.post("/pages/events", operation_id="take_event")
    async def create(request: Request) -> Response:
        fields = await form(request)
        key = fields.pop("key", None)
        offset = fields.pop("offset", "+00:00")
        if "event_date" in fields:
            fields["event_date"] = f"{fields['event_date']}:00{offset}"
        body = NewEvent.model_validate(fields)
        event = await submit_event(desk, body, key=key)
        if isinstance(event, Publication):
            return html("parts/pending.html", 202)
        return html("parts/created.html", 201, event=event)


def _change(router: APIRouter, desk: Desk) -> None:
    @router.get("/pages/events/{event_id}/preview", operation_id="page_preview")
    async def preview(event_id: UuidText, request: Request) -> Response:
        """What the change would do, and the button that does it."""
        fields = {name: value.strip() for name, value in request.query_params.items()}
        version = _version(fields)
        patch = _changes(fields).patch()

        def look(uow: UnitOfWork) -> tuple[Event, Preview]:
            event = get_event(uow, event_id)
            if event.version != version:
                raise VersionMismatch(f"the event is at version {event.version}")
            return event, preview_of(uow, event_id, patch)

        event, found = await desk.read(look)
        return html("parts/preview.html", event=event, found=found, fields=fields)

    @router.post("/pages/events/{event_id}", operation_id="take_changes")
    async def change(event_id: UuidText, request: Request) -> Response:
        fields = await form(request)
        version = _version(fields)
        event = await submit_changes(desk, event_id, _changes(fields), expected=[version])
        if isinstance(event, Publication):
            return html("parts/pending.html", 202)
        # The new controls come with the answer: the next step begins at this one's version.
        controls = part("controls", EventInSight(event, [], {}))
        return html("parts/changed.html", event=event, controls=controls)

    @router.post("/pages/events/{event_id}/delete", operation_id="take_deletion")
    async def delete(event_id: UuidText, request: Request) -> Response:
        version = _version(await form(request))
        await desk.write(lambda uow: delete_event(uow, event_id, expected_versions=[version]))
        return Response(status_code=204, headers={"HX-Redirect": "/"})


def _version(fields: dict[str, str]) -> int:
    """Take the version that the operator saw out of the fields."""
    text = fields.pop("version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadRequest((["version"], "must be the version that the page showed"))
    return int(text)


def _changes(fields: dict[str, str]) -> EventChanges:
    if {"home", "away"} <= fields.keys():
        fields["score"] = f"{fields.pop('home')}-{fields.pop('away')}"
    return EventChanges.model_validate(fields)


def _keep_live(router: APIRouter, feed: Feed) -> None:
    async def joined(
        request: Request, caller: CallerOf, event_id: UuidText | None = None
    ) -> AsyncIterator[Stream]:
        views = _views(event_id)
        async with feed.joined(
            views, event_id=event_id, since=since(request), caller=caller
        ) as stream:
            yield stream

    @router.get("/pages/stream", operation_id="desk_stream", response_class=EventSourceResponse)
    async def stream(
        request: Request, joined: Annotated[Stream, Depends(joined)]
    ) -> AsyncIterator[ServerSentEvent]:
        async for event in live(request, joined, OPERATORS):
            yield event
