"""The bets API: the players' side."""

from typing import Annotated, ClassVar

from fastapi import APIRouter, FastAPI, Query, Response
from prometheus_client import CollectorRegistry

from adapters.http.access import CallerOf
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
from adapters.http.headers import IdempotencyKey, RespondAsync
from adapters.http.openapi import giving, leading_to, refusals, taking, undecided
from adapters.http.pages.players import player_pages
from adapters.http.pages.route import nothing_here
from adapters.http.paging import LimitQuery, PageQuery, page_of
from adapters.http.schemas import (
    BetChanges,
    BetHistory,
    BetPage,
    EventTally,
    Leaderboard,
    NewBet,
    PendingBet,
    ShownBet,
    UserText,
    UuidText,
    show_bet,
    show_change,
    show_standing,
    show_tally,
)
from adapters.http.streams import stream_routes
from adapters.http.submissions import submit_bet
from domain.bets import Bet, BetState, Market
from domain.history import BetChange, bet_history
from domain.messages import subject_of
from domain.ports import UnitOfWork
from domain.records import Cursor
from domain.requests import delete_bet, get_bet, get_event, update_bet
from domain.verdicts import Publication

_LINKS = leading_to(
    "bet_id", "id", "get_bet", "update_bet", "delete_bet", "get_bet_history"
) | leading_to("event_id", "eventId", "get_tally")


class BetsQuery(PageQuery):
    """Filters of the list of bets."""

    items: ClassVar[str] = "bets"
    userId: UserText | None = None  # noqa: N815 - the API's name
    eventId: UuidText | None = None  # noqa: N815 - the API's name
    market: Market | None = None
    state: BetState | None = None


class LeaderboardQuery(LimitQuery):
    """Of which event; of all when there is none."""

    eventId: UuidText | None = None  # noqa: N815 - the API's name


def create_bets_api(
    desk: Desk,
    feed: Feed,
    *,
    health: Health,
    registry: CollectorRegistry,
    protection: Protection = UNPROTECTED,
    alive: Alive = dict,
) -> FastAPI:
    app = new_app(
        "Touchline bets",
        desk,
        feed,
        health=health,
        registry=registry,
        protection=protection,
        alive=alive,
    )
    app.include_router(_routes(desk))
    app.include_router(_tally_routes(desk))
    app.include_router(_leaderboard_routes(desk))
    app.include_router(stream_routes(desk, feed, with_bets=True))
    app.include_router(player_pages(desk, feed))
    app.add_exception_handler(404, nothing_here)
    return app


def _answer(bet: Bet | Publication, *, status: int, respond_async: bool) -> Response:
    """What was decided on a request, or 202."""
    if isinstance(bet, Publication):
        location = f"/bets/{subject_of(bet.message)}"
        return pending(bet, location, respond_async=respond_async)
    headers = {"Location": f"/bets/{bet.id}"} if status == 201 else None
    return json_response(show_bet(bet), status, headers)


def _routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/bets", tags=["bets"], route_class=StrictRoute)

    @router.post(
        "",
        status_code=201,
        operation_id="place_bet",
        response_model=ShownBet,
        responses=giving(201, "Location", links=_LINKS)
        | undecided(PendingBet)
        | refusals(404, 409, 415),
        openapi_extra=taking("Idempotency-Key", "Prefer"),
    )
    async def post_bet(
        body: NewBet, key: IdempotencyKey, respond_async: RespondAsync, caller: CallerOf
    ) -> Response:
        """Place a bet."""
        caller.acting_for(body.userId)
        bet = await submit_bet(desk, body, key=key, owner=caller.owner, respond_async=respond_async)
        return _answer(bet, status=201, respond_async=respond_async)

    @router.get("", operation_id="list_bets", response_model=BetPage, responses=refusals())
    async def get_bets(query: Annotated[BetsQuery, Query()], caller: CallerOf) -> Response:
        """Bets, newest first; a player's own."""
        user_id = caller.acting_for(query.userId)
        bets = await desk.read(
            lambda uow: uow.bets.page(
                user_id=user_id,
                event_id=query.eventId,
                market=query.market,
                state=query.state,
                after=query.after,
                most=query.limit + 1,
            )
        )
        page = page_of(
            bets,
            query,
            cursor=lambda bet: Cursor(bet.placement.date_created, bet.id),
            show=show_bet,
        )
        return json_response(page)

    @router.get(
        "/{bet_id}", operation_id="get_bet", response_model=ShownBet, responses=refusals(404)
    )
    async def get_one(bet_id: UuidText, caller: CallerOf) -> Response:
        """One bet; 404 `bet-refused` with the reason for one that was refused."""
        bet = await desk.read(lambda uow: get_bet(uow, bet_id, owner=caller.owner))
        return json_response(show_bet(bet))

    @router.patch(
        "/{bet_id}",
        operation_id="update_bet",
        response_model=ShownBet,
        responses=giving(200, links=_LINKS) | undecided(PendingBet) | refusals(404, 409, 415),
        openapi_extra=taking("Prefer"),
    )
    async def patch_bet(
        bet_id: UuidText, body: BetChanges, respond_async: RespondAsync
    ) -> Response:
        """Give a bet to another user; market and state can't be changed."""
        bet = await desk.submit(
            lambda uow, stamp: update_bet(
                uow, bet_id, body.userId, message_id=stamp.message_id, now=stamp.now
            ),
            respond_async=respond_async,
        )
        return _answer(bet, status=200, respond_async=respond_async)

    @router.delete(
        "/{bet_id}", status_code=204, operation_id="delete_bet", responses=refusals(404, 409)
    )
    async def delete(bet_id: UuidText, caller: CallerOf) -> Response:
        """Withdraw a bet while its event is created."""
        await desk.write(lambda uow: delete_bet(uow, bet_id, owner=caller.owner))
        return Response(status_code=204)

    @router.get(
        "/{bet_id}/history",
        operation_id="get_bet_history",
        response_model=BetHistory,
        responses=refusals(404),
    )
    async def get_history(bet_id: UuidText, caller: CallerOf) -> Response:
        """Each change of the bet's state with what caused it, oldest first."""

        def query(uow: UnitOfWork) -> list[BetChange]:
            bet = get_bet(uow, bet_id, owner=caller.owner)
            versions = uow.event_versions.history(bet.event_id)
            return list(bet_history(bet, versions, uow.logs.generations()))

        changes = await desk.read(query)
        return json_response({"items": [show_change(change) for change in changes]})

    return router


def _tally_routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/events", tags=["bets"], route_class=StrictRoute)

    @router.get(
        "/{event_id}/tally",
        operation_id="get_tally",
        response_model=EventTally,
        responses=refusals(404),
    )
    async def get_tally(event_id: UuidText) -> Response:
        """How many of the event's bets stand how, by market."""

        def query(uow: UnitOfWork) -> dict[str, object]:
            event = get_event(uow, event_id)
            return show_tally(event.version, uow.bets.tallies([event_id])[event_id])

        return json_response(await desk.read(query))

    return router


def _leaderboard_routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["bets"], route_class=StrictRoute)

    @router.get(
        "/leaderboard",
        operation_id="get_leaderboard",
        response_model=Leaderboard,
        responses=refusals(),
    )
    async def get_leaderboard(query: Annotated[LeaderboardQuery, Query()]) -> Response:
        """Who has won most, of one event or of all; equal wins and losses, equal rank."""
        standings = await desk.read(
            lambda uow: uow.bets.standings(event_id=query.eventId, most=query.limit)
        )
        return json_response({"items": [show_standing(each) for each in standings]})

    return router
