"""Reading PostgreSQL's log as a member of a group: one connection of its own, on which it hears of
new records and of partitions that may change hands.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import inf
from time import monotonic
from uuid import UUID

from sqlalchemy import Engine

from adapters.postgres.log_connection import OwnConnection, bus_errors, pooled
from adapters.postgres.log_groups import Membership
from adapters.postgres.log_rows import bounds_of, fetch
from adapters.postgres.log_schema import LOG_APPENDED, LOG_MOVED
from domain.errors import BusUnavailable, Misconfigured
from domain.log import Bounds, LogPartition, Record
from domain.ports import Poll

LOOKS_PER_LEASE = 10
"""How often a member looks at its group, to notice who has expired."""

_COMMIT = """
SET LOCAL synchronous_commit TO off;
INSERT INTO log_commits AS committed
    (group_name, topic, partition, log_id, next_offset, committed_at)
SELECT %(group)s, topic, partition, log_id, next_offset, now()
FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(log_ids)s::uuid[], %(offsets)s::bigint[])
    AS given (topic, partition, log_id, next_offset)
ON CONFLICT (group_name, topic, partition) DO UPDATE SET log_id = excluded.log_id,
    next_offset = excluded.next_offset, committed_at = excluded.committed_at
"""


class LogSubscription:
    """One member of a group. Its places live here only, and outlast a lost connection."""

    def __init__(
        self,
        engine: Engine,
        group: str,
        topics: Collection[str],
        *,
        lease: float,
        new_id: Callable[[], UUID],
    ) -> None:
        self._engine = engine
        self._membership = Membership(group, topics, lease=lease, new_id=new_id)
        self._look_interval = lease / LOOKS_PER_LEASE
        self._look_at = -inf
        self._connection: OwnConnection | None = None
        self._places: dict[LogPartition, int | None] = {}
        """Next offset of each partition that is its own; None until it is sought."""
        self._paused: set[LogPartition] = set()
        self._assigned: set[LogPartition] = set()
        self._revoked: set[LogPartition] = set()
        """What no poll has told yet: kept through errors."""
        self._turn = 0
        self.is_closed = False
        self.polled_at = monotonic()
        with pooled(engine) as query:
            self._membership.join(query)

    @property
    def member(self) -> UUID:
        """Its id in the group, until it has to join again."""
        return self._membership.member

    def poll(self, *, timeout: float, most: int) -> Poll:
        deadline = monotonic() + timeout
        news = True
        while True:
            self.polled_at = monotonic()
            with self._connected() as connection:
                news |= self._hear(connection)
                if monotonic() >= self._look_at:
                    self._look(connection)
                    news = True
                records = self._fetch(connection, most) if news else []
                left = deadline - monotonic()
                if records or self._assigned or self._revoked or left <= 0:
                    return self._report(records)
                connection.wait(min(left, self._look_at - monotonic()))
                news = False

    def seek(self, source: LogPartition, offset: int) -> None:
        if source in self._places:
            self._places[source] = offset

    def pause(self, sources: Collection[LogPartition]) -> None:
        self._paused |= self._places.keys() & set(sources)

    def resume(self, sources: Collection[LogPartition]) -> None:
        self._paused -= set(sources)

    def bounds(self, sources: Collection[LogPartition]) -> Mapping[LogPartition, Bounds]:
        if not sources:
            return {}
        with pooled(self._engine) as query:
            found = bounds_of(query, {source.topic for source in sources})
        return {source: found[source] for source in sources if source in found}

    def commit(self, next_offsets: Mapping[LogPartition, int]) -> None:
        sources = sorted(next_offsets)
        parameters = {
            "group": self._membership.group,
            "topics": [source.topic for source in sources],
            "partitions": [source.partition for source in sources],
            "log_ids": [source.log_id for source in sources],
            "offsets": [next_offsets[source] for source in sources],
        }
        # For lag tools only, so nothing is lost with it; the next one tells all.
        with suppress(BusUnavailable, Misconfigured), pooled(self._engine) as query:
            query(_COMMIT, parameters)

    def close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self._disconnect()
        # A member that can't say goodbye expires.
        with suppress(BusUnavailable, Misconfigured), pooled(self._engine) as query:
            self._membership.leave(query)

    @contextmanager
    def _connected(self) -> Iterator[OwnConnection]:
        """The own connection; after an error another one, next time."""
        if self.is_closed:
            raise BusUnavailable("the subscription is closed")
        try:
            with bus_errors():
                if self._connection is None:
                    listen = f"LISTEN {LOG_APPENDED}; LISTEN {LOG_MOVED}"
                    self._connection = OwnConnection(self._engine, listen)
                    self._look_at = -inf
                yield self._connection
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _hear(self, connection: OwnConnection) -> bool:
        """Whether something was appended; and look at the group if something happened there."""
        news = False
        for channel, payload in connection.notices():
            if channel == LOG_APPENDED:
                news |= not set(payload.splitlines()).isdisjoint(self._membership.topics)
            elif payload in ("", self._membership.group):
                self._look_at = -inf
        return news

    def _look(self, connection: OwnConnection) -> None:
        """Claim partitions, and write down what is to be reported."""
        owned, expired = self._membership.claim(connection.query)
        self._look_at = monotonic() + self._look_interval
        revoked = set(self._places) if expired else self._places.keys() - owned
        for source in revoked:
            del self._places[source]
        assigned = owned - self._places.keys()
        self._places.update(dict.fromkeys(assigned))
        self._paused -= revoked
        self._revoked |= revoked
        self._assigned = self._assigned - revoked | assigned

    def _fetch(self, connection: OwnConnection, most: int) -> list[Record]:
        """Records from every partition that is sought and not paused; when more are ready than
        records are wanted, they take turns."""
        ready = sorted(
            (source, place)
            for source, place in self._places.items()
            if place is not None and source not in self._paused
        )
        if not ready:
            return []
        if len(ready) > most:
            self._turn = (self._turn + most) % len(ready)
            ready = (ready[self._turn :] + ready[: self._turn])[:most]
        fetched = fetch(connection.query, dict(ready), most)
        self._places.update(fetched.next_places)
        self._places.update(dict.fromkeys(fetched.misplaced))
        self._assigned |= fetched.misplaced
        return fetched.records

    def _report(self, records: list[Record]) -> Poll:
        poll = Poll(records, frozenset(self._assigned), frozenset(self._revoked))
        self._assigned, self._revoked = set(), set()
        return poll
