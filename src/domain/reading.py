"""How one partition is read: how far, what waits, and whether the log is still what it was."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from domain.buffer import Buffer
from domain.log import Bounds, LogPartition, Record
from domain.records import NOTHING_READ, ConsumerName, Position, Tally


class Anchor(NamedTuple):
    """The last record that a consumer has read: proof that the log is what it was."""

    offset: int
    digest: bytes
    reader: ConsumerName


@dataclass(slots=True)
class Reading:
    """How one partition is read."""

    source: LogPartition
    next_offset: int
    """What the database says: everything below is done."""
    tally: Tally = NOTHING_READ
    """What became of all records that its consumer ever read here."""
    readers: Sequence[Position] = ()
    """Who had read how much of it when the log was compared with that: when it was begun, the
    furthest first and this consumer last; or when another record was found since."""
    anchors: deque[Anchor] = field(default_factory=deque)
    """Records that must be what they were before any other one is worked on."""
    buffer: Buffer = field(default_factory=Buffer)
    paused: bool = False
    held: bool = False
    """The consumer before this one has not come far enough."""
    end: int = 0
    """The log's end when it was last asked."""
    end_reached: bool = False
    """Whether it was said that everything up to `end` is done."""
    lost: str | None = None
    """How the log is not what it was; None while it is sound."""

    @property
    def lag(self) -> int:
        """Records that were in the log when it was last asked, and are not done."""
        return max(0, self.end - self.next_offset)

    def is_ahead_of(self, stored: Position | None) -> bool:
        """Whether the database went back since it was read: it was restored from a backup."""
        return self.next_offset > (0 if stored is None else stored.next_offset)

    def is_at(self, stored: Position | None) -> bool:
        """Whether the database still says what it said when it was read."""
        return self.next_offset == (0 if stored is None else stored.next_offset)

    @property
    def following(self) -> int:
        """The offset of the record that must come next."""
        return self.anchors[0].offset if self.anchors else self.next_offset

    def anchor(self, bounds: Bounds) -> None:
        """Let the last record of each reader, as far as it is still there, be proved first."""
        for offset, reader in {reader.next_offset: reader for reader in self.readers}.items():
            if reader.last_record_digest is not None and offset > bounds.start:
                self.anchors.append(Anchor(offset - 1, reader.last_record_digest, reader.consumer))

    def proves(self, record: Record) -> bool:
        """Whether the record is the next anchor, the one that was read here before."""
        anchor = self.anchors.popleft()
        if (record.offset, record.digest()) == (anchor.offset, anchor.digest):
            return True
        self.lose_record(anchor.offset + 1, anchor.reader)
        return False

    def lose_end(self, end: int, next_offset: int, consumer: ConsumerName) -> None:
        """The log is shorter than what the consumer has read."""
        self.lost = f"the log ends at {end}, below position {next_offset} of {consumer}"

    def lose_record(self, next_offset: int, consumer: ConsumerName) -> None:
        """Another record lies where the consumer's last one was."""
        self.lost = f"the record before offset {next_offset} is not the one that {consumer} read"


class Loop(Protocol):
    """A consumer's loop, as it is looked at from outside."""

    name: ConsumerName
    trouble: str | None
    """Why it can't go on just now; None while it can."""

    @property
    def turn_age(self) -> float:
        """Seconds since it took a step, or tried again."""
        ...

    def readings(self) -> Collection[Reading]:
        """How it stands, partition by partition."""
        ...
