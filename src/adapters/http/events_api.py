"""The events API: the company's side."""

from typing import Annotated, ClassVar

from fastapi import APIRouter, FastAPI, Query, Request, Response
from prometheus_client import CollectorRegistry
from pydantic import Field

from adapters.http.app import (
    UNPROTECTED,
    Alive,
    Health,
    Protection,
    json_response,
    new_app,
    pending,
)
from adapters.http.bodies import StrictRoute
from adapters.http.desk import Desk
from adapters.http.feed import Feed
from adapters.http.headers import IdempotencyKey, IfMatch, RespondAsync, entity_tag, is_known
from adapters.http.openapi import giving, leading_to, refusals, taking, undecided
from adapters.http.pages.operators import operator_pages
from adapters.http.pages.route import nothing_here
from adapters.http.paging import PageQuery, page_of
from adapters.http.schemas import (
    EventChanges,
    EventFields,
    EventHistory,
    EventPage,
    NewEvent,
    PendingEvent,
    ShownEvent,
    ShownPreview,
    TeamText,
    TypeText,
    UuidText,
    show_event,
    show_preview,
    show_version,
)
from adapters.http.streams import stream_routes
from adapters.http.submissions import submit_changes, submit_event
from domain.events import Event, EventState
from domain.messages import subject_of
from domain.records import Cursor
from domain.requests import delete_event, get_event, get_event_history
from domain.text import fold
from domain.verdicts import Publication
from domain.watching import preview_of

_LINKS = leading_to(
    "event_id",
    "id",
    "get_event",
    "update_event",
    "delete_event",
    "get_event_history",
    "preview_event",
)


class EventsQuery(PageQuery):
    """Filters of the list of events."""

    items: ClassVar[str] = "events"
    state: EventState | None = None
    type: TypeText | None = None
    team: TeamText | None = Field(default=None, description="Either side, case-folded.")


def create_events_api(
    desk: Desk,
    feed: Feed,
    *,
    health: Health,
    registry: CollectorRegistry,
    protection: Protection = UNPROTECTED,
    alive: Alive = dict,
) -> FastAPI:
    app = new_app(
        "Touchline events",
        desk,
        feed,
        health=health,
        registry=registry,
        protection=protection,
        alive=alive,
    )
    app.include_router(_routes(desk))
    app.include_router(stream_routes(desk, feed, with_bets=False))
    app.include_router(operator_pages(desk, feed))
    app.add_exception_handler(404, nothing_here)
    return app


def _answer(event: Event | Publication, *, status: int, respond_async: bool) -> Response:
    """What was decided on a request, or 202."""
    if isinstance(event, Publication):
        location = f"/events/{subject_of(event.message)}"
        return pending(event, location, respond_async=respond_async)
    headers = {"ETag": entity_tag(event.version)}
    if status == 201:
        headers["Location"] = f"/events/{event.id}"
    return json_response(show_event(event), status, headers)


def _routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/events", tags=["events"], route_class=StrictRoute)

    @router.post(
        "",
        status_code=201,
        response_model=ShownEvent,
        operation_id="create_event",
        responses=giving(201, "ETag", "Location", links=_LINKS)
        | undecided(PendingEvent)
        | refusals(409, 415),
        openapi_extra=taking("Idempotency-Key", "Prefer"),
    )
    async def post_event(
        body: NewEvent, key: IdempotencyKey, respond_async: RespondAsync
    ) -> Response:
        """Create an event."""
        event = await submit_event(desk, body, key=key, respond_async=respond_async)
        return _answer(event, status=201, respond_async=respond_async)

    @router.get("", operation_id="list_events", response_model=EventPage, responses=refusals())
    async def get_events(query: Annotated[EventsQuery, Query()]) -> Response:
        """Events, newest first."""
        events = await desk.read(
            lambda uow: uow.events.page(
                state=query.state,
                type=query.type,
                team=None if query.team is None else fold(query.team),
                after=query.after,
                most=query.limit + 1,
            )
        )
        page = page_of(
            events,
            query,
            cursor=lambda stored: Cursor(stored.created_at, stored.event.id),
            show=lambda stored: show_event(stored.event),
        )
        return json_response(page)

    @router.get(
        "/{event_id}",
        operation_id="get_event",
        response_model=ShownEvent,
        responses=giving(200, "ETag") | giving(304, "ETag") | refusals(404),
        openapi_extra=taking("If-None-Match"),
    )
    async def get_one(event_id: UuidText, request: Request) -> Response:
        """One event; 304 when If-None-Match names its version."""
        event = await desk.read(lambda uow: get_event(uow, event_id))
        headers = {"ETag": entity_tag(event.version)}
        if is_known(request, event.version):
            return Response(status_code=304, headers=headers)
        return json_response(show_event(event), headers=headers)

    @router.patch(
        "/{event_id}",
        operation_id="update_event",
        response_model=ShownEvent,
        responses=giving(200, "ETag", links=_LINKS)
        | undecided(PendingEvent)
        | refusals(404, 409, 412, 415),
        openapi_extra=taking("If-Match", "Prefer"),
    )
    async def patch_event(
        event_id: UuidText, body: EventChanges, expected: IfMatch, respond_async: RespondAsync
    ) -> Response:
        """Rename, kick off, change the score, finish."""
        event = await submit_changes(
            desk, event_id, body, expected=expected, respond_async=respond_async
        )
        return _answer(event, status=200, respond_async=respond_async)

    @router.delete(
        "/{event_id}",
        status_code=204,
        operation_id="delete_event",
        responses=refusals(404, 409, 412),
        openapi_extra=taking("If-Match"),
    )
    async def delete(event_id: UuidText, expected: IfMatch) -> Response:
        """Delete an event that has no bets."""
        await desk.write(lambda uow: delete_event(uow, event_id, expected_versions=expected))
        return Response(status_code=204)

    @router.get(
        "/{event_id}/history",
        operation_id="get_event_history",
        response_model=EventHistory,
        responses=refusals(404),
    )
    async def get_history(event_id: UuidText) -> Response:
        """Every version of the event, oldest first."""
        versions = await desk.read(lambda uow: get_event_history(uow, event_id))
        return json_response({"items": [show_version(version) for version in versions]})

    @router.get(
        "/{event_id}/preview",
        operation_id="preview_event",
        response_model=ShownPreview,
        responses=refusals(404, 409),
    )
    async def get_preview(event_id: UuidText, changes: Annotated[EventFields, Query()]) -> Response:
        """What a change would do to the event and its bets; nothing is changed."""
        found = await desk.read(lambda uow: preview_of(uow, event_id, changes.patch()))
        return json_response(show_preview(found))

    return router
