"""Consumer groups of PostgreSQL's log: members that expire, and who of them holds which partition.

There is no rebalance protocol: a member that looks gives up its surplus and takes its share of
what is free. All of it happens under the group's lock and by PostgreSQL's clock.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from adapters.postgres.log_connection import Parameters, Query
from adapters.postgres.log_schema import LOG_MOVED
from domain.log import LogPartition, fair_shares

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('touchline log group'), hashtext(%(group)s));"

_NOTIFY = f"SELECT pg_notify('{LOG_MOVED}', %(group)s);"

_INSERT = """
INSERT INTO log_members (group_name, member, topics, expires_at)
VALUES (%(group)s, %(member)s, %(topics)s, clock_timestamp() + %(lease)s * interval '1 second');
"""

_LEAVE = "DELETE FROM log_members WHERE group_name = %(group)s AND member = %(member)s;"

# With the members that are gone go their leases.
_LOOK = """
DELETE FROM log_members
WHERE group_name = %(group)s AND member <> %(member)s AND expires_at <= clock_timestamp();
UPDATE log_members SET expires_at = clock_timestamp() + %(lease)s * interval '1 second'
WHERE group_name = %(group)s AND member = %(member)s;
SELECT member, topics, lease.topic, lease.partition
FROM log_members LEFT JOIN log_leases AS lease USING (group_name, member)
WHERE group_name = %(group)s
"""

_PARTITIONS = "SELECT topic, partition, log_id FROM log_heads WHERE topic = ANY(%(topics)s)"

_RELEASE = """
DELETE FROM log_leases
WHERE group_name = %(group)s AND member = %(member)s AND (topic, partition) IN
    (SELECT * FROM unnest(%(released_topics)s::text[], %(released_partitions)s::int[]));
"""

_TAKE = """
INSERT INTO log_leases (group_name, topic, partition, member)
SELECT %(group)s, topic, partition, %(member)s
FROM unnest(%(taken_topics)s::text[], %(taken_partitions)s::int[]) AS taken (topic, partition);
"""

RENEW = """
UPDATE log_members SET expires_at = clock_timestamp() + %(lease)s * interval '1 second'
WHERE member = ANY(%(members)s::uuid[])
"""
"""Keep these members alive while they work and don't look."""


class Claim(NamedTuple):
    """What a look at the group brought."""

    owned: frozenset[LogPartition]
    expired: bool
    """The group had given this member up: it is a new one, that held nothing before."""


class Membership:
    """This process's member of a group."""

    def __init__(
        self, group: str, topics: Collection[str], *, lease: float, new_id: Callable[[], UUID]
    ) -> None:
        self.group = group
        self.topics = sorted(topics)
        self.member = new_id()
        self._lease = lease
        self._new_id = new_id

    def join(self, query: Query) -> None:
        query(_LOCK + _INSERT + _NOTIFY, self._parameters())

    def leave(self, query: Query) -> None:
        query(_LOCK + _LEAVE + _NOTIFY, self._parameters())

    def claim(self, query: Query) -> Claim:
        """Renew the membership, give up the surplus and take the share of what is free. The
        connection of `query` must be in autocommit mode; after an error it is of no more use."""
        members, leases = _group(query("BEGIN;" + _LOCK + _LOOK, self._parameters()))
        expired = self.member not in members
        if expired:
            self.member = self._new_id()
            members[self.member] = frozenset(self.topics)
            query(_INSERT, self._parameters())
        sources = [LogPartition(*row) for row in query(_PARTITIONS, self._parameters())]
        mine = {s for s in sources if leases.get((s.topic, s.partition)) == self.member}
        free = {s for s in sources if (s.topic, s.partition) not in leases}
        wanted: set[LogPartition] = set()
        for topic in self.topics:
            share = self._share(topic, members, leases, sources)
            wanted |= set([*_of(topic, mine), *_of(topic, free)][:share])
        self._change(query, released=sorted(mine - wanted), taken=sorted(wanted - mine))
        return Claim(frozenset(wanted), expired)

    def _share(
        self,
        topic: str,
        members: Mapping[UUID, Collection[str]],
        leases: Mapping[tuple[str, int], UUID],
        sources: Collection[LogPartition],
    ) -> int:
        holdings = dict.fromkeys((m for m, topics in members.items() if topic in topics), 0)
        for (leased, _), member in leases.items():
            if leased == topic and member in holdings:
                holdings[member] += 1
        return fair_shares(holdings, len(_of(topic, sources)))[self.member]

    def _change(
        self, query: Query, *, released: Sequence[LogPartition], taken: Sequence[LogPartition]
    ) -> None:
        parameters = {
            **self._parameters(),
            "released_topics": [source.topic for source in released],
            "released_partitions": [source.partition for source in released],
            "taken_topics": [source.topic for source in taken],
            "taken_partitions": [source.partition for source in taken],
        }
        statements = (_RELEASE + _NOTIFY if released else "") + (_TAKE if taken else "")
        query(statements + "COMMIT", parameters)

    def _parameters(self) -> Parameters:
        return {
            "group": self.group,
            "member": self.member,
            "topics": self.topics,
            "lease": self._lease,
        }


def _group(
    rows: Collection[tuple[UUID, list[str], str | None, int | None]],
) -> tuple[dict[UUID, frozenset[str]], dict[tuple[str, int], UUID]]:
    """Each member's topics, and each leased partition's member."""
    members = {member: frozenset(topics) for member, topics, _, _ in rows}
    leases = {
        (topic, partition): member
        for member, _, topic, partition in rows
        if topic is not None and partition is not None
    }
    return members, leases


def _of(topic: str, sources: Collection[LogPartition]) -> list[LogPartition]:
    return sorted(source for source in sources if source.topic == topic)
