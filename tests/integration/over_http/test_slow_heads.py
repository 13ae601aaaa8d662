"""A server whose time for a request's head is short: who sends none gives its connection back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry

from adapters.http import connections
from adapters.http.app import health_app
from adapters.http.bodies import LARGEST_BODY
from entrypoints import servers
from entrypoints.servers import Server, bind, serve

PATIENCE = 30.0
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
REFUSED = b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (3 * LARGEST_BODY)


class Client:
    """A bare connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def status(self) -> int:
        """Of the next answer, whose body is read, too."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        (length,) = (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        await self._reader.readexactly(length)
        return int(head.split()[1])

    async def chunk(self) -> bytes:
        """The next of an answer that goes on."""
        return await self._reader.readuntil(b"\n")

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def is_closed(self) -> None:
        """Wait until the server ends it, with nothing more to say."""
        with suppress(ConnectionResetError):
            assert await self._reader.read() == b""


class Serving:
    """A server in this process, and how to reach it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients: list[Client] = []
        self.goes_on = asyncio.Event()
        """What one request waits for before its answer, another in the midst of it."""

    async def connect(self, data: bytes = b"") -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self._port))
        self._clients.append(client)
        client.send(data)
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.close()

    async def a_head_has_timed_out(self) -> None:
        """By now all that began before would have been cut, too."""
        await (await self.connect(b"GET /livez HTTP/1.1\r\nHo")).is_closed()


@asynccontextmanager
async def serving() -> AsyncIterator[Serving]:
    app = health_app("slow", health=dict, registry=CollectorRegistry())
    listener = bind("127.0.0.1", 0)
    found = Serving(listener.getsockname()[1])
    _add_slow_routes(app, found)
    stop = asyncio.Event()
    running = asyncio.create_task(serve([Server(app, listener)], stop))
    try:
        yield found
    finally:
        await found.close()
        stop.set()
        await running


def _add_slow_routes(app: FastAPI, serving: Serving) -> None:
    async def slow(request: Request) -> Response:
        await serving.goes_on.wait()
        return Response(b"at last")

    async def stream(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first\n"
            await serving.goes_on.wait()
            yield b"last\n"

        return StreamingResponse(chunks())

    app.add_route("/slow", slow)
    app.add_route("/stream", stream)


def run(test: Callable[[Serving], Coroutine[Any, Any, None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE), serving() as server:
            await test(server)

    asyncio.run(in_time())


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
        closed = asyncio.create_task(client.is_closed())
        while not closed.done():
            client.send(b"G")
            await asyncio.sleep(0.01)  # no wait for something: it is the slowness itself
        await closed

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
        while await streaming.chunk() != b"first\n":
            pass
        await server.a_head_has_timed_out()
        server.goes_on.set()
        assert await slow.status() == 200
        while await streaming.chunk() != b"last\n":
            pass
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
        closed = asyncio.create_task(refused.is_closed())
        while not closed.done():
            refused.send(b" ")
            await asyncio.sleep(0.01)  # no wait for something: it is the slowness itself
        await closed

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
