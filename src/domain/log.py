"""Places in a log, and the records that lie there.

A log is one incarnation of a topic: recreate the topic and its `log_id` changes while offsets
start again at 0. So a place is only known by (log_id, partition, offset), and every record of an
earlier log precedes everything in a later one.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

EVENTS_TAXONOMY = "events.taxonomy"
"""The single ordered story of each event; key = event id."""

BETS_STATE = "bets.state"
"""The bets' new states, in slices; key = `EVENT:MARKET:NUMBER`."""

TOPICS = (EVENTS_TAXONOMY, BETS_STATE)
PARTITIONS = 3
"""Partitions of each topic."""

Headers = tuple[tuple[str, bytes], ...]


class LogPartition(NamedTuple):
    """One partition of one incarnation of a topic. Sorts in the order in which locks are taken."""

    topic: str
    partition: int
    log_id: UUID


class LogPosition(NamedTuple):
    """The place of one record."""

    log_id: UUID
    partition: int
    offset: int


class NewRecord(NamedTuple):
    """A record to append: records with equal keys land on one partition, in order."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Record(NamedTuple):
    """A record as it lies in the log, bytes untouched."""

    source: LogPartition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def position(self) -> LogPosition:
        return LogPosition(self.source.log_id, self.source.partition, self.offset)

    def digest(self) -> bytes:
        """16 bytes that tell this record from another one at the same offset."""
        key = b"" if self.key is None else self.key
        value = b"" if self.value is None else self.value
        lengths = b"%d:%d:" % (
            -1 if self.key is None else len(key),
            -1 if self.value is None else len(value),
        )
        return blake2b(lengths + key + value, digest_size=16).digest()


class Placed(NamedTuple):
    """Where an acknowledged record was appended, in the topic's log of that moment."""

    topic: str
    partition: int
    offset: int


class Bounds(NamedTuple):
    """What a partition holds right now: offsets `start` to `end` - 1."""

    start: int
    end: int


def partition_of(key: bytes, partitions: int) -> int:
    """Where a key lies, the same on every bus: what Kafka's own clients choose by default."""
    return (_murmur2(key) & 0x7FFF_FFFF) % partitions


def fair_shares(holdings: Mapping[UUID, int], partitions: int) -> dict[UUID, int]:
    """How many partitions each member of a group should hold, moving as few as possible."""
    share, remainder = divmod(partitions, len(holdings))
    ranked = sorted(holdings, key=lambda member: (-holdings[member], member))
    return {member: share + (rank < remainder) for rank, member in enumerate(ranked)}


def _murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits, with the seed of Kafka's clients."""
    multiplier, mask = 0x5BD1_E995, 0xFFFF_FFFF
    whole = len(data) & ~3
    digest = 0x9747_B28C ^ len(data)
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * multiplier & mask
        word = (word ^ word >> 24) * multiplier
        digest = (digest * multiplier ^ word) & mask
    if whole < len(data):
        digest = (digest ^ int.from_bytes(data[whole:], "little")) * multiplier & mask
    digest = (digest ^ digest >> 13) * multiplier & mask
    return digest ^ digest >> 15
