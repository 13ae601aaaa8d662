"""The message bus on PostgreSQL: durable, for several processes, without a broker to run."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic
from uuid import UUID, uuid4

from sqlalchemy import Engine

from adapters.postgres.log_connection import pooled
from adapters.postgres.log_groups import RENEW
from adapters.postgres.log_publisher import LogPublisher
from adapters.postgres.log_rows import bounds_of, fetch, partitions_of
from adapters.postgres.log_subscription import LogSubscription
from domain.errors import BusUnavailable, Misconfigured
from domain.log import PARTITIONS, Bounds, LogPartition, NewRecord, Placed, Record

RENEWALS_PER_LEASE = 4
MOST_SILENCE_SECONDS = 300.0
"""A member that has not polled for so long is no longer kept alive while it works."""
PATIENCE_SECONDS = 1.0
"""How long one waits for what may hang: an answer to `is_up`, a thread that ends."""
PAGE = 1000
"""Records that `read` fetches at once."""

_log = logging.getLogger(__name__)


class PostgresLogBus:
    """The log whose tables `create_log_tables` made, in the engine's database.

    Beside the engine's pool it holds one connection of its own for publishing, and one for each
    subscription. `lease_seconds`: after a member's death, how long its partitions stay its own.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        lease_seconds: float = 3.0,
        delivery_timeout: float = 2.5,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        self._engine = engine
        self._lease = lease_seconds
        self._new_id = new_id
        self._publisher = LogPublisher(engine, timeout=delivery_timeout)
        self._subscriptions: list[LogSubscription] = []
        self._lock = Lock()
        self._closed = Event()
        self._renewer: Thread | None = None
        self._probe: Future[bool] | None = None

    def publish(self, records: Sequence[NewRecord]) -> Sequence["Future[Placed]"]:
        return self._publisher.publish(records)

    def subscribe(self, group: str, topics: Sequence[str]) -> LogSubscription:
        if self._closed.is_set():
            raise BusUnavailable("the bus is closed")
        with pooled(self._engine) as query:
            partitions = partitions_of(query)
        for topic in topics:
            if (found := partitions.get(topic, 0)) != PARTITIONS:
                raise Misconfigured(f"{topic} has {found} partitions, not {PARTITIONS}")
        with self._lock:
            if self._renewer is None:
                renewer = Thread(target=self._renew, name="log-renewer", daemon=True)
                renewer.start()
                self._renewer = renewer
        subscription = LogSubscription(
            self._engine, group, topics, lease=self._lease, new_id=self._new_id
        )
        with self._lock:
            self._subscriptions = [s for s in self._subscriptions if not s.is_closed]
            self._subscriptions.append(subscription)
        return subscription

    def read(self, topic: str) -> Iterator[Record]:
        bounds = self.bounds(topic)
        return (
            record
            for source, (start, end) in sorted(bounds.items())
            for record in self._read(source, start, end)
        )

    def bounds(self, topic: str) -> Mapping[LogPartition, Bounds]:
        with pooled(self._engine) as query:
            bounds = bounds_of(query, [topic])
        if not bounds:
            raise Misconfigured(f"there is no topic {topic}")
        return bounds

    def is_up(self) -> bool:
        with self._lock:
            if self._closed.is_set():
                return False
            if self._probe is None or self._probe.done():
                asked: Future[bool] = Future()
                Thread(target=self._ask, args=(asked,), name="log-probe", daemon=True).start()
                self._probe = asked  # only now: without a thread nobody would settle it
            probe = self._probe
        return not wait([probe], PATIENCE_SECONDS).not_done and probe.result()

    def close(self) -> None:
        self._closed.set()
        self._publisher.close()
        with self._lock:
            subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            subscription.close()
        if self._renewer is not None:
            self._renewer.join(PATIENCE_SECONDS)

    def _read(self, source: LogPartition, start: int, end: int) -> Iterator[Record]:
        while start < end:
            with pooled(self._engine) as query:
                records = fetch(query, {source: start}, min(PAGE, end - start)).records
            if not records:
                return
            yield from records
            start = records[-1].offset + 1

    def _ask(self, probe: "Future[bool]") -> None:
        try:
            with pooled(self._engine) as query:
                partitions_of(query)
        except BusUnavailable:  # the database says why
            probe.set_result(False)
        except Exception as error:  # noqa: BLE001 - whatever it is: somebody waits for an answer
            probe.set_exception(error)
        else:
            probe.set_result(True)

    def _renew(self) -> None:
        """Keep members alive that work for long between two polls."""
        while not self._closed.wait(self._lease / RENEWALS_PER_LEASE):
            silent = monotonic() - MOST_SILENCE_SECONDS
            with self._lock:
                members = [s.member for s in self._subscriptions if s.polled_at > silent]
            try:
                # An outage is for polls to report; a renewal is tried again before the lease ends.
                with suppress(BusUnavailable, Misconfigured), pooled(self._engine) as query:
                    query(RENEW, {"members": members, "lease": self._lease})
            except Exception:  # noqa: BLE001 - whatever it is: the members are to be kept
                _log.exception("keeping members of the log in PostgreSQL alive failed")
