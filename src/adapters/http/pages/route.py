"""What all pages share: errors as pages or as parts of them, forms, places in the story."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from adapters.http.access import Forbidden, Unauthenticated, check_is_listed
from adapters.http.bodies import read_body
from adapters.http.limits import RateLimited
from adapters.http.pages import words
from adapters.http.pages.rendering import html
from adapters.http.problems import RETRY_AFTER, STATUSES, BadRequest, framework, log_reason
from adapters.http.streams import last_event_id, reach_of
from domain.errors import InvalidValue, Misconfigured, RuleBroken, Unavailable
from domain.records import Reach

TOKEN = "touchline_token"  # noqa: S105 - the name, not the token
"""The cookie of who has signed in. Only pages read it: the APIs want the token in a header, which
no page of elsewhere can send along."""

SIGN_IN = "/pages/sign-in"
STREAM = "/pages/stream"
FORM = "application/x-www-form-urlencoded"
_log = logging.getLogger(__name__)


class PageRoute(APIRoute):
    """A route whose errors are for people. htmx asks for parts of a page, and gets parts."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        operation = self.operation_id or self.name
        check_is_listed(operation)

        async def shown(request: Request) -> Response:
            try:
                request.app.state.guard.admit(request, operation, request.cookies.get(TOKEN))
                if request.method == "POST":
                    _check_form(request)
                return await handle(request)
            except Unauthenticated:
                return _to_sign_in(request)
            except Exception as error:  # noqa: BLE001 - whatever it is, a person waits for a page
                return _problem(request, error)

        return shown


def _to_sign_in(request: Request) -> Response:
    if is_part(request):
        return Response(status_code=401, headers={"HX-Redirect": SIGN_IN})
    if request.url.path == STREAM:
        # A page isn't told the status of its stream; it would ask again for ever.
        return Response("event: expired\ndata:\n\n", media_type="text/event-stream")
    return RedirectResponse(SIGN_IN, 303)


def _problem(request: Request, error: Exception) -> Response:
    status, texts = _told(error)
    template = "problem.html" if is_part(request) else "problem_page.html"
    response = html(template, status, texts=texts, is_forbidden=status == 403)
    if status == 503:
        response.headers.update(RETRY_AFTER)
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


async def nothing_here(request: Request, error: Exception) -> Response:
    """An address that leads nowhere: a page for those who look with a browser."""
    if "text/html" in request.headers.get("accept", ""):
        return _problem(request, error)
    assert isinstance(error, HTTPException)
    return framework(request, error)


def _told(error: Exception) -> tuple[int, list[str]]:
    """The status of an error, and what people are told."""
    match error:
        case InvalidValue():
            return 422, [f"{error.field}: {error.problem}"]
        case RuleBroken():
            return STATUSES[type(error)], [words.REASONS.get(error.code, str(error))]
        case Forbidden():
            return 403, [str(error)]
        case RateLimited():
            return 429, [str(error)]
        case BadRequest():
            return 422, [_named(each) for each in error.errors]
        case RequestValidationError() | ValidationError():
            return 422, [_named(each) for each in error.errors()]
        case HTTPException(status_code=404):
            return 404, ["There is nothing at this address."]
        case HTTPException():
            return error.status_code, [error.detail]
        case Unavailable() | Misconfigured():
            log_reason(error)
            return 503, ["Touchline can't reach its database or its log just now. Try again."]
        case _:
            _log.exception("a page failed", exc_info=error)
            return 500, ["Something went wrong on our side; it is logged."]


def _named(error: Mapping[str, Any]) -> str:
    place = [str(each) for each in error["loc"] if each not in {"body", "query", "path"}]
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(place)}: {message}" if place else message


def is_part(request: Request) -> bool:
    """Whether htmx asks. No other site's page can say so: browsers ask us first, and we refuse."""
    return request.headers.get("hx-request") == "true"


def _check_form(request: Request) -> None:
    if not is_part(request):
        raise HTTPException(403, "Forms are sent by their page's script.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415, f"Send {FORM}.")


async def form(request: Request) -> dict[str, str]:
    """The fields of a form that are not empty, without white space around them."""
    body = await read_body(request)
    try:
        pairs = parse_qsl(body.decode(), strict_parsing=bool(body), max_num_fields=50)
    except ValueError as error:
        raise BadRequest((["body"], f"must be a form: {error}")) from error
    fields = {name: value.strip() for name, value in pairs if value.strip()}
    if len({name for name, _ in pairs}) < len(pairs):
        raise BadRequest((["body"], "a field is there more than once"))
    return fields


def since(request: Request) -> Reach | None:
    """Up to where a page knows of all that happened: what it was told last, or was made from."""
    return last_event_id(request) or reach_of(request.query_params.get("since", ""), "since")
