"""What stands still: a process that is alive, but taken for dead; and the whole machine."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

TICK = 0.05
"""Seconds between two looks at how late a thread comes on this machine."""


def stand_still(process: "subprocess.Popen[Any]") -> None:
    """SIGSTOP; return once it stands still. The signal reaches one thread, which then stops the
    others: on a busy machine they may do something yet."""
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


class MachineWatch:
    """Within `with`, sees how much the machine, busy with everything else, holds up."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._asleep_since: float | None = None
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def held_up(self) -> float:
        """Seconds by which it was late at worst, up to now, in waking one thread that had nothing
        else to do than to wake: no answer could be seen sooner."""
        since = self._asleep_since
        late = 0.0 if since is None else time.monotonic() - since - TICK
        return max(self._worst, late)

    def __enter__(self) -> Self:
        self._is_over.clear()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._thread is not None
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        is_over = False
        while not is_over:
            self._asleep_since = time.monotonic()
            is_over = self._is_over.wait(TICK)
            self._worst = self.held_up
        self._asleep_since = None


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """What is done here takes no longer, but for what the machine was seen to add."""
    with MachineWatch() as machine:
        began = time.monotonic()
        yield
        took = time.monotonic() - began
    assert took < seconds + machine.held_up
