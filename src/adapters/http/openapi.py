"""What OpenAPI says of a server that FastAPI doesn't find by itself: problems and headers."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import ASGIApp

from adapters.http.access import MAY, OPEN
from adapters.http.headers import ENTITY_TAGS_PATTERN, KEY_PATTERN
from adapters.http.problems import CONTENT_TYPE
from adapters.http.schemas import Problem

Responses = dict[int | str, dict[str, Any]]
"""What OpenAPI says of a route's answers, by status."""

Links = dict[str, dict[str, Any]]
"""Where an answer leads, by name."""

RULES = """
Errors are `application/problem+json` (RFC 9457); `type` is `/problems/CODE`, and clients decide by
that. Times are RFC 3339, with an offset in what you send, in UTC in what you get, where they lie in
the years 1 to 9999.

What is no HTTP/1.1 at all is answered with 400 `bad-request`, and so are browsers that ask on
behalf of a page that may not use the API.

Unknown or repeated fields and query parameters are refused. A body is JSON in UTF-8 and at most
64 KiB. `HEAD` is answered wherever `GET` is; `405` names in `Allow` what a path serves. Each answer
has an `X-Request-ID`, by which logs tell what became of it; it is the `message_id` of what was
published.

Lists are newest first. `next` of a page is the `cursor` of the one after it, and stable while rows
are added; it is `null` at the end.
"""
"""What holds for every route of the two servers, at the head of their `/docs`."""

_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_REF = "#/components/schemas/{model}"

_MEANINGS = {
    401: "A token is needed, and none that counts was shown.",
    403: "The token's role, or its subject, may not do this.",
    404: "It is not there.",
    409: "The rules don't allow it now.",
    412: "The event is at another version.",
    413: "The body is over 64 KiB.",
    415: "The body is not JSON.",
    422: "A part of the request is not allowed; `errors` names it.",
    429: "Too many requests of this client.",
    500: "Our fault.",
    503: "Not just now, mostly as Kafka or PostgreSQL is away: `detail` says why; retry.",
}

_UNDECIDED = """Published, not yet decided. Once it is, an event's history names `message_id` beside
the version that it made; one that was refused, or said what another had said before, made none."""

_TAKEN: Mapping[str, dict[str, Any]] = {
    "Idempotency-Key": {
        "description": "1 to 255 visible ASCII characters: the same key again, the same answer.",
        "schema": {"type": "string", "pattern": KEY_PATTERN},
    },
    "If-Match": {
        "description": 'The versions that you expect, such as `"3"`; 412 when it is at another.',
        "schema": {"type": "string", "pattern": ENTITY_TAGS_PATTERN},
    },
    "If-None-Match": {
        "description": "The versions that you have; 304 when it is at one of them.",
        "schema": {"type": "string", "pattern": ENTITY_TAGS_PATTERN},
    },
    "Prefer": {
        "description": "`respond-async`: don't wait for the decision, answer 202.",
        "schema": {"type": "string"},
        "examples": {"respond-async": {"value": "respond-async"}},
    },
}
_GIVEN: Mapping[str, dict[str, Any]] = {
    "ETag": {
        "description": "Its version, in quotes.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[1-9][0-9]*"$'},
    },
    "Location": {
        "description": "Where it is, or will be.",
        "required": True,
        "schema": {"type": "string", "pattern": f"^/(events|bets)/{_ID}$"},
    },
    "Preference-Applied": {
        "description": "`respond-async`, if that was preferred.",
        "schema": {"const": "respond-async"},
    },
    "WWW-Authenticate": {
        "description": "How to show a token: `Bearer`, and what was wrong with the one shown.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
}


class DescribedApi(FastAPI):
    """An application whose document has the schema of problems; something may be around it."""

    def build_middleware_stack(self) -> ASGIApp:
        around: Callable[[ASGIApp], ASGIApp] = self.state.around
        return around(super().build_middleware_stack())

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None and self.state.guard.asks_for_tokens:
            _tell_of_tokens(super().openapi())
        document = super().openapi()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if Problem.__name__ not in schemas:
            problem = Problem.model_json_schema(ref_template=_REF)
            schemas |= problem.pop("$defs") | {Problem.__name__: problem}
        for content in _contents(document):
            # FastAPI says it in OpenAPI 3.2; before that, `schema` is that of each event.
            if "itemSchema" in content:
                content["schema"] = content.pop("itemSchema")
        return document


def _contents(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is said of each media type that is answered."""
    for item in document["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                yield from response.get("content", {}).values()


def _tell_of_tokens(document: dict[str, Any]) -> None:
    """Which operations need a token, and of which roles."""
    scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    document.setdefault("components", {})["securitySchemes"] = {"token": scheme}
    for path in document["paths"].values():
        for operation in path.values():
            roles = MAY[operation["operationId"]]
            if roles is OPEN:
                continue
            operation["security"] = [{"token": []}]
            described = refusals(401, 403)
            operation["responses"] |= {str(code): described[code] for code in (401, 403)}
            operation["description"] = (
                f"{operation.get('description', '')}\n\nFor: {', '.join(sorted(roles))}."
            )


def refusals(*statuses: int, is_open: bool = False) -> Responses:
    """The problems that a route may answer: these, and those that every route may. One that is
    open to all is not counted."""
    content = {CONTENT_TYPE: {"schema": {"$ref": _REF.format(model=Problem.__name__)}}}
    described: Responses = {
        status: {"description": _MEANINGS[status], "content": content}
        for status in sorted({*statuses, 413, 422, 500, 503} | (set() if is_open else {429}))
    }
    for status in described.keys() & {429, 503}:
        described[status] |= _headers("Retry-After")
    if 401 in described:
        described[401] |= _headers("WWW-Authenticate")
    return described


def undecided(model: type[BaseModel]) -> Responses:
    """202. It leads nowhere: until the request is decided there is nothing at its Location."""
    headers = _headers("Location", "Preference-Applied", "Retry-After")
    return {202: {"model": model, "description": _UNDECIDED} | headers}


def giving(status: int, *headers: str, links: Links | None = None) -> Responses:
    """The headers that come with a status, and where its body leads."""
    described = _headers(*headers) if headers else {}
    return {status: described | ({} if links is None else {"links": links})}


def leading_to(parameter: str, member: str, *operations: str) -> Links:
    """Links to operations, which take a member of the body as their path's parameter."""
    return {
        operation: {
            "operationId": operation,
            "parameters": {parameter: f"$response.body#/{member}"},
        }
        for operation in operations
    }


def _headers(*names: str) -> dict[str, Any]:
    return {"headers": {name: _GIVEN[name] for name in names}}


def taking(*names: str) -> dict[str, Any]:
    """The `openapi_extra` of a route that understands these request headers."""
    return {
        "parameters": [
            {"name": name, "in": "header", "required": False} | _TAKEN[name] for name in names
        ]
    }
