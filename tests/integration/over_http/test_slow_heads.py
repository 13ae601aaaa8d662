"""Who sends no request's head in time loses the connection; who waits for an answer doesn't."""

import pytest

from adapters.http import connections
from adapters.http.bodies import LARGEST_BODY
from entrypoints import servers
from tests.integration.over_http.serving import LIVEZ, Serving, run

REFUSED = b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (3 * LARGEST_BODY)


@pytest.fixture
def short_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)


@pytest.mark.usefixtures("short_of_time")
@pytest.mark.parametrize("begun", [b"", b"GET /livez HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_never_ends(begun: bytes) -> None:
    async def test(server: Serving) -> None:
        await (await server.connect(begun)).is_closed()
        client = await server.connect(LIVEZ)
        assert await client.status() == 200
        client.send(begun or b"G")
        await client.is_closed()

    run(test)


@pytest.mark.usefixtures("short_of_time")
def test_no_byte_makes_it_longer() -> None:
    async def test(server: Serving) -> None:
        client = await server.connect(LIVEZ)
        assert await client.status() == 200
        await client.trickles_until_closed(b"G")

    run(test)


@pytest.mark.usefixtures("short_of_time")
def test_a_head_that_has_begun_behind_another_request() -> None:
    async def test(server: Serving) -> None:
        client = await server.connect(LIVEZ + b"GET /livez")
        assert await client.status() == 200
        await client.is_closed()

    run(test)


@pytest.mark.usefixtures("short_of_time")
def test_what_is_idle_or_answered_stays() -> None:
    """However long an answer lets itself be waited for, or goes on."""

    async def test(server: Serving) -> None:
        idle, slow, streaming = [await server.connect(LIVEZ) for _ in range(3)]
        for client in (idle, slow, streaming):
            assert await client.status() == 200
        slow.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        streaming.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        await streaming.until(b"first\n")
        await server.a_head_has_timed_out()
        server.goes_on.set()
        assert await slow.status() == 200
        await streaming.until(b"last\n")
        idle.send(LIVEZ)
        assert await idle.status() == 200

    run(test)


def test_what_is_idle_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or sends a refused body so slowly that it comes to the same."""
    monkeypatch.setattr(servers, "KEEP_ALIVE", 0.2)

    async def test(server: Serving) -> None:
        idle = await server.connect(LIVEZ)
        assert await idle.status() == 200
        await idle.is_closed()
        refused = await server.connect(REFUSED)
        assert await refused.status() == 405
        await refused.trickles_until_closed(b" ")

    run(test)


@pytest.mark.usefixtures("short_of_time")
def test_a_refused_body_is_no_head() -> None:
    """It may take as long as an idle connection, and the next request comes behind it."""

    async def test(server: Serving) -> None:
        client = await server.connect(REFUSED)
        assert await client.status() == 405
        client.send(b" " * LARGEST_BODY)
        await server.a_head_has_timed_out()
        client.send(b" " * 2 * LARGEST_BODY)
        await server.a_head_has_timed_out()
        client.send(LIVEZ)
        assert await client.status() == 200

    run(test)
