"""The operators' pages, on the events server: create matches and run them."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from adapters.http.app import was_head
from adapters.http.desk import Desk
from adapters.http.feed import Feed, Stream
from adapters.http.pages.live import OPERATORS, live, part
from adapters.http.pages.rendering import html
from adapters.http.pages.route import PageRoute, form
from adapters.http.problems import BadRequest
from adapters.http.schemas import EventChanges, NewEvent, UuidText
from adapters.http.streams import last_event_id
from domain.errors import VersionMismatch
from domain.events import Event
from domain.identity import event_id_of_key
from domain.log import PARTITIONS
from domain.ports import UnitOfWork
from domain.records import READERS, ConsumerName, DeadLetter
from domain.requests import create_event, delete_event, get_event, update_event
from domain.verdicts import Publication
from domain.views import BoardView, EventView, View
from domain.watching import Preview, preview_of

MOST_LETTERS = 20


class Standing(NamedTuple):
    """How a consumer stands on a topic."""

    consumer: ConsumerName
    topic: str
    ago: timedelta | None
    """How long ago it stood at the end, of the partition where that is longest; None: never."""
    behind: int | None
    """Records that the consumer before it has done and it has not."""


class Work(NamedTuple):
    """What an operator should know of the parts behind."""

    standings: list[Standing]
    letters: Sequence[DeadLetter]


def operator_pages(desk: Desk, feed: Feed) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=PageRoute)
    _show_pages(router, desk)
    _create(router, desk)
    _change(router, desk)
    _keep_live(router, desk, feed)
    return router


def _show_pages(router: APIRouter, desk: Desk) -> None:
    async def page(name: str, views: list[View], **more: Any) -> Response:
        seen = await desk.read(lambda uow: {type(view): view.look(uow) for view in views})
        parts = {each: part(each, seen[kind]) for kind in seen for each in OPERATORS[kind]}
        return html(f"{name}.html", parts=parts, side="operator", **more)

    @router.get("/")
    async def home() -> Response:
        work = await desk.read(work_of)
        return await page(
            "operator_home", [BoardView()], work=work, stream="/pages/stream?page=home"
        )

    @router.get("/pages/events/{event_id}")
    async def event(event_id: UuidText) -> Response:
        found = await desk.read(lambda uow: get_event(uow, event_id))
        stream = f"/pages/stream?page=event&event_id={event_id}"
        return await page("operator_event", [EventView(event_id)], event=found, stream=stream)

    @router.get("/pages/work")
    async def work() -> Response:
        return html("parts/work.html", work=await desk.read(work_of))


def work_of(uow: UnitOfWork) -> Work:
    """How each consumer stands, and what could not be read and was not put back."""
    return Work(list(_standings(uow)), uow.dead_letters.open(most=MOST_LETTERS))


def _standings(uow: UnitOfWork) -> Iterator[Standing]:
    for topic, readers in READERS.items():
        reached = uow.positions.reached(topic)
        for number, consumer in enumerate(readers):
            marks = uow.positions.caught_up_ago(consumer, topic)
            ago = max(marks.values()) if len(marks) == PARTITIONS else None
            behind = None
            if number:
                gaps = (
                    reached.get((readers[number - 1], each), 0) - reached.get((consumer, each), 0)
                    for each in range(PARTITIONS)
                )
                behind = sum(max(gap, 0) for gap in gaps)
            yield Standing(consumer, topic, ago, behind)


def _create(router: APIRouter, desk: Desk) -> None:
    @router.post("/pages/events")
    async def create(request: Request) -> Response:
        fields = await form(request)
        key = fields.pop("key", "")
        offset = fields.pop("offset", "+00:00")
        if "event_date" in fields:
            fields["event_date"] = f"{fields['event_date']}:00{offset}"
        body = NewEvent.model_validate(fields)
        event = await desk.submit(
            lambda uow, stamp: create_event(
                uow,
                body.event(event_id_of_key(key) if key else stamp.new_id),
                keyed=bool(key),
                message_id=stamp.message_id,
                now=stamp.now,
            ),
            respond_async=False,
        )
        if isinstance(event, Publication):
            return html("parts/pending.html", 202)
        return html("parts/created.html", 201, event=event)


def _change(router: APIRouter, desk: Desk) -> None:
    @router.get("/pages/events/{event_id}/preview")
    async def preview(event_id: UuidText, request: Request) -> Response:
        """What the change would do, and the button that does it."""
        fields = {name: value for name, value in request.query_params.items() if value}
        version = _version(fields)

        def look(uow: UnitOfWork) -> tuple[Event, Preview]:
            event = get_event(uow, event_id)
            if event.version != version:
                raise VersionMismatch(f"the event is at version {event.version}")
            return event, preview_of(uow, event_id, _changes(fields).patch())

        event, found = await desk.read(look)
        return html("parts/preview.html", event=event, found=found, fields=fields)

    @router.post("/pages/events/{event_id}")
    async def change(event_id: UuidText, request: Request) -> Response:
        fields = await form(request)
        version = _version(fields)
        changes = _changes(fields)
        event = await desk.submit(
            lambda uow, stamp: update_event(
                uow,
                event_id,
                changes.patch(),
                expected_versions=[version],
                message_id=stamp.message_id,
                now=stamp.now,
            ),
            respond_async=False,
        )
        if isinstance(event, Publication):
            return html("parts/pending.html", 202)
        return html("parts/changed.html", event=event)

    @router.post("/pages/events/{event_id}/delete")
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


def _keep_live(router: APIRouter, desk: Desk, feed: Feed) -> None:
    async def joined(
        request: Request, page: str, event_id: UuidText | None = None
    ) -> AsyncIterator[Stream]:
        views: list[View] = [BoardView() if event_id is None else EventView(event_id)]
        if event_id is not None:
            await desk.read(lambda uow: get_event(uow, event_id))
        stream = feed.join(views, event_id=event_id, since=last_event_id(request))
        try:
            yield stream
        finally:
            feed.leave(stream)

    @router.get("/pages/stream", response_class=EventSourceResponse)
    async def stream(
        request: Request, joined: Annotated[Stream, Depends(joined)]
    ) -> AsyncIterator[ServerSentEvent]:
        if not was_head(request):
            async for event in live(joined, OPERATORS):
                yield event
