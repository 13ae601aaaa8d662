"""A server in this process, whose patience a test can shorten, and bare connections to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry

from adapters.http.app import health_app
from entrypoints.servers import Server, bind, serve

PATIENCE = 30.0
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


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

    async def until(self, line: bytes) -> None:
        """Read what comes, up to that line."""
        while (found := await self._reader.readline()) != line:
            assert found, f"it has ended without {line!r}"

    async def read(self) -> bytes:
        """All that comes until the server ends the connection."""
        return await self._reader.read()

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def is_closed(self) -> None:
        """Wait until the server ends it, with nothing more to say."""
        with suppress(ConnectionResetError):
            assert await self.read() == b""

    async def trickles_until_closed(self, data: bytes) -> None:
        """Send it again and again until the server ends it."""
        closed = asyncio.create_task(self.is_closed())
        while not closed.done():
            self.send(data)
            await asyncio.sleep(0.01)  # no wait for something: it is the slowness itself
        await closed


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
    _add_routes(app, found)
    stop = asyncio.Event()
    running = asyncio.create_task(serve([Server(app, listener)], stop))
    try:
        yield found
    finally:
        await found.close()
        stop.set()
        await running


def _add_routes(app: FastAPI, serving: Serving) -> None:
    async def slow(request: Request) -> Response:
        await serving.goes_on.wait()
        return Response(b"at last")

    async def stream(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first\n"
            await serving.goes_on.wait()
            yield b"last\n"

        return StreamingResponse(chunks())

    async def body(request: Request) -> Response:
        return Response(await request.body())

    app.add_route("/body", body, methods=["POST"])
    app.add_route("/slow", slow)
    app.add_route("/stream", stream)


def run(test: Callable[[Serving], Coroutine[Any, Any, None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE), serving() as server:
            await test(server)

    asyncio.run(in_time())
