"""The players' pages, on the bets server: what is on, a match, my bets, the leaderboard."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import quote, unquote
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from adapters.http.access import Caller, CallerOf, Forbidden
from adapters.http.desk import Desk
from adapters.http.feed import Feed
from adapters.http.pages import words
from adapters.http.pages.lists import cursor_of, event_list
from adapters.http.pages.live import PLAYERS, live, part
from adapters.http.pages.rendering import html
from adapters.http.pages.route import PageRoute, form, since
from adapters.http.pages.signing_in import sign_in_pages
from adapters.http.problems import BadRequest
from adapters.http.schemas import NewBet, UuidText
from adapters.http.sights import Stream
from adapters.http.streams import id_of
from adapters.http.submissions import submit_bet
from domain.bets import Bet, check_user_id
from domain.errors import InvalidValue
from domain.ports import UnitOfWork
from domain.reach import reach_now
from domain.requests import get_event
from domain.verdicts import Publication
from domain.views import BetsView, BoardView, EventView, StandingsView, View, bets_in_sight

USER = "touchline_user"
"""The cookie that remembers who the player is."""

A_YEAR = 365 * 24 * 3600


def user_of(request: Request, caller: CallerOf) -> str | None:
    """Who the player is by token, or said to be; None before that."""
    if caller.subject is not None:
        return caller.subject
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
    _show_lists(router, desk)
    _take_forms(router, desk)
    _keep_live(router, feed)
    router.include_router(sign_in_pages(side="player"))
    return router


def _show_pages(router: APIRouter, desk: Desk) -> None:
    async def page(
        name: str, caller: Caller, user: str | None, event_id: UUID | None = None
    ) -> Response:
        def look(uow: UnitOfWork) -> dict[str, Any]:
            event = None if event_id is None else get_event(uow, event_id)
            seen = [(type(view), view.look(uow)) for view in _views(name, user, event_id)]
            parts = {each: part(each, sight) for kind, sight in seen for each in PLAYERS[kind]}
            return {"parts": parts, "event": event}

        # The reach first: whatever comes after it is told by the stream.
        reach = await desk.read(reach_now)
        found = await desk.read(look)
        asked = f"page={name}" + ("" if event_id is None else f"&event_id={event_id}")
        stream = f"/pages/stream?{asked}"
        template = f"player_{name}.html"
        return html(
            template,
            caller=caller,
            user=user,
            side="player",
            stream=stream,
            since=id_of(reach) or "",
            **found,
        )

    @router.get("/", operation_id="page_home")
    async def home(caller: CallerOf, user: User) -> Response:
        return await page("home", caller, user)

    @router.get("/pages/events/{event_id}", operation_id="page_event")
    async def event(event_id: UuidText, caller: CallerOf, user: User) -> Response:
        return await page("event", caller, user, event_id)

    @router.get("/pages/bets", operation_id="page_bets")
    async def bets(caller: CallerOf, user: User) -> Response:
        return await page("bets", caller, user)

    @router.get("/pages/leaderboard", operation_id="page_leaderboard")
    async def leaderboard(caller: CallerOf, user: User) -> Response:
        return await page("leaderboard", caller, user)


def _views(name: str, user: str | None, event_id: UUID | None) -> list[View]:
    """What a page keeps in sight."""
    views: dict[str, list[View]] = {
        "home": [BoardView(), StandingsView()],
        "leaderboard": [StandingsView()],
        "event": [] if event_id is None else [EventView(event_id=event_id)],
        "bets": [],
    }
    if name not in views or (event_id is not None) is not (name == "event"):
        raise BadRequest((["query", "page"], "no such page"))
    if user is not None and name != "leaderboard":
        views[name].append(BetsView(user_id=user, event_id=event_id))
    return views[name]


def _show_lists(router: APIRouter, desk: Desk) -> None:
    @router.get("/pages/events", operation_id="page_events")
    async def events(request: Request, caller: CallerOf) -> Response:
        return await event_list(request, desk, side="player", caller=caller)

    @router.get("/pages/bets/older", operation_id="page_older_bets")
    async def older_bets(request: Request, caller: CallerOf, user: User) -> Response:
        """A user's bets behind the newest ones, as they are now."""
        if user is None:
            raise BadRequest((["name"], "say who you are first"))
        after = cursor_of(request, "bets")
        found = await desk.read(lambda uow: bets_in_sight(uow, user, after=after))
        return html(
            "older_bets.html",
            side="player",
            bets=found,
            next=words.older(found),
            user=user,
            caller=caller,
        )


def _take_forms(router: APIRouter, desk: Desk) -> None:
    @router.post("/pages/user", operation_id="take_user")
    async def remember(request: Request, caller: CallerOf) -> Response:
        if caller.subject is not None:
            raise Forbidden("you are who your token says")
        user_id = (await form(request)).get("userId", "")
        check_user_id(user_id)
        response = Response(status_code=204, headers={"HX-Refresh": "true"})
        response.set_cookie(
            USER, quote(user_id), max_age=A_YEAR, httponly=True, samesite="lax", path="/"
        )
        return response

    @router.post("/pages/bets", operation_id="take_bet")
    async def place(request: Request, caller: CallerOf, user: User) -> Response:
        fields = await form(request)
        if user is None:
            raise BadRequest((["name"], "say who you are first"))
        if fields.pop("as", user) != user:
            raise HTTPException(409, f"You play as {user} by now: load the page again.")
        key = fields.pop("key", None)
        bet = NewBet.model_validate({**fields, "userId": user})
        return await _placed(desk, await submit_bet(desk, bet, key=key, owner=caller.owner))


async def _placed(desk: Desk, placed: Bet | Publication) -> Response:
    if isinstance(placed, Publication):
        return html("parts/pending.html", 202)
    event = await desk.read(lambda uow: get_event(uow, placed.event_id))
    return html("parts/placed.html", 201, bet=placed, event=event)


def _keep_live(router: APIRouter, feed: Feed) -> None:
    async def joined(
        request: Request,
        page: str,
        caller: CallerOf,
        user: User,
        event_id: UuidText | None = None,
    ) -> AsyncIterator[Stream]:
        views = _views(page, user, event_id)
        async with feed.joined(
            views, event_id=event_id, since=since(request), caller=caller
        ) as stream:
            yield stream

    @router.get("/pages/stream", operation_id="player_stream", response_class=EventSourceResponse)
    async def stream(
        request: Request, joined: Annotated[Stream, Depends(joined)]
    ) -> AsyncIterator[ServerSentEvent]:
        async for event in live(request, joined, PLAYERS):
            yield event
