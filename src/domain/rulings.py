"""What can become of a record, and the records as the consumers' decisions see them."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from domain.errors import MalformedRecord
from domain.log import LogPartition, Record
from domain.messages import BetsStateChanged, Kinds, Message, Other
from domain.ports import Database, UnitOfWork
from domain.records import ConsumerName, RefusalReason

LIGHTEST_SLICE = 50
"""What a slice of few bets weighs: each has a range of its own to be found and written."""

HEAVY_BYTES = 4096
"""Of a longer value each so many bytes weigh one: ten times what a message has, slices aside."""


class Fate(StrEnum):
    """What became of a well-formed record that was not refused."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    """There was nothing for this consumer to do."""


Ruling = Fate | RefusalReason


class Request(NamedTuple):
    """A well-formed record and its message: a request until it is judged."""

    record: Record
    message: Message


class Decoded(NamedTuple):
    """A record and what reading it gave."""

    record: Record
    message: Message | Other | MalformedRecord

    @property
    def weight(self) -> int:
        """How much work it is: of a slice, its bets, or more when these are few; of all else, 1.
        Or how much room it takes, if that is more: buffers hold what others wrote, of any size."""
        work = 1
        if isinstance(self.message, BetsStateChanged):
            work = max(len(self.message.bets), LIGHTEST_SLICE)
        value = self.record.value
        if value is not None and len(value) > HEAVY_BYTES:
            return max(work, len(value) // HEAVY_BYTES)
        return work


Batch = Mapping[LogPartition, Sequence[Decoded]]
"""Records by partition, each run in the order of its offsets; none is empty."""


def place_in(run: Sequence[Decoded], offset: int) -> int:
    """How many records of one partition lie below an offset."""
    return bisect_left(run, offset, key=lambda decoded: decoded.record.offset)


class Lane(NamedTuple):
    """A topic, and how much of it one transaction takes at most."""

    topic: str
    most: int
    """The weight of the records together; also bounds what waits in the buffers."""
    lazy: bool = False
    """Whether no client is told of the outcome: then a commit need not wait for the disk."""


class Handler(Protocol):
    """What tells one consumer from another; the loop around it is the same for all three."""

    name: ConsumerName
    behind: ConsumerName | None
    """The consumer whose position on events.taxonomy this one never passes."""
    kinds: Kinds
    """What it decides on; of other messages it only knows that they are well-formed."""
    publishes: bool
    """Whether it has outputs at all."""
    lanes: Sequence[Lane]
    """A turn takes a batch of each, in this order."""

    def outputs(self, database: Database, requests: Sequence[Request]) -> Iterator[list[Message]]:
        """Messages to publish before the position of these requests is recorded, in portions."""
        ...

    def decide(self, uow: UnitOfWork, requests: Sequence[Request]) -> list[Ruling]:
        """Judge the requests in order and write their effects; one ruling for each."""
        ...
