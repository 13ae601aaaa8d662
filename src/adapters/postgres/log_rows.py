"""How records lie in PostgreSQL's log: reading them in bulk, and their headers as bytes."""

from collections.abc import Collection, Iterable, Mapping
from struct import Struct

from adapters.postgres.log_connection import Query
from domain.log import Bounds, Headers, LogPartition, Record

MOST_BYTES = 2 * 2**20
"""Of values in one fetch from one partition: bounds the memory, whatever the records' size."""

# One row for each record, and one without a record for each partition that has none there. A
# partition may take what the others leave, and at least its part.
_FETCH = """
WITH places AS (
    SELECT place.*, next_offset,
        greatest(%(most)s / count(*) OVER (), %(most)s - sum(backlog) OVER () + backlog) AS share
    FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(log_ids)s::uuid[], %(at)s::bigint[])
        WITH ORDINALITY AS place (topic, partition, log_id, at, number)
    JOIN log_heads USING (topic, partition, log_id)
    CROSS JOIN LATERAL (SELECT greatest(next_offset - place.at, 0) AS backlog) AS ahead
)
SELECT places.number, places.next_offset, record."offset", record.key, record.value, record.headers
FROM places LEFT JOIN LATERAL (
    SELECT * FROM (
        SELECT "offset", key, value, headers,
            sum(coalesce(octet_length(value), 0)) OVER (ORDER BY "offset") AS bytes,
            coalesce(octet_length(value), 0) AS own_bytes
        FROM (
            SELECT "offset", key, value, headers FROM log_records
            WHERE log_id = places.log_id AND partition = places.partition AND "offset" >= places.at
            ORDER BY "offset" LIMIT places.share
        ) AS sought
    ) AS measured
    WHERE bytes - own_bytes < %(most_bytes)s
) AS record ON true
ORDER BY places.number, record."offset"
"""

_LENGTHS = Struct(">II")


class Fetched:
    """What one fetch brought."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.next_places: dict[LogPartition, int] = {}
        """Where to go on, for each partition whose place the log has."""
        self.misplaced: set[LogPartition] = set()
        """The log is there, but has no such place (any more)."""


def fetch(query: Query, places: Mapping[LogPartition, int], most: int) -> Fetched:
    """Up to `most` records (not fewer than partitions) from these places on; a partition whose log
    is gone is left out."""
    sources = list(places)
    rows = query(
        _FETCH,
        {
            "topics": [source.topic for source in sources],
            "partitions": [source.partition for source in sources],
            "log_ids": [str(source.log_id) for source in sources],
            "at": list(places.values()),
            "most": most,
            "most_bytes": MOST_BYTES,
        },
    )
    fetched = Fetched()
    for number, next_offset, offset, key, value, headers in rows:
        source = sources[number - 1]
        expected = fetched.next_places.get(source, places[source])
        if expected != (next_offset if offset is None else offset):
            fetched.misplaced.add(source)
            continue
        if offset is not None:
            expected += 1
            fetched.records.append(
                Record(source, offset, _bytes(key), _bytes(value), unpack_headers(headers))
            )
        fetched.next_places[source] = expected
    return fetched


def pack_headers(headers: Headers) -> bytes:
    """Each as the lengths of its name and value, and these two."""
    parts: list[bytes] = []
    for text, value in headers:
        name = text.encode(errors="surrogatepass")
        parts += (_LENGTHS.pack(len(name), len(value)), name, value)
    return b"".join(parts)


def unpack_headers(packed: memoryview) -> Headers:
    """The reverse."""
    headers: list[tuple[str, bytes]] = []
    at = 0
    while at < len(packed):
        name_length, value_length = _LENGTHS.unpack_from(packed, at)
        name_ends = at + _LENGTHS.size + name_length
        name = str(packed[at + _LENGTHS.size : name_ends], errors="surrogatepass")
        at = name_ends + value_length
        headers.append((name, bytes(packed[name_ends:at])))
    return tuple(headers)


def array_of(values: Iterable[bytes | None]) -> str:
    """PostgreSQL's text of a bytea[]: far cheaper than a literal for each element."""
    elements = ("NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values)
    return "{" + ",".join(elements) + "}"


def _bytes(value: memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)


def partitions_of(query: Query) -> dict[str, int]:
    """Every topic's number of partitions."""
    return dict(query("SELECT topic, partitions FROM log_topics", {}))


def bounds_of(query: Query, topics: Collection[str]) -> dict[LogPartition, Bounds]:
    """Every partition of these topics, and what it holds."""
    rows = query(
        "SELECT topic, partition, log_id, start_offset, next_offset FROM log_heads"
        " WHERE topic = ANY(%(topics)s)",
        {"topics": list(topics)},
    )
    return {LogPartition(*row[:3]): Bounds(*row[3:]) for row in rows}
