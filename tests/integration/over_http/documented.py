"""What every answer is held to: the server's own OpenAPI document, and the known problems."""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import httpx
from jsonschema import Draft202012Validator

Json = dict[str, Any]

CODES: Mapping[str, tuple[int, frozenset[str]]] = {
    "unauthenticated": (401, frozenset()),
    "forbidden": (403, frozenset()),
    "rate-limited": (429, frozenset()),
    "bad-request": (400, frozenset()),
    "validation-error": (422, frozenset({"errors"})),
    "not-found": (404, frozenset()),
    "method-not-allowed": (405, frozenset()),
    "unsupported-media-type": (415, frozenset()),
    "body-too-large": (413, frozenset()),
    "unavailable": (503, frozenset()),
    "event-not-found": (404, frozenset()),
    "bet-not-found": (404, frozenset()),
    "bet-refused": (404, frozenset({"reason"})),
    "version-mismatch": (412, frozenset()),
    "illegal-transition": (409, frozenset({"from", "to"})),
    "field-frozen": (409, frozenset({"field"})),
    "score-not-allowed": (409, frozenset()),
    "event-conflict": (409, frozenset()),
    "event-has-bets": (409, frozenset({"bets"})),
    "event-not-open": (409, frozenset()),
    "event-deleted": (409, frozenset()),
    "bet-deleted": (409, frozenset()),
    "idempotency-key-reused": (422, frozenset()),
}
"""Every problem that a client may meet: its status, and its members beyond the usual ones.
`internal-error` is not among them: no request may cause it."""

_MEMBERS = {"type", "title", "status", "detail"}


class Document:
    """One server's `/openapi.json`."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self._validators: dict[str, Draft202012Validator] = {}

    @cached_property
    def operations(self) -> dict[tuple[str, str], Json]:
        """By method and path."""
        return {
            (method.upper(), path): operation
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
        }

    def operation(self, method: str, path: str) -> Json | None:
        """What serves such a request; HEAD is served as GET, as HTTP has it."""
        method = "GET" if method == "HEAD" else method
        for (described, template), operation in self.operations.items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template)
            if described == method and re.fullmatch(pattern, path, re.DOTALL):
                return operation
        return None

    def check(self, response: httpx.Response) -> None:
        """Fail unless the document says that this may be answered to such a request."""
        request = response.request
        operation = self.operation(request.method, request.url.path)
        status = str(response.status_code)
        if operation is None:
            assert status in {"404", "405"} or request.url.path in {"/docs", "/openapi.json"}
            return
        described = operation["responses"].get(status)
        assert described, f"{request.method} {request.url.path} → {status} is not documented"
        if request.method == "HEAD":
            return
        content = described.get("content", {})
        if not content:
            assert response.content == b""
            return
        media_type = response.headers["content-type"].partition(";")[0]
        assert media_type in content
        if media_type.endswith("json"):
            self._validator(content[media_type]["schema"]).validate(response.json())

    def _validator(self, schema: Json) -> Draft202012Validator:
        name = json.dumps(schema)
        if name not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[name] = Draft202012Validator(whole)
        return self._validators[name]


def check_problem(response: httpx.Response) -> None:
    """Fail unless it is one of the known problems, whole and with nothing else."""
    assert response.headers["content-type"] == "application/problem+json"
    assert ("Allow" in response.headers) == (response.status_code == 405)
    assert ("Retry-After" in response.headers) == (response.status_code in {429, 503})
    assert ("WWW-Authenticate" in response.headers) == (response.status_code == 401)
    if response.request.method == "HEAD":
        return
    problem = response.json()
    root, _, code = problem["type"].rpartition("/")
    assert (root, code) == ("/problems", code)
    status, members = CODES[code]
    assert response.status_code == problem["status"] == status
    assert problem.keys() == _MEMBERS | members
    assert isinstance(problem["title"], str)
    assert isinstance(problem["detail"], str)
    if code == "validation-error":
        _check_errors(problem["errors"])


def _check_errors(errors: list[Json]) -> None:
    assert errors
    for error in errors:
        assert error.keys() == {"loc", "msg"}
        assert error["loc"][0] in {"body", "query", "path", "header"}
        assert isinstance(error["msg"], str)
