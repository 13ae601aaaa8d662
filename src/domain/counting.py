"""How many records lie below the consumers' positions, counted as the log goes by.

Offsets don't tell: a log may have holes. So a record that a consumer skipped is only known by this.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from operator import attrgetter

from domain.log import Bounds, LogPartition, Record
from domain.records import ConsumerName, Position


class Counting:
    """Counts for positions that were all read, with their tallies, in one snapshot."""

    def __init__(self, positions: Collection[Position]) -> None:
        self._positions = positions
        self._below: dict[tuple[ConsumerName, LogPartition], int] = {}

    def follow(self, source: LogPartition, records: Iterator[Record]) -> Iterator[Record]:
        """The same records, from the start of the partition to beyond the last position."""
        here = [position for position in self._positions if position.source == source]
        above = deque(sorted(here, key=attrgetter("next_offset")))
        passed = 0
        for record in records:
            while above and above[0].next_offset <= record.offset:
                self._below[above.popleft().consumer, source] = passed
            passed += 1
            yield record
        self._below |= {(position.consumer, source): passed for position in above}

    def miscounted(self, bounds: Mapping[LogPartition, Bounds]) -> Iterator[tuple[Position, int]]:
        """Positions whose consumer counted another number of records than lie below. Where, by
        these later `bounds`, records were lost meanwhile, nobody can tell."""
        for position in self._positions:
            records = self._below.get((position.consumer, position.source))
            now = bounds.get(position.source)
            if records is None or now is None or now.start > 0 or now.end < position.next_offset:
                continue
            counted = position.tally.read - position.tally.duplicate
            # More than there are offsets is seen without the log.
            if counted != records and counted <= position.next_offset:
                yield position, records
