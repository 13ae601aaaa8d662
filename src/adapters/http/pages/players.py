"""The players' pages, on the bets server: what is on, a match, my bets, the leaderboard."""

from collections.abc import AsyncIterator, Collection
from typing import Annotated, Any
from urllib.parse import quote, unquote
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from adapters.http.app import was_head
from adapters.http.desk import Desk
from adapters.http.feed import Feed, Stream
from adapters.http.pages.live import PLAYERS, live, part
from adapters.http.pages.rendering import html
from adapters.http.pages.route import PageRoute, form
from adapters.http.problems import BadRequest
from adapters.http.schemas import NewBet, UuidText
from adapters.http.streams import last_event_id
from domain.bets import Bet, Placement, check_user_id
from domain.errors import InvalidValue
from domain.identity import bet_id_of_key
from domain.ports import UnitOfWork
from domain.requests import get_event, place_bet
from domain.verdicts import Publication
from domain.views import BetsView, BoardView, EventView, StandingsView, View

USER = "touchline_user"
"""The cookie that remembers who the player is."""

A_YEAR = 365 * 24 * 3600


def user_of(request: Request) -> str | None:
    """Who the player said to be; None before that."""
    user_id = unquote(request.cookies.get(USER, ""))
    try:
        check_user_id(user_id)
    except InvalidValue:
        return None
    return user_id


User = Annotated[str | None, Depends(user_of)]


def player_pages(desk: Desk, feed: Feed) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=PageRoute)
    _show_pages(router, desk)
    _take_forms(router, desk)
    _keep_live(router, desk, feed)
    return router


async def _seen(desk: Desk, views: Collection[View]) -> dict[type[View], Any]:
    """What each view sees, by its kind."""
    return await desk.read(lambda uow: {type(view): view.look(uow) for view in views})


def _show_pages(router: APIRouter, desk: Desk) -> None:
    async def page(name: str, views: list[View], user: str | None, **more: Any) -> Response:
        seen = await _seen(desk, views)
        parts = {each: part(each, seen[kind]) for kind in seen for each in PLAYERS[kind]}
        return html(f"{name}.html", parts=parts, user=user, side="player", **more)

    @router.get("/")
    async def home(user: User) -> Response:
        views = _views("home", user, None)
        return await page("player_home", views, user, stream="/pages/stream?page=home")

    @router.get("/pages/events/{event_id}")
    async def event(event_id: UuidText, user: User) -> Response:
        found = await desk.read(lambda uow: get_event(uow, event_id))
        views = _views("event", user, event_id)
        stream = f"/pages/stream?page=event&event_id={event_id}"
        return await page("player_event", views, user, event=found, stream=stream)

    @router.get("/pages/bets")
    async def bets(user: User) -> Response:
        views = _views("bets", user, None)
        return await page("player_bets", views, user, stream="/pages/stream?page=bets")

    @router.get("/pages/leaderboard")
    async def leaderboard(user: User) -> Response:
        views = _views("leaderboard", user, None)
        return await page("leaderboard", views, user, stream="/pages/stream?page=leaderboard")


def _views(name: str, user: str | None, event_id: UUID | None) -> list[View]:
    """What a page keeps in sight."""
    views: list[View] = []
    match name:
        case "home":
            views = [BoardView(), StandingsView()]
        case "leaderboard":
            views = [StandingsView()]
        case "event" if event_id is not None:
            views = [EventView(event_id)]
        case "bets":
            pass
        case _:
            raise BadRequest((["query", "page"], "no such page"))
    if user is not None and name != "leaderboard":
        views.append(BetsView(user, event_id))
    return views


def _take_forms(router: APIRouter, desk: Desk) -> None:
    @router.post("/pages/user")
    async def remember(request: Request) -> Response:
        user_id = (await form(request)).get("userId", "").strip()
        check_user_id(user_id)
        response = Response(status_code=204, headers={"HX-Refresh": "true"})
        response.set_cookie(
            USER, quote(user_id), max_age=A_YEAR, httponly=True, samesite="lax", path="/"
        )
        return response

    @router.post("/pages/bets")
    async def place(request: Request, user: User) -> Response:
        if user is None:
            raise BadRequest((["name"], "say who you are first"))
        fields = await form(request)
        key = fields.pop("key", "")
        bet = NewBet.model_validate({**fields, "userId": user})
        bet_id = bet_id_of_key(user_id=user, event_id=bet.eventId, key=key) if key else None
        placed = await desk.submit(
            lambda uow, stamp: place_bet(
                uow,
                Placement(
                    id=bet_id or stamp.new_id,
                    date_created=stamp.now,
                    user_id=user,
                    event_id=bet.eventId,
                    market=bet.market,
                ),
                keyed=bet_id is not None,
                message_id=stamp.message_id,
                now=stamp.now,
            ),
            respond_async=False,
        )
        return await _placed(desk, placed)


async def _placed(desk: Desk, placed: Bet | Publication) -> Response:
    if isinstance(placed, Publication):
        return html("parts/pending.html", 202)

    def look(uow: UnitOfWork) -> Any:
        return get_event(uow, placed.event_id)

    return html("parts/placed.html", 201, bet=placed, event=await desk.read(look))


def _keep_live(router: APIRouter, desk: Desk, feed: Feed) -> None:
    async def joined(
        request: Request, page: str, user: User, event_id: UuidText | None = None
    ) -> AsyncIterator[Stream]:
        views = _views(page, user, event_id)
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
            async for event in live(joined, PLAYERS):
                yield event
