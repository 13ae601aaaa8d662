"""What all servers share: the application frame, health, metrics, and common answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from adapters.http import problems
from adapters.http.access import Guard, Tokens
from adapters.http.bodies import StrictRoute
from adapters.http.browsers import Origins, SafeHeaders
from adapters.http.desk import Desk
from adapters.http.feed import Feed
from adapters.http.limits import RateLimit, TimeLimit
from adapters.http.metrics import RequestMetrics
from adapters.http.openapi import RULES, DescribedApi, refusals
from adapters.http.pages.rendering import STATIC, LastingFiles, docs_page
from adapters.http.request_ids import RequestIds
from adapters.http.schemas import show_pending
from domain.verdicts import Publication

Health = Callable[[], dict[str, str]]
"""Each dependency and how it is: `up`, or why not. May take a while: it is asked in a thread."""

Alive = Callable[[], dict[str, str]]
"""The consumers of this process that are stuck, and how; none while all is well."""

REQUIRED = "database"
"""Without it a server is not ready; without the bus, reads go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What a server is kept from: who may not, who wants too much, and pages of elsewhere."""

    tokens: Tokens | None = None
    """None: anybody may do everything."""
    rate_limit: float = 0
    """Requests a second of one client; 0: any number."""
    request_seconds: float = 12.0
    origins: Sequence[str] = ()
    """Whose pages may use the API."""

    def guard(self) -> Guard:
        return Guard(self.tokens, RateLimit(self.rate_limit) if self.rate_limit else None)


UNPROTECTED = Protection()

HEAD = "touchline.head"
"""Set in the scope of a request that was HEAD."""


def was_head(request: Request) -> bool:
    """Whether nobody reads the body: what never ends must end at once."""
    return bool(request.scope.get(HEAD))


class HeadAsGet:
    """Routes a HEAD request as GET; the server sends the answer without its body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", HEAD: True}
        await self._app(scope, receive, send)


def _around(origins: Sequence[str], app: ASGIApp) -> ASGIApp:
    """What every answer goes through, also that to a fault of our own."""
    return RequestIds(SafeHeaders(Origins(app, origins) if origins else app))


def new_app(
    title: str,
    desk: Desk,
    feed: Feed,
    *,
    health: Health,
    registry: CollectorRegistry,
    protection: Protection,
    alive: Alive = dict,
) -> FastAPI:
    """An application that opens and closes desk and feed, and answers every error as a problem."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk.open()
        try:
            feed.open()
            app.state.about_to_end = about_to_end
            yield
            feed.close()
        finally:
            desk.close()

    def about_to_end() -> None:
        feed.end_streams()
        desk.end_waits()

    app = health_app(
        title,
        health=health,
        registry=registry,
        alive=alive,
        lifespan=lifespan,
        protection=protection,
    )
    app.state.about_to_end = feed.end_streams
    app.add_api_route("/docs", docs_page, include_in_schema=False)
    app.mount("/static", GZipMiddleware(LastingFiles(directory=STATIC)), name="static")
    app.description = RULES
    return app


def health_app(
    title: str,
    *,
    health: Health,
    registry: CollectorRegistry,
    alive: Alive = dict,
    lifespan: Lifespan[FastAPI] | None = None,
    protection: Protection = UNPROTECTED,
) -> FastAPI:
    """An application with `/livez`, `/readyz` and `/metrics`: all that a consumer serves."""
    app = DescribedApi(
        title=title, lifespan=lifespan, redirect_slashes=False, docs_url=None, redoc_url=None
    )
    app.state.about_to_end = _nothing
    app.state.guard = protection.guard()
    app.state.around = partial(_around, protection.origins)
    # The last is the first that a request meets.
    app.add_middleware(
        TimeLimit,
        seconds=protection.request_seconds,
        answer=problems.unavailable("the request took too long"),
        answer_at_end=problems.unavailable("the server ends: try again"),
    )
    app.add_middleware(RequestMetrics, registry=registry)
    app.add_middleware(HeadAsGet)
    problems.install(app)
    app.include_router(_health_routes(health, registry, alive))
    return app


def _nothing() -> None:
    """Nothing here lasts."""


class _AskedAtOnce:
    """Asked in one thread for all who want to know meanwhile: whatever hangs holds up no others of
    the threads in which `/livez` and `/metrics` are answered."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._asking: asyncio.Task[dict[str, str]] | None = None

    async def __call__(self) -> dict[str, str]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(asyncio.to_thread(self._health))
        return await asyncio.shield(self._asking)  # who goes away leaves it to the others


def _health_routes(health: Health, registry: CollectorRegistry, alive: Alive) -> APIRouter:
    router = APIRouter(tags=["health"], route_class=StrictRoute)
    ask_health = _AskedAtOnce(health)

    @router.get(
        "/livez",
        operation_id="livez",
        response_model=dict[str, str],
        responses=refusals(is_open=True)
        | {503: {"description": "Stuck: start it anew.", "model": dict[str, str]}},
    )
    def livez() -> Response:
        """The process is there, and no consumer in it is stuck."""
        stuck = alive()
        return JSONResponse(
            {"status": "unavailable" if stuck else "ok", **stuck}, 503 if stuck else 200
        )

    @router.get(
        "/readyz",
        operation_id="readyz",
        response_model=dict[str, str],
        responses=refusals(is_open=True)
        | {503: {"description": "Not ready, and why.", "model": dict[str, str]}},
    )
    async def readyz() -> Response:
        """Each dependency with its reason."""
        found = await ask_health()
        ready = found.get(REQUIRED) == "up" and found.get("consumer", "up") == "up"
        body = {"status": "ok" if ready else "unavailable", **found}
        return JSONResponse(body, 200 if ready else 503)

    @router.get(
        "/metrics",
        operation_id="metrics",
        response_class=PlainTextResponse,
        responses=refusals(is_open=True),
    )
    def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


def json_response(
    content: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, media_type="application/json", headers=headers)


def pending(publication: Publication, location: str, *, respond_async: bool) -> Response:
    """202: published, not yet decided."""
    headers = {"Location": location, "Retry-After": "1"}
    if respond_async:
        headers["Preference-Applied"] = "respond-async"
    return json_response(show_pending(publication), 202, headers)
