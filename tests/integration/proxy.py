"""The way between Touchline and what it needs, to be cut, delayed, frozen and reset."""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from tests.kafka.broker import free_ports

PIECE_BYTES = 64 << 10

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER: what was not sent yet is dropped, and the other side gets a reset."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Listens on a port of 127.0.0.1 and passes on what is said, on a thread of its own.

    What passes is never changed, lost or reordered while a connection lasts: TCP would not, either.
    """

    def __init__(self) -> None:
        """It has a port, but leads nowhere yet."""
        (self.port,) = free_ports(1)
        listener = socket.create_server(("127.0.0.1", self.port))
        self._connect: Callable[[], Awaitable[Ends]] | None = None
        self._listener: socket.socket | None = None
        self._served: set[asyncio.Task[None]] = set()
        """Also those that have not begun, or are ending."""
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._slowness = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._run(self._listen(listener))

    def lead_to_port(self, port: int) -> None:
        self._connect = lambda: asyncio.open_connection("127.0.0.1", port)

    def lead_to_file(self, path: str) -> None:
        """To who listens on a Unix socket."""
        self._connect = lambda: asyncio.open_unix_connection(path)

    def reset(self) -> None:
        """Every connection ends at once; new ones are welcome."""
        self._run(self._reset())

    def cut(self) -> None:
        """Every connection ends at once, and new ones are refused."""
        self._run(self._cut())

    def freeze(self) -> None:
        """Nothing passes any more, and nobody is told: connections seem to be there."""
        self._run(self._set(slowness=0.0, is_open=False))

    def delay(self, seconds: float) -> None:
        """Each piece takes up to so long."""
        self._run(self._set(slowness=seconds, is_open=True))

    def heal(self) -> None:
        """As if nothing had been; what was held back arrives."""
        self._run(self._listen(None))
        self._run(self._set(slowness=0.0, is_open=True))

    def close(self) -> None:
        self._run(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, listener: socket.socket | None) -> None:
        if self._listener is None:
            self._listener = listener or socket.create_server(("127.0.0.1", self.port))
            self._listener.setblocking(False)
            self._loop.add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        # Not asyncio's server: closed while it lets somebody in, it forgets the connection.
        with suppress(BlockingIOError, ConnectionAbortedError):
            end, _ = listener.accept()
            task = self._loop.create_task(self._serve(end))
            self._served.add(task)
            task.add_done_callback(self._served.discard)

    async def _set(self, *, slowness: float, is_open: bool) -> None:
        self._slowness = slowness
        if is_open:
            self._open.set()
        else:
            self._open.clear()

    async def _cut(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        await self._reset()

    async def _reset(self) -> None:
        served = list(self._served)
        # Who was let in just now begins, and can be ended; who is ending already is waited for.
        await asyncio.sleep(0)
        ended = {task: self._connections[task] for task in served if task in self._connections}
        for writers in ended.values():
            for writer in writers:
                end = writer.get_extra_info("socket")
                if end.family == socket.AF_INET and end.fileno() >= 0:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                writer.transport.abort()
        for task in ended:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)

    async def _serve(self, end: socket.socket) -> None:
        task = asyncio.current_task()
        assert task is not None
        writers = self._connections[task] = []
        pumps: list[asyncio.Task[None]] = []
        try:
            reader, writer = await asyncio.open_connection(sock=end)
            writers.append(writer)
            await self._open.wait()
            assert self._connect is not None
            their_reader, their_writer = await self._connect()
            writers.append(their_writer)
            pumps = [
                asyncio.create_task(self._pass_on(reader, their_writer)),
                asyncio.create_task(self._pass_on(their_reader, writer)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):
            pass  # nobody is there, or we were told to end: either way it ends below
        finally:
            # First of all: who is not there any more is not told to end in the midst of it.
            del self._connections[task]
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for each in writers:
                each.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                if self._slowness:
                    await asyncio.sleep(random.uniform(0, self._slowness))
                await self._open.wait()
                writer.write(piece)
                await writer.drain()
