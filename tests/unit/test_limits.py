"""Limits: how much one client, and one request, may take."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from adapters.http.limits import MOST_KNOWN, RateLimit, RateLimited, TimeLimit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def allowed(limit: RateLimit, client: str, asked: int) -> int:
    """How many of so many requests at once are let in."""
    count = 0
    for _ in range(asked):
        try:
            limit.count(client)
        except RateLimited:
            continue
        count += 1
    return count


@pytest.mark.parametrize("rate", [0.5, 1, 3, 100])
def test_a_seconds_worth_at_once_then_its_share(rate: float) -> None:
    clock = Clock()
    limit = RateLimit(rate, monotonic=clock)
    assert allowed(limit, "ann", 1000) == max(int(rate), 1)
    clock.now += max(1.0, 1 / rate) + 1e-9
    assert allowed(limit, "ann", 1000) == max(int(rate), 1)


def test_over_a_long_time_it_is_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(10, monotonic=clock)
    count = 0
    for _ in range(6000):
        clock.now += 0.01
        count += allowed(limit, "ann", 1)
    assert 600 <= count <= 610


def test_one_client_is_not_held_up_by_another() -> None:
    limit = RateLimit(5, monotonic=Clock())
    assert allowed(limit, "ann", 100) == 5
    assert allowed(limit, "bob", 5) == 5


def test_it_says_when_to_come_again() -> None:
    clock = Clock()
    limit = RateLimit(0.25, monotonic=clock)
    limit.count("ann")
    with pytest.raises(RateLimited, match="4 s") as refused:
        limit.count("ann")
    clock.now += refused.value.retry_after
    limit.count("ann")


def test_memory_stays_small() -> None:
    clock = Clock()
    limit = RateLimit(10, monotonic=clock)
    for number in range(3 * MOST_KNOWN):
        clock.now += 0.001
        limit.count(str(number))
    assert len(limit._busy_until) <= MOST_KNOWN


def test_even_when_all_come_at_once() -> None:
    limit = RateLimit(10, monotonic=Clock())
    for number in range(2 * MOST_KNOWN):
        limit.count(str(number))
    assert len(limit._busy_until) <= MOST_KNOWN


App = Callable[[Scope, Receive, Send], Awaitable[None]]


def answered(app: App, seconds: float, *, ends: bool = False) -> list[Message]:
    """What is sent to a request under a time limit, whose server `ends`."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}
    limited = TimeLimit(
        app,
        seconds=seconds,
        answer=PlainTextResponse("too long", 503),
        answer_at_end=PlainTextResponse("the end", 503),
    )

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        if ends:
            asyncio.get_running_loop().call_soon(task.cancel)
        await limited(scope, receive, send)

    asyncio.run(run())
    return sent


async def lasting(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


def test_a_quick_request() -> None:
    sent = answered(Response(b"quick"), 60)
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"quick")


def test_a_body_that_never_ends() -> None:
    sent = answered(lasting, 0.01)
    assert (sent[0]["status"], sent[1]["body"]) == (503, b"too long")


def test_an_answer_that_has_begun_may_last() -> None:
    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"late"})

    assert answered(streaming, 0.01)[1]["body"] == b"late"


def test_a_server_that_ends() -> None:
    """What became of the request is unknown: that it is told, too."""
    sent = answered(lasting, 60, ends=True)
    assert (sent[0]["status"], sent[1]["body"]) == (503, b"the end")


def test_a_server_that_ends_in_the_midst_of_an_answer() -> None:
    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()

    with pytest.raises(asyncio.CancelledError):
        answered(streaming, 60, ends=True)


def test_a_timeout_of_something_else_is_not_ours() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError("of the application")

    with pytest.raises(TimeoutError, match="of the application"):
        answered(failing, 60)
