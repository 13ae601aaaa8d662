"""Each request has an id of ours, in its answer and in what is logged on its way."""

import asyncio
import json
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from structlog.contextvars import get_contextvars

from adapters.http.app import health_app
from adapters.http.request_ids import request_id

SECRET = "a-secret"


@pytest.fixture
def app() -> FastAPI:
    """It answers what its logs would carry, or fails."""
    app = health_app("test", health=dict, registry=CollectorRegistry())

    @app.get("/seen")
    async def seen() -> dict[str, str]:
        return {**get_contextvars(), "current": str(request_id())}

    @app.get("/fails")
    async def fails() -> None:
        raise RuntimeError("our fault")

    return app


@pytest.fixture(autouse=True)
def nothing_is_left_bound() -> Iterator[None]:
    yield
    structlog.contextvars.clear_contextvars()


def ask(app: FastAPI, path: str, *sent: tuple[str, str]) -> httpx.Response:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in sent]

    async def asking() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, headers=raw)

    return asyncio.run(asking())


def test_the_answer_names_it_and_the_logs_carry_it(app: FastAPI) -> None:
    answer = ask(app, "/seen")
    own = answer.headers["X-Request-ID"]
    assert UUID(own).version == 7
    assert answer.json() == {"request_id": own, "current": own}
    assert ask(app, "/seen").headers["X-Request-ID"] != own


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/fails", "/metrics"])
def test_every_answer_has_one(app: FastAPI, path: str) -> None:
    assert UUID(ask(app, path).headers["X-Request-ID"]).version == 7


def test_the_clients_own_is_logged_beside_ours(app: FastAPI) -> None:
    for own in ("whistle-7", "!" * 128, str(UUID(int=1))):
        seen = ask(app, "/seen", ("X-Request-ID", own))
        assert seen.json()["client_request_id"] == own
        assert seen.json()["request_id"] == seen.headers["X-Request-ID"] != own


@pytest.mark.parametrize(
    "values", [["a b"], [""], ["!" * 129], ["caf\xe9"], ["one", "two"], ["a\x7fb"]]
)
def test_what_can_not_be_an_id_is_not_logged(app: FastAPI, values: list[str]) -> None:
    sent = [("X-Request-ID", value) for value in values]
    assert "client_request_id" not in ask(app, "/seen", *sent).json()


def test_nothing_else_of_a_request_is_bound(app: FastAPI) -> None:
    sent = [("Authorization", f"Bearer {SECRET}"), ("Cookie", f"session={SECRET}")]
    seen = ask(app, f"/seen?token={SECRET}", *sent).json()
    assert SECRET not in json.dumps(seen)
    assert seen.keys() == {"request_id", "current"}
