"""What browsers are told: to be careful, and whose pages may ask."""

from collections.abc import Sequence

from fastapi import Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.http import problems
from adapters.http.request_ids import HEADER as REQUEST_ID

SAFE_HEADERS = {
    b"cache-control": b"private, no-cache",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
"""Headers of every answer that doesn't say otherwise (pages do): nothing of it is run, framed,
guessed at or kept by others. HTTPS ends before us: Strict-Transport-Security is said there."""

_OF_STREAMS = (b"cache-control", b"no-cache")
"""FastAPI's own header of streams: by it, others might keep what is one user's."""


class SafeHeaders:
    """Tells browsers to be careful."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [header for header in message["headers"] if header != _OF_STREAMS]
                names = {name for name, _ in given}
                message["headers"] = [
                    *given,
                    *((name, value) for name, value in SAFE_HEADERS.items() if name not in names),
                ]
            await send(message)

        await self._app(scope, receive, careful)


_ASKED = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Prefer",
    REQUEST_ID,
]
_GIVEN = ["ETag", "Location", "Preference-Applied", "Retry-After", "WWW-Authenticate", REQUEST_ID]


class Origins(CORSMiddleware):
    """Tells browsers whose pages may use the API: with a token of their own, never with our cookie.
    A refusal is a problem, as any other."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=[*_ASKED, "Last-Event-ID"],
            expose_headers=_GIVEN,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        kept = {k: v for k, v in response.headers.items() if not k.startswith("content-")}
        return problems.bad_request(bytes(response.body).decode(), headers=kept)
