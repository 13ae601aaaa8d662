"""Where kafka-python 3.0.12's consumer stands still or spins, and how it is kept going.

All of it reaches into private parts: that is why the version is pinned exactly. Each mend has a
test that fails without it.
"""

import math
from typing import Any


def mend_at_first(consumer: Any) -> None:
    """A poll waits no longer than until the next heartbeat, though these no longer depend on it:
    while one is overdue, as on a frozen broker, it would not wait at all, and spin."""
    consumer._coordinator.time_to_next_poll = lambda: math.inf  # noqa: SLF001


def mend_before_poll(consumer: Any) -> None:
    """To be called before each KafkaConsumer.poll, on the same thread."""
    _keep_the_join(consumer._coordinator)  # noqa: SLF001
    _make_room_for_resumed_records(consumer._fetcher)  # noqa: SLF001


def mend_when_a_join_begins(consumer: Any) -> None:
    """A join that a change of the topics caused is forgotten half-way, heartbeats off, when the
    poll that began it ends before it does. So let it be wanted until it is done."""
    consumer._coordinator.request_rejoin()  # noqa: SLF001


def _keep_the_join(coordinator: Any) -> None:
    """A join that ends between two polls is thrown away and begun again: members that work
    between their polls would keep each other rejoining."""
    if coordinator._join_task is not None:  # noqa: SLF001
        coordinator._join_task = _Untaken.of(coordinator._join_task)  # noqa: SLF001


def _make_room_for_resumed_records(fetcher: Any) -> None:
    """Records that were fetched, not all read, and then paused have one place to return to; it
    counts as taken by others long after these were read."""
    if not fetcher._next_partition_records:  # noqa: SLF001
        fetcher._next_partition_records = None  # noqa: SLF001


class HeaderName(str):
    """A name that gives the bytes that it was read from, UTF-8 or not."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> bytes:
        return super().encode(encoding, errors)


class _Untaken:
    """A join that is not done before somebody has taken its result."""

    is_done = False

    def __init__(self, join: Any) -> None:
        self.add_callback = join.add_callback
        self.add_errback = join.add_errback

    @classmethod
    def of(cls, join: Any) -> "_Untaken":
        """The join itself, if it is one already."""
        return join if isinstance(join, cls) else cls(join)
