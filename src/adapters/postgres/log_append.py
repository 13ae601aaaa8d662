"""The statement that appends a batch of records to PostgreSQL's log."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from adapters.postgres.log_connection import Query
from adapters.postgres.log_rows import array_of, pack_headers, partitions_of
from adapters.postgres.log_schema import LOG_APPENDED
from domain.log import NewRecord, Placed, partition_of

_partition_of = lru_cache(100_000)(partition_of)
"""Keys come again and again, and hashing them takes longer than all else in Python here."""

# The second SELECT and the rest see what was committed before the heads were locked.
_APPEND = """
SELECT 1 FROM log_heads
WHERE (topic, partition) IN (SELECT * FROM unnest(%(topics)s::text[], %(partitions)s::int[]))
ORDER BY topic, partition FOR UPDATE;

SELECT pg_notify(%(channel)s, %(notice)s);

WITH moved AS (
    UPDATE log_heads AS head SET next_offset = head.next_offset + slot.records
    FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(counts)s::int[], %(of)s::int[])
        WITH ORDINALITY AS slot (topic, partition, records, partitions, number)
    JOIN log_topics USING (topic, partitions)
    WHERE head.topic = slot.topic AND head.partition = slot.partition
        AND clock_timestamp() < to_timestamp(%(deadline)s)
    RETURNING slot.number, head.log_id, head.partition, head.next_offset - slot.records AS first
), appended AS (
    INSERT INTO log_records (log_id, partition, "offset", key, value, headers)
    SELECT moved.log_id, moved.partition, moved.first + record.rank,
        record.key, record.value, record.headers
    FROM unnest(%(numbers)s::int[], %(ranks)s::int[],
            %(keys)s::bytea[], %(values)s::bytea[], %(headers)s::bytea[])
        AS record (number, rank, key, value, headers)
    JOIN moved USING (number)
)
SELECT number, first FROM moved
"""


class Slot(NamedTuple):
    """A partition of a topic that is known to have so many."""

    topic: str
    partition: int
    partitions: int


def append(
    query: Query, records: Sequence[tuple[Slot, NewRecord]], *, deadline: float
) -> list[Placed | None]:
    """Append in one round trip, which is one transaction, unless it is `deadline` by PostgreSQL's
    clock (seconds since 1970) by then. Return the places; None for what was not appended."""
    if not records:
        return []
    counts: dict[Slot, int] = {}
    ranks: list[int] = []
    for slot, _ in records:
        rank = counts.get(slot, 0)
        ranks.append(rank)
        counts[slot] = rank + 1
    numbers = {slot: number for number, slot in enumerate(counts, start=1)}
    rows = query(
        _APPEND,
        {
            "channel": LOG_APPENDED,
            "notice": "\n".join(sorted({slot.topic for slot in counts})),
            "topics": [slot.topic for slot in counts],
            "partitions": [slot.partition for slot in counts],
            "of": [slot.partitions for slot in counts],
            "counts": list(counts.values()),
            "deadline": deadline,
            "numbers": _integers([numbers[slot] for slot, _ in records]),
            "ranks": _integers(ranks),
            "keys": array_of([record.key for _, record in records]),
            "values": array_of([record.value for _, record in records]),
            "headers": array_of([pack_headers(record.headers) for _, record in records]),
        },
    )
    first: dict[int, int] = dict(rows)
    return [
        Placed(slot.topic, slot.partition, first[numbers[slot]] + rank)
        if numbers[slot] in first
        else None
        for (slot, _), rank in zip(records, ranks, strict=True)
    ]


class Partitioner:
    """Chooses slots, knowing how many partitions each topic had when it was last asked."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._slots: dict[str, list[Slot]] = {}
        self._keyless = 0

    def slots(self, records: Sequence[NewRecord]) -> list[Slot | None]:
        """One for each record; None when its topic is missing."""
        if not {record.topic for record in records} <= self._slots.keys():
            self._slots = {
                topic: [Slot(topic, number, partitions) for number in range(partitions)]
                for topic, partitions in partitions_of(self._query).items()
            }
        return [self._slot(record.topic, record.key) for record in records]

    def _slot(self, topic: str, key: bytes | None) -> Slot | None:
        slots = self._slots.get(topic)
        if slots is None:
            return None
        if key is not None:
            return slots[_partition_of(key, len(slots))]
        self._keyless += 1
        return slots[self._keyless % len(slots)]


def _integers(numbers: Sequence[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"
