"""HTTP servers on sockets that are bound first: a busy port is a clear error, 0 is a free one."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from domain.errors import Misconfigured
from entrypoints import bootstrap
from entrypoints.settings import PREFIX, Settings

KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than clients keep theirs, or a request would
meet its end. httpx keeps five, which is uvicorn's default, too."""

SHUTDOWN_TIMEOUT = 5
"""Seconds that open requests get when a server stops."""


def check_exposure(settings: Settings, host: str) -> None:
    """Raises Misconfigured for an address that others reach, where nobody is asked for a token;
    only warns where that is allowed. Misconfigured, too, for a name that is nobody's."""
    if settings.auth != "off" or _is_loopback(host):
        return
    if not settings.allow_unauthenticated:
        raise Misconfigured(
            f"{host} is reached from outside this machine, and anybody there could do everything:"
            f" ask for tokens ({PREFIX}AUTH=jwt), listen on 127.0.0.1, or, if others are kept"
            f" away otherwise, set {PREFIX}ALLOW_UNAUTHENTICATED=1"
        )
    structlog.get_logger("servers").warning("anybody who reaches it may do everything", host=host)


def _is_loopback(host: str) -> bool:
    if not host:
        return False  # it stands for all addresses
    try:
        found = {each[4][0] for each in socket.getaddrinfo(host, None)}
    except OSError as unknown:
        raise Misconfigured(f"can't listen on {host}: {unknown.strerror}") from unknown
    return all(ip_address(str(each).partition("%")[0]).is_loopback for each in found)


def bind(host: str, port: int) -> socket.socket:
    """Listen on the address, or raise Misconfigured that says who could not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named. Without it each answer is held
    # back until the client acknowledges its head: 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Only who listens keeps others away from the port.
        listener.listen()
    except OSError as busy:
        listener.close()
        raise Misconfigured(f"can't listen on {host}:{port}: {busy.strerror}") from busy
    listener.set_inheritable(True)
    return listener


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only shown
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def how_to_serve(app: FastAPI | str, **more: Any) -> uvicorn.Config:
    """What holds for each server process, be it alone or one of several workers."""
    return uvicorn.Config(
        app,
        http=bootstrap.http_connection(),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
        timeout_keep_alive=KEEP_ALIVE,
        lifespan="on",
        **more,
    )


class Server(uvicorn.Server):
    """A server that leaves the signals to whoever runs it."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        super().__init__(how_to_serve(app))
        self._app = app
        self._listener = listener

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A stream never ends by itself, and would be waited for; a verdict may come late.
        self._app.state.about_to_end()
        await super().shutdown(sockets)

    async def run_until_exit(self) -> None:
        await self.serve(sockets=[self._listener])

    async def until_started(self) -> bool:
        """Whether it started; False when it gave up."""
        while not self.started and not self.should_exit:  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.005)
        return self.started


async def serve(servers: Sequence[Server], stop: asyncio.Event) -> None:
    """Run until `stop`, then let open requests end."""
    running = [asyncio.create_task(server.run_until_exit()) for server in servers]
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([*running, stopped], return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    stopped.cancel()
    await asyncio.gather(*running)


def health_server(app: FastAPI, port: int, stop: threading.Event) -> Callable[[], None]:
    """What serves `/livez`, `/readyz` and `/metrics` until `stop`; the port is taken already."""
    # Health is asked from outside the machine's loopback: by an orchestrator's probe.
    listener = bind("0.0.0.0", port)  # noqa: S104
    server = Server(app, listener)
    structlog.get_logger("health").info("listening", url=url_of(listener))

    async def run() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        waiting = threading.Thread(target=tell, args=(loop, ended), daemon=True)
        waiting.start()
        await serve([server], ended)

    def tell(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
        stop.wait()
        with suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(ended.set)

    return lambda: asyncio.run(run())
