"""One consumer as a process of its own."""

import asyncio
import gc
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from domain.records import ConsumerName
from entrypoints import bootstrap
from entrypoints.ending import SIGNALS, end_in_time
from entrypoints.runner import ConsumerRunner
from entrypoints.settings import Settings


def run_consumer(
    name: ConsumerName, settings: Settings, url: str, *, health_port: int | None
) -> None:
    """Run until SIGTERM or SIGINT; then stop polling, leave the group and return."""
    # The main thread only waits for the signal: a handler could not run while a driver hangs.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    stop = threading.Event()
    runner = bootstrap.consumer_runner(name, settings, url, stop)
    threads = [threading.Thread(target=runner.run, name=name, daemon=True)]
    if health_port is not None:
        serve_health = _health_server(runner, settings, url, health_port, stop)
        threads.append(threading.Thread(target=serve_health, name="health", daemon=True))
    _collect_garbage_seldom()
    for thread in threads:
        thread.start()
    signal.sigwait(SIGNALS)
    stop.set()
    end_in_time()
    for thread in threads:
        thread.join()


def _collect_garbage_seldom() -> None:
    """Batches are many objects that wait for a moment, and none of them is in a circle: to look at
    all of them again and again is work for nothing."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _health_server(
    runner: ConsumerRunner, settings: Settings, url: str, port: int, stop: threading.Event
) -> Callable[[], None]:
    """What serves `/livez`, `/readyz` and `/metrics` until `stop`; the port is taken already."""
    from entrypoints.servers import Server, bind, serve

    # Health is asked from outside the machine's loopback: by an orchestrator's probe.
    listener = bind("0.0.0.0", port)  # noqa: S104
    server = Server(bootstrap.consumer_health(runner, settings, url), listener)

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
