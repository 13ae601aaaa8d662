"""One of the two servers as a process of its own, or several behind one socket."""

import asyncio
import os
import signal
from types import FrameType
from typing import Any

import structlog
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from entrypoints import bootstrap
from entrypoints.ending import end_of_service
from entrypoints.logs import configure_logs
from entrypoints.servers import Server, bind, check_exposure, how_to_serve, serve, url_of
from entrypoints.settings import Settings, load_settings

URL_FOR_WORKERS = "_TOUCHLINE_WORKERS_DATABASE_URL"
"""Where several workers find the URL: the embedded database's is in no setting."""

APPS = {"events": bootstrap.events_api, "bets": bootstrap.bets_api}


def run_api(name: str, settings: Settings, url: str, *, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or SIGINT; open requests are answered first."""
    check_exposure(settings, host)
    bootstrap.protection(settings)  # here, once: what is wrong with a key is no worker's business
    if workers == 1:
        asyncio.run(_run_one(name, settings, url, host, port))
        return
    os.environ[URL_FOR_WORKERS] = url
    config = how_to_serve(f"entrypoints.api_process:{name}_worker", factory=True, workers=workers)
    # What `uvicorn.run` does, on a socket of ours: its own would be slow (see `bind`).
    Multiprocess(config, sockets=[bind(host, port)]).run()


async def _run_one(name: str, settings: Settings, url: str, host: str, port: int) -> None:
    stop = await end_of_service()
    listener = bind(host, port)
    structlog.get_logger(f"{name}-api").info("listening", url=url_of(listener))
    await serve([Server(APPS[name](settings, url), listener)], stop)


def _worker(name: str) -> FastAPI:
    settings = load_settings()
    configure_logs(settings)
    app = APPS[name](settings, os.environ[URL_FOR_WORKERS])
    _tell_of_signals(app)
    return app


def _tell_of_signals(app: FastAPI) -> None:
    """Before uvicorn's own handlers, which are there by now: a stream never ends by itself, and
    would be waited for; a verdict may come late."""
    for each in (signal.SIGTERM, signal.SIGINT):
        handle = signal.getsignal(each)

        def end(number: int, frame: FrameType | None, handle: Any = handle) -> None:
            app.state.about_to_end()
            handle(number, frame)

        signal.signal(each, end)


def events_worker() -> FastAPI:
    """What each of several workers of the events API runs."""
    return _worker("events")


def bets_worker() -> FastAPI:
    """What each of several workers of the bets API runs."""
    return _worker("bets")
