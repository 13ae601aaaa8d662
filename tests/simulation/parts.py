"""The memory adapters as one simulated process sees them: every statement and message takes time,
may fail, and lets all others go on meanwhile.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Protocol, cast

from adapters.memory.bus import MemoryBus, MemorySubscription
from adapters.memory.database import MemoryDatabase
from adapters.memory.store import CommitFault
from domain.errors import BusUnavailable, DatabaseUnavailable
from domain.log import Bounds, LogPartition, NewRecord, Placed, Record
from domain.ports import Listener, Poll, UnitOfWork, Watcher
from domain.records import ConsumerName


class Surroundings(Protocol):
    """What a simulated process runs in."""

    def step(self, what: str) -> None:
        """Time passes; the process may die here, or this very statement may fail."""
        ...

    def commit_fault(self) -> CommitFault | None: ...

    def committed(self) -> None:
        """Something was committed, just now."""
        ...

    def database_is_away(self) -> bool: ...

    def bus_is_away(self) -> bool: ...

    def send(self, record: NewRecord, future: "Future[Placed]") -> None:
        """Put it on its way; the future is resolved when it has arrived, or was given up."""
        ...


class Awaited(Future[Placed]):
    """A future for which a simulated thread waits in simulated time."""

    def __init__(self, wait: Callable[[], None]) -> None:
        super().__init__()
        self._wait_a_moment = wait

    def result(self, timeout: float | None = None) -> Placed:
        while not self.done():
            self._wait_a_moment()
        return super().result(timeout)


class SimulatedDatabase:
    """A Database of one process."""

    def __init__(self, inner: MemoryDatabase, surroundings: Surroundings) -> None:
        self._inner = inner
        self._surroundings = surroundings

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        if self._surroundings.database_is_away():
            raise DatabaseUnavailable("connection refused")
        with self._inner.transaction() as uow:
            yield cast("UnitOfWork", _Statements(uow, self._surroundings))

    def check(self) -> None:
        self._inner.check()

    def listen(self, to: Iterable[ConsumerName] = ConsumerName) -> Listener:
        return self._inner.listen(to)

    def watch(self) -> Watcher:
        return self._inner.watch()

    def close(self) -> None:
        """Nothing is held."""


class _Statements:
    """A unit of work whose every method takes a step of its own."""

    def __init__(self, inner: Any, surroundings: Surroundings) -> None:
        self._inner = inner
        self._surroundings = surroundings

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)
        # A notice for those who watch: nobody decides by it.
        return inner if name == "changes" else _Repository(name, inner, self._surroundings)

    def commit(self, *, lazily: bool = False) -> None:
        self._surroundings.step("commit")
        match self._surroundings.commit_fault():
            case CommitFault.BEFORE:
                raise DatabaseUnavailable("the connection was lost before the commit")
            case CommitFault.AFTER:
                self._inner.commit()
                self._surroundings.committed()
                raise DatabaseUnavailable("the connection was lost during the commit")
            case None:
                self._inner.commit()
                self._surroundings.committed()
        self._surroundings.step("after commit")


class _Repository:
    def __init__(self, name: str, inner: Any, surroundings: Surroundings) -> None:
        self._name = name
        self._inner = inner
        self._surroundings = surroundings

    def __getattr__(self, name: str) -> Any:
        self._surroundings.step(f"{self._name}.{name}")
        return getattr(self._inner, name)


class SimulatedBus:
    """A MessageBus of one process."""

    def __init__(self, inner: MemoryBus, surroundings: Surroundings) -> None:
        self._inner = inner
        self._surroundings = surroundings
        self.subscription: SimulatedSubscription | None = None

    def publish(self, records: Sequence[NewRecord]) -> Sequence["Future[Placed]"]:
        futures: list[Future[Placed]] = []
        for record in records:
            self._surroundings.step("publish")
            future = Awaited(lambda: self._surroundings.step("wait for acknowledgement"))
            self._surroundings.send(record, future)
            futures.append(future)
        return futures

    def subscribe(self, group: str, topics: Sequence[str]) -> "SimulatedSubscription":
        self._ask("subscribe")
        inner = self._inner.subscribe(group, topics)
        self.subscription = SimulatedSubscription(inner, self._ask)
        return self.subscription

    def read(self, topic: str) -> Iterator[Record]:
        return self._inner.read(topic)

    def bounds(self, topic: str) -> Mapping[LogPartition, Bounds]:
        self._ask("bounds")
        return self._inner.bounds(topic)

    def is_up(self) -> bool:
        return not self._surroundings.bus_is_away()

    def close(self) -> None:
        self._inner.close()

    def _ask(self, what: str) -> None:
        self._surroundings.step(what)
        if self._surroundings.bus_is_away():
            raise BusUnavailable(f"no answer to {what}")


class SimulatedSubscription:
    """A Subscription of one process."""

    def __init__(self, inner: MemorySubscription, ask: Callable[[str], None]) -> None:
        self.inner = inner
        self._ask = ask

    def poll(self, *, timeout: float, most: int) -> Poll:
        self._ask("poll")
        return self.inner.poll(timeout=0, most=most)

    def seek(self, source: LogPartition, offset: int) -> None:
        self.inner.seek(source, offset)

    def pause(self, sources: Collection[LogPartition]) -> None:
        self.inner.pause(sources)

    def resume(self, sources: Collection[LogPartition]) -> None:
        self.inner.resume(sources)

    def bounds(self, sources: Collection[LogPartition]) -> Mapping[LogPartition, Bounds]:
        self._ask("bounds")
        return self.inner.bounds(sources)

    def commit(self, next_offsets: Mapping[LogPartition, int]) -> None:
        self.inner.commit(next_offsets)

    def close(self) -> None:
        self.inner.close()
