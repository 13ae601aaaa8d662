"""`/readyz` by each dependency's health, and a fault of our own: what can't be provoked outside."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
import pytest
from prometheus_client import CollectorRegistry

from adapters.http.app import Health, health_app

Answer = TypeVar("Answer")
PATIENCE = 30.0
UP = {"database": "up", "bus": "up"}


def asked(path: str, health: dict[str, str], method: str = "GET") -> httpx.Response:
    """An application of which each part is so."""
    return answer(path, lambda: health, method)


def answer(path: str, health: Health, method: str = "GET") -> httpx.Response:
    return asyncio.run(_with_client(health, lambda client: client.request(method, path)))


async def _with_client(
    health: Health, ask: Callable[[httpx.AsyncClient], Awaitable[Answer]]
) -> Answer:
    app = health_app("a consumer", health=health, registry=CollectorRegistry())
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        asyncio.timeout(PATIENCE),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        return await ask(client)


@pytest.mark.parametrize(
    ("health", "status"),
    [
        (UP, 200),
        (UP | {"bus": "down"}, 200),
        (UP | {"consumer": "up"}, 200),
        (UP | {"consumer": "history lost"}, 503),
        (UP | {"database": "down: not migrated"}, 503),
        ({"database": "down: gone", "bus": "down"}, 503),
        ({}, 503),
    ],
)
def test_readiness(health: dict[str, str], status: int) -> None:
    response = asked("/readyz", health)
    assert response.status_code == status
    assert response.json() == {"status": "ok" if status == 200 else "unavailable"} | health
    assert asked("/readyz", health, "HEAD").status_code == status
    assert asked("/livez", health).json() == {"status": "ok"}


def test_dependencies_that_hang_hold_up_nothing_else() -> None:
    """However many ask for them: it is asked for once, and all are answered."""
    begun, answers = threading.Event(), threading.Event()
    asked = []

    def hanging() -> dict[str, str]:
        asked.append(1)
        begun.set()
        assert answers.wait(PATIENCE)
        return UP

    async def ask(client: httpx.AsyncClient) -> None:
        gone, *others = [asyncio.create_task(client.get("/readyz")) for _ in range(100)]
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
        gone.cancel()
        answers.set()
        assert {each.status_code for each in await asyncio.gather(*others)} == {200}
        assert len(asked) == 1
        assert (await client.get("/readyz")).status_code == 200
        assert len(asked) == 2

    asyncio.run(_with_client(hanging, ask))


def test_a_consumer_has_no_more_than_health() -> None:
    document = asked("/openapi.json", UP).json()
    assert document["paths"].keys() == {"/livez", "/readyz", "/metrics"}
    assert document["components"]["schemas"].keys() == {"Problem", "ProblemError"}
    assert asked("/events", UP).json()["type"] == "/problems/not-found"
    assert asked("/livez", UP, "POST").headers["Allow"] == "GET, HEAD"


def test_a_fault_of_our_own_tells_nothing_of_the_inside() -> None:
    def broken() -> dict[str, str]:
        raise RuntimeError("password")

    response = answer("/readyz", broken)
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "/problems/internal-error",
        "title": "Internal error",
        "status": 500,
        "detail": "something went wrong on our side; it is logged",
    }
