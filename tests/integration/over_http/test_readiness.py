"""`/readyz` by each dependency's health, and a fault of our own: what can't be provoked outside."""

import asyncio

import httpx
import pytest
from prometheus_client import CollectorRegistry

from adapters.http.app import Health, health_app

UP = {"database": "up", "bus": "up"}


def asked(path: str, health: dict[str, str], method: str = "GET") -> httpx.Response:
    """An application of which each part is so."""
    return answer(path, lambda: health, method)


def answer(path: str, health: Health, method: str = "GET") -> httpx.Response:
    app = health_app("a consumer", health=health, registry=CollectorRegistry())

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


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
