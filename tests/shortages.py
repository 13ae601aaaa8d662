"""What a process may run out of for a moment: threads and file descriptors."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest


@contextmanager
def one_thread_refused(name: str) -> Iterator[None]:
    """The first thread of this name does not start, as where the system has no more of them."""
    start, refused = Thread.start, list[Thread]()

    def start_or_refuse(thread: Thread) -> None:
        if thread.name == name and not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Thread, "start", start_or_refuse)
        yield
    assert refused, f"nobody started a thread {name}"


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Nothing can be opened; what is open can be used."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
