"""What all pages share: errors as pages or as parts of them, forms, who the player is."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from adapters.http.bodies import read_body
from adapters.http.pages import words
from adapters.http.pages.rendering import html
from adapters.http.problems import RETRY_AFTER, STATUSES, BadRequest
from domain.errors import InvalidValue, Misconfigured, RuleBroken, Unavailable

FORM = "application/x-www-form-urlencoded"


class PageRoute(APIRoute):
    """A route whose errors are for people. htmx asks for parts of a page, and gets parts."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                if request.method == "POST":
                    _check_form(request)
                return await handle(request)
            except RuleBroken as broken:
                text = words.REASONS.get(broken.code, str(broken))
                if isinstance(broken, InvalidValue):
                    text = f"{broken.field}: {broken.problem}"
                return _problem(request, STATUSES[type(broken)], text)
            except BadRequest as bad:
                return _problem(request, 422, *(_named(error) for error in bad.errors))
            except (RequestValidationError, ValidationError) as invalid:
                return _problem(request, 422, *map(_named, invalid.errors()))
            except (Unavailable, Misconfigured):
                text = "Touchline can't reach its database or its log just now. Try again."
                response = _problem(request, 503, text)
                response.headers.update(RETRY_AFTER)
                return response

        return shown


def _problem(request: Request, status: int, *texts: str) -> Response:
    if is_part(request):
        return html("problem.html", status, texts=texts)
    return html("problem_page.html", status, texts=texts)


def _named(error: Mapping[str, Any]) -> str:
    place = [str(each) for each in error["loc"] if each not in {"body", "query", "path"}]
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(place)}: {message}" if place else message


def is_part(request: Request) -> bool:
    """Whether htmx asks. No other site's page can say so: browsers ask us first, and we refuse."""
    return request.headers.get("hx-request") == "true"


def _check_form(request: Request) -> None:
    if not is_part(request):
        raise HTTPException(403, "forms are sent by their page's script")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415, f"send {FORM}")


async def form(request: Request) -> dict[str, str]:
    """The fields of a form that are not empty."""
    body = await read_body(request)
    try:
        pairs = parse_qsl(body.decode(), strict_parsing=bool(body), max_num_fields=50)
    except ValueError as error:
        raise BadRequest((["body"], f"must be a form: {error}")) from error
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise BadRequest((["body"], "a field is there more than once"))
    return fields
