"""How a process ends: told by a signal, in time, whatever hangs."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

DRAIN_SECONDS = 8.0
"""Seconds in which a process ends by itself; it may take 10."""

_log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_in_time() -> None:
    """From now on the process ends within DRAIN_SECONDS, even where a thread hangs in a driver.
    What is cut short was not promised to anybody yet, and is repeated after the next start."""
    timer = threading.Timer(DRAIN_SECONDS, os._exit, [0])
    timer.name = "end-in-time"
    timer.daemon = True
    try:
        timer.start()
    except RuntimeError:  # no thread to be had: then it ends as soon as it can
        _log.exception("the end of this process has no time limit")


async def end_of_service() -> asyncio.Event:
    """An event that a signal sets; from then on the process ends in time."""
    ended = asyncio.Event()

    def end() -> None:
        end_in_time()
        ended.set()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, end)
    return ended


def end_on_signal() -> None:
    """While a process starts: unwind what it has started, and end well."""

    def end(*_: object) -> None:
        ignore_signals()
        end_in_time()
        sys.exit(0)

    for number in SIGNALS:
        signal.signal(number, end)


def ignore_signals() -> None:
    """While a process ends: nothing can make it end sooner but SIGKILL."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def block_signals() -> None:
    """Before any thread begins: the main one waits for the signal, and no other takes it. A handler
    could not run while a driver hangs."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def run_until_signal(threads: Sequence[threading.Thread], stop: threading.Event) -> None:
    """Run them until a signal, which was blocked before; then set `stop`, and wait for them."""
    for thread in threads:
        thread.start()
    signal.sigwait(SIGNALS)
    stop.set()
    end_in_time()
    for thread in threads:
        thread.join()
