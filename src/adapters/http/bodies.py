"""What every request must be like before it is looked at: small, JSON, no stray parameters."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterator
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from adapters.http.access import bearer, check_is_listed
from adapters.http.problems import BadRequest

LARGEST_BODY = 64 * 1024
"""Bytes."""

_WITH_BODY = frozenset({"POST", "PATCH"})
_JSON = frozenset({"application/json", "application/merge-patch+json"})


class StrictRoute(APIRoute):
    """A route that refuses who may not use it, large bodies, what is not JSON, and unknown or
    repeated parameters."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        operation = self.operation_id or self.name
        check_is_listed(operation)
        known = {name for p in _query_params(self.dependant) for name in _query_names(p)}

        async def strict(request: Request) -> Response:
            request.app.state.guard.admit(request, operation, bearer(request))
            if request.method in _WITH_BODY:
                _check_media_type(request)
            body = await read_body(request)
            if request.method in _WITH_BODY:
                # Where Starlette keeps what it has read and parsed itself.
                request._body = body  # noqa: SLF001
                request._json = parse_json(body)  # noqa: SLF001
            _check_query(request, known)
            return await handle(request)

        return strict


def parse_json(body: bytes) -> Any:
    """JSON as RFC 8259 has it; more than Python takes: UTF-8 only, no NaN, no name twice."""
    try:
        return json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as error:
        raise BadRequest((["body"], f"must be JSON in UTF-8: {error}")) from error


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        twice = [name for name, count in Counter(name for name, _ in members).items() if count > 1]
        raise ValueError(f"more than once in an object: {', '.join(twice)}")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _query_params(dependant: Dependant) -> Iterator[Any]:
    """Those of a route and of what it depends on."""
    yield from dependant.query_params
    for each in dependant.dependencies:
        yield from _query_params(each)


def _query_names(parameter: Any) -> list[str]:
    """The names that a parameter, or a model of parameters, takes from the query."""
    fields = getattr(parameter.field_info.annotation, "model_fields", None)
    return [parameter.alias] if fields is None else list(fields)


def _check_query(request: Request, known: Collection[str]) -> None:
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError as error:
        raise BadRequest((["query"], f"must be UTF-8: {error}")) from error
    given = Counter(name for name, _ in request.query_params.multi_items())
    wrong = [(["query", name], "unknown parameter") for name in given if name not in known]
    wrong += [(["query", name], "given more than once") for name in given if given[name] > 1]
    if wrong:
        raise BadRequest(*wrong)


def _check_media_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _JSON:
        raise HTTPException(415, "send application/json")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HTTPException(415, "send it without a Content-Encoding")


async def read_body(request: Request) -> bytes:
    """Read the body, however it is sent, but never keep more than is allowed.

    The rest of one that is too large need not be read here: the server throws it away, so that
    the client gets to read the answer, and the connection can be used again.
    """
    too_large = HTTPException(413, f"more than {LARGEST_BODY} bytes")
    if int(request.headers.get("content-length", "0")) > LARGEST_BODY:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise too_large
    return bytes(body)
