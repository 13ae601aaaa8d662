"""One consumer as a process of its own."""

import gc
import threading

from domain.records import ConsumerName
from entrypoints import bootstrap
from entrypoints.ending import block_signals, run_until_signal
from entrypoints.settings import Settings


def run_consumer(
    name: ConsumerName, settings: Settings, url: str, *, health_port: int | None
) -> None:
    """Run until SIGTERM or SIGINT; then stop polling, leave the group and return."""
    block_signals()
    stop = threading.Event()
    measures = None if health_port is None else bootstrap.new_measures()
    runner = bootstrap.consumer_runner(name, settings, url, stop, measures=measures)
    threads = [threading.Thread(target=runner.run, name=name, daemon=True)]
    if health_port is not None:
        from entrypoints.servers import health_server

        app = bootstrap.consumer_health(runner, settings, url, measures=measures)
        serve_health = health_server(app, health_port, stop)
        threads.append(threading.Thread(target=serve_health, name="health", daemon=True))
    _collect_garbage_seldom()
    run_until_signal(threads, stop)


def _collect_garbage_seldom() -> None:
    """Batches are many objects that wait for a moment, and none of them is in a circle: to look at
    all of them again and again is work for nothing."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
