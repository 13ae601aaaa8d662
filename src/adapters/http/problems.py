"""Errors as application/problem+json (RFC 9457): one table chooses every status."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPMethod, HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from adapters.http.access import Forbidden, Unauthenticated, bearer
from adapters.http.limits import RateLimited
from domain.errors import (
    BetDeleted,
    BetNotFound,
    BetRefused,
    BusUnavailable,
    DatabaseUnavailable,
    EventConflict,
    EventDeleted,
    EventHasBets,
    EventNotFound,
    EventNotOpen,
    FieldFrozen,
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidValue,
    Misconfigured,
    RuleBroken,
    ScoreNotAllowed,
    TouchlineError,
    Unavailable,
    VersionMismatch,
)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "1"}

STATUSES: Mapping[type[RuleBroken], int] = {
    InvalidValue: 422,
    EventNotFound: 404,
    BetNotFound: 404,
    BetRefused: 404,
    VersionMismatch: 412,
    EventConflict: 409,
    IllegalTransition: 409,
    FieldFrozen: 409,
    ScoreNotAllowed: 409,
    EventNotOpen: 409,
    EventHasBets: 409,
    BetDeleted: 409,
    EventDeleted: 409,
    IdempotencyKeyReused: 422,
}
"""The status of each broken rule; its code is the error's own."""

MOST_ERRORS = 50
"""How many wrong parts of one request are named: an answer is for people."""

_OF_STATUS = {
    400: "validation-error",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
    415: "unsupported-media-type",
    422: "validation-error",
}
"""What the framework itself refuses, by status."""


_TOLD_OF: Mapping[type[TouchlineError], str] = {
    DatabaseUnavailable: "the database can't be reached just now: try again",
    BusUnavailable: "the log can't be reached just now: try again",
    Misconfigured: "Touchline is not set up: see its log",
}
"""What clients are told of what we stand on. The error itself may name hosts, files and users."""

_log = logging.getLogger(__name__)


class BadRequest(Exception):
    """A part of the request that is not as docs/api says; answered as validation-error."""

    def __init__(self, *errors: tuple[Sequence[str | int], str]) -> None:
        super().__init__(errors)
        self.errors = [{"loc": list(loc), "msg": msg} for loc, msg in errors]


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> Response:
    """A problem document. ASCII only: what a client sent may hold lone surrogates."""
    title = code.replace("-", " ").capitalize()
    body = {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail}
    content = json.dumps(body | members).encode()
    return Response(content, status, media_type=CONTENT_TYPE, headers=headers)


def broken_rule(error: RuleBroken, *, part: str = "body") -> Response:
    """`part` of the request is where the fields of a wrong value are named."""
    if isinstance(error, InvalidValue):
        return invalid([{"loc": [part, error.field], "msg": error.problem}])
    members: dict[str, Any] = error.details()
    return problem(STATUSES[type(error)], error.code, str(error), **members)


def bad_request(detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """What no route is asked for: it is no HTTP, or a browser may not send it."""
    return problem(400, "bad-request", detail, headers=headers)


def invalid(errors: Sequence[Mapping[str, Any]]) -> Response:
    named = [
        {"loc": list(error["loc"]), "msg": str(error["msg"]).removeprefix("Value error, ")}
        for error in errors[:MOST_ERRORS]
    ]
    detail = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in named)
    return problem(422, "validation-error", detail, errors=named)


def unauthenticated(error: Unauthenticated, *, has_token: bool) -> Response:
    """RFC 6750: what is wrong is only told to who has shown a token."""
    challenge = 'Bearer realm="touchline"'
    if has_token:
        challenge += f', error="invalid_token", error_description="{error}"'
    return problem(401, "unauthenticated", str(error), headers={"WWW-Authenticate": challenge})


def rate_limited(error: RateLimited) -> Response:
    headers = {"Retry-After": str(error.retry_after)}
    return problem(429, "rate-limited", str(error), headers=headers)


def unavailable(detail: str) -> Response:
    return problem(503, "unavailable", detail, headers=RETRY_AFTER)


def log_reason(error: TouchlineError) -> None:
    """For operators, under the request's id: why it is answered with 503."""
    _log.warning("answered with 503: %s", error)


def _out_of_order(error: TouchlineError) -> Response:
    log_reason(error)
    return unavailable(_TOLD_OF[type(error)])


def framework(request: Request, error: HTTPException) -> Response:
    """What no route of ours has answered."""
    if error.status_code in {400, 422}:
        return invalid([{"loc": ["body"], "msg": "must be JSON in UTF-8"}])
    headers = {"Allow": _allowed(request, error)} if error.status_code == 405 else error.headers
    code = _OF_STATUS.get(error.status_code, "internal-error")
    phrase = HTTPStatus(error.status_code).phrase
    detail = phrase if error.detail == phrase else f"{phrase}: {error.detail}"
    return problem(error.status_code, code, detail, headers=headers)


def _allowed(request: Request, error: HTTPException) -> str:
    """All methods of the path: the framework names only those of the first route that has it. Of
    what is mounted it is the only one that knows."""
    named = (error.headers or {}).get("Allow", "")
    found = {method for method in named.split(", ") if method}
    found |= {
        method
        for method in HTTPMethod
        for route in request.app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    if HTTPMethod.GET in found:
        found.add(HTTPMethod.HEAD)
    return ", ".join(sorted(found))


_ANSWERS: Mapping[type[Exception], Callable[[Request, Any], Response]] = {
    Unauthenticated: lambda request, error: unauthenticated(
        error, has_token=bearer(request) is not None
    ),
    Forbidden: lambda _, error: problem(403, "forbidden", str(error)),
    RateLimited: lambda _, error: rate_limited(error),
    RuleBroken: lambda request, error: broken_rule(
        error, part="query" if request.method == HTTPMethod.GET else "body"
    ),
    BadRequest: lambda _, error: invalid(error.errors),
    RequestValidationError: lambda _, error: invalid(error.errors()),
    Unavailable: lambda _, error: unavailable(str(error)),
    **dict.fromkeys(_TOLD_OF, lambda _, error: _out_of_order(error)),
    HTTPException: framework,
    ClientDisconnect: lambda *_: invalid([{"loc": ["body"], "msg": "ended early"}]),
    Exception: lambda *_: problem(
        500, "internal-error", "something went wrong on our side; it is logged"
    ),
}


def install(app: FastAPI) -> None:
    """Let every error of `app` be answered as a problem."""
    for error, answer in _ANSWERS.items():
        app.add_exception_handler(error, _at_once(answer))


def _at_once(
    answer: Callable[[Request, Any], Response],
) -> Callable[[Request, Any], Awaitable[Response]]:
    """A handler that runs where it is. Others are given to a thread."""

    async def handler(request: Request, error: Exception) -> Response:
        return answer(request, error)

    return handler
