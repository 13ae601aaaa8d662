"""Everything in one process, embedded: two servers, three consumers, one PostgreSQL."""

import asyncio
import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from domain.errors import Misconfigured
from domain.log import EVENTS_TAXONOMY, PARTITIONS
from domain.records import ConsumerName
from entrypoints import bootstrap
from entrypoints.credentials import Credentials, credentials_of_all
from entrypoints.ending import end_in_time, end_of_service, end_on_signal, ignore_signals
from entrypoints.logs import spare_terminals
from entrypoints.runner import ConsumerRunner
from entrypoints.servers import Server, bind, check_exposure, serve, url_of
from entrypoints.settings import Settings


def run_everything(
    settings: Settings, *, host: str, events_port: int, bets_port: int, demo: bool
) -> None:
    """Run until SIGTERM or SIGINT, then drain: requests first, then the consumers."""
    end_on_signal()
    spare_terminals(settings)
    check_exposure(settings, host)
    play = credentials_of_all(settings) if demo else None
    sockets = [bind(host, events_port), bind(host, bets_port)]
    with _only_one(settings.data), bootstrap.database_url(settings) as url:
        bootstrap.migrate(url)
        bootstrap.create_topics(settings, url)
        stop_consumers = threading.Event()
        measures = bootstrap.new_measures()
        runners = [
            bootstrap.consumer_runner(name, settings, url, stop_consumers, measures=measures)
            for name in ConsumerName
        ]
        threads = [
            threading.Thread(target=runner.run, name=runner.name, daemon=True) for runner in runners
        ]
        try:
            for thread in threads:
                thread.start()
            apps = [
                create(settings, url, beside=runners, measures=measures)
                for create in (bootstrap.events_api, bootstrap.bets_api)
            ]
            servers = [Server(*each) for each in zip(apps, sockets, strict=True)]
            asyncio.run(_serve(servers, runners, [url_of(each) for each in sockets], play))
        finally:
            ignore_signals()
            stop_consumers.set()
            end_in_time()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()


@contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """Keep a second `up` away from the same folder."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "up.lock").open("w")
    except OSError as error:
        raise Misconfigured(f"can't keep data in {data.resolve()}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise Misconfigured(f"another `touchline up` runs on {data.resolve()}") from busy
        yield


async def _serve(
    servers: list[Server],
    runners: list[ConsumerRunner],
    urls: list[str],
    play: Credentials | None,
) -> None:
    stop = await end_of_service()
    ready = asyncio.create_task(_announce(servers, runners, urls, stop, play))
    await serve(servers, stop)
    ready.cancel()
    with suppress(asyncio.CancelledError):
        await ready


async def _announce(
    servers: list[Server],
    runners: list[ConsumerRunner],
    urls: list[str],
    stop: asyncio.Event,
    play: Credentials | None,
) -> None:
    """Say `touchline ready …` once every part is up; then play the demo match, if there are
    credentials for it."""
    for server in servers:
        await server.until_started()
    while not all(map(_is_reading, runners)):  # noqa: ASYNC110 - other threads, no event
        await asyncio.sleep(0.01)
    print(f"touchline ready events={urls[0]} bets={urls[1]}", flush=True)  # noqa: T201
    if play is not None:
        print(f"Watch it at {urls[1]}/ and run matches at {urls[0]}/", flush=True)  # noqa: T201
        await _play(urls, stop, play)


def _is_reading(runner: ConsumerRunner) -> bool:
    taxonomy = [r for r in runner.readings() if r.source.topic == EVENTS_TAXONOMY]
    return runner.trouble is None and len(taxonomy) == PARTITIONS


async def _play(urls: list[str], stop: asyncio.Event, credentials: Credentials) -> None:
    from entrypoints.demo_command import run_demo

    stop_demo = threading.Event()
    loop = asyncio.get_running_loop()
    playing = loop.run_in_executor(
        None,
        lambda: run_demo(
            events_url=urls[0], bets_url=urls[1], credentials=credentials, stop=stop_demo
        ),
    )
    stopping = asyncio.ensure_future(stop.wait())
    either: list[asyncio.Future[Any]] = [playing, stopping]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    stop_demo.set()
    await playing
    stopping.cancel()
    if not stop.is_set():
        print(  # noqa: T201
            f"Touchline goes on, for players at {urls[1]}/ and for operators at {urls[0]}/;"
            " both describe their APIs at /docs. Ctrl-C stops it.",
            flush=True,
        )
