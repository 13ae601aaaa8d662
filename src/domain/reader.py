"""How a member reads the partitions that are its own: where it begins, and that the log is sound.

The stored position says where to go on; the group's committed offset is never asked. On assignment
and after every reset the log is compared with the position, and with that of the consumer before
this one. A partition whose log is not what it was stands still until a person has looked.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from operator import attrgetter

from domain.errors import MalformedRecord
from domain.log import Bounds, LogPartition, Record
from domain.messages import Message, Other
from domain.observing import Observer, Part, Stopwatch
from domain.ports import Codec, Database, Subscription, UnitOfWork
from domain.reading import Reading
from domain.records import Position
from domain.recreation import register
from domain.rulings import Batch, Decoded, Handler, Lane, place_in

NEVER = float("-inf")
"""Before all times."""

LOOK_INTERVAL = 1.0
"""Seconds between two looks at the log's end."""

POLLED_RECORDS = 5000
"""At most, in one poll."""

BUFFERED_BATCHES = 2
"""A partition is paused while it has this many batches in the buffer."""


class Reader:
    """One member's partitions, and the records that wait in their buffers."""

    def __init__(
        self,
        handler: Handler,
        *,
        subscription: Subscription,
        codec: Codec,
        database: Database,
        monotonic: Callable[[], float],
        observer: Observer,
    ) -> None:
        self._name = handler.name
        self._behind = handler.behind
        self._kinds = handler.kinds
        self._lanes = {lane.topic: lane for lane in handler.lanes}
        self._subscription = subscription
        self._codec = codec
        self._database = database
        self._monotonic = monotonic
        # Of its own: during long work a poll comes between.
        self._watch = Stopwatch(observer, monotonic)
        self._unstarted: set[LogPartition] = set()
        self._readings: dict[LogPartition, Reading] = {}
        self._looked_at = NEVER

    @property
    def readings(self) -> Collection[Reading]:
        return tuple(self._readings.values())

    def get(self, source: LogPartition) -> Reading | None:
        return self._readings.get(source)

    def read(self, *, idle: float) -> None:
        """Receive what has come, waiting up to `idle` seconds when nothing that may be worked on
        waits in the buffers; start what is new; look at the log's end."""
        if self._unstarted:
            # What was restarted is read in this turn, too; but first, whether it is still its own.
            self.receive(timeout=0)
            self._start()
        busy = any(reading.buffer for reading in self._sound())
        self.receive(timeout=0 if busy else idle)
        self._start()
        self._look_for_the_end()

    def receive(self, *, timeout: float) -> None:
        """Poll: take up changes of the assignment, and buffer the records."""
        most = min(POLLED_RECORDS, max(lane.most for lane in self._lanes.values()))
        self._watch.start()
        poll = self._subscription.poll(timeout=timeout, most=most)
        self._watch.stop(Part.POLL)
        for source in poll.revoked:
            self._readings.pop(source, None)
            self._unstarted.discard(source)
        for source in poll.assigned:
            self.restart(source)
        found: dict[LogPartition, list[Record]] = defaultdict(list)
        for source, run in groupby(poll.records, key=attrgetter("source")):
            found[source] += run
        for source, records in found.items():
            reading, left = self._readings.get(source), iter(records)
            if reading is not None and self._is_proved(reading, left):
                reading.buffer.add(Decoded(each, self._decode(each)) for each in left)
        if found:
            self._watch.stop(Part.DECODE)
        self._pause_and_resume()

    def _is_proved(self, reading: Reading, records: Iterator[Record]) -> bool:
        """Whether the records, of which there are some, may be worked on. As long as there is
        something to prove, the first of them is taken for that."""
        if not reading.anchors or reading.lost is not None:
            return reading.lost is None
        record = next(records)
        proves = reading.proves(record)
        if proves and (reading.anchors or reading.following != record.offset + 1):
            self._subscription.seek(reading.source, reading.following)
            return False
        return proves

    def restart(self, source: LogPartition) -> None:
        """Forget what was read of the partition, and go on from its stored position."""
        self._readings.pop(source, None)
        self._unstarted.add(source)

    def restart_all(self) -> None:
        for source in list(self._readings):
            self.restart(source)

    def _sound(self) -> list[Reading]:
        """The partitions whose log is what it was."""
        return [reading for reading in self._readings.values() if reading.lost is None]

    def batch(self, lane: Lane) -> Batch:
        """The records that wait in a lane's buffers, up to its limit. Each partition has its share,
        and what others leave of theirs: so one that is held stops no other."""
        waiting = [
            reading
            for reading in self._readings.values()
            if reading.source.topic == lane.topic and reading.lost is None
        ]
        batch: dict[LogPartition, Sequence[Decoded]] = {}
        left = lane.most
        for rank, reading in enumerate(sorted(waiting, key=lambda r: (r.buffer.weight, r.source))):
            reading.held = False
            taken, weight = reading.buffer.first(left // (len(waiting) - rank))
            left -= weight
            if taken:
                batch[reading.source] = taken
        return batch

    def compare(self, batch: Batch, readers: Collection[Position]) -> None:
        """See that this consumer, and the one before it, have read the same records."""
        for reader in readers:
            run, reading = batch.get(reader.source, ()), self._readings.get(reader.source)
            last = place_in(run, reader.next_offset) - 1
            if reading is None or last < 0 or run[last].record.offset != reader.next_offset - 1:
                continue
            if reader.last_record_digest not in {None, run[last].record.digest()}:
                reading.lose_record(reader.next_offset, reader.consumer)
                reading.readers = [each for each in readers if each.source == reader.source]

    def advance(self, positions: Collection[Position]) -> None:
        """These positions are committed: drop what lies below them."""
        for position in positions:
            reading = self._readings.get(position.source)
            if reading is None:
                continue
            reading.next_offset, reading.tally = position.next_offset, position.tally
            reading.buffer.drop_below(position.next_offset)
        self._pause_and_resume()
        self._subscription.commit({p.source: p.next_offset for p in positions})

    def _decode(self, record: Record) -> Message | Other | MalformedRecord:
        try:
            return self._codec.sift(record, self._kinds)
        except MalformedRecord as malformed:
            return malformed

    def _pause_and_resume(self) -> None:
        """Bound the buffers: full ones are paused until they are empty."""
        for reading in self._readings.values():
            room = BUFFERED_BATCHES * self._lanes[reading.source.topic].most
            pause = reading.buffer.weight >= room or reading.lost is not None
            if pause and not reading.paused:
                self._subscription.pause([reading.source])
                reading.paused = True
            elif reading.paused and not pause and not reading.buffer:
                self._subscription.resume([reading.source])
                reading.paused = False

    def _start(self) -> None:
        """Begin newly assigned and reset partitions at their stored positions."""
        if not self._unstarted:
            return
        # A log that is no longer there is left out: registered now, it would be the newest.
        sources = sorted(self._subscription.bounds(self._unstarted))
        readers: dict[LogPartition, list[Position]] = {}
        # A transaction for each topic: a new log's needs positions, then events, then bets.
        for _, of_topic in groupby(sources, key=attrgetter("topic")):
            started = list(of_topic)
            with self._database.transaction() as uow:
                for source in started:
                    register(uow, source)
                readers |= self._readers(uow, started)
                uow.commit()
        # Asked after the positions: others go on meanwhile, and the log with them.
        for source, bounds in self._subscription.bounds(sources).items():
            self._begin(readers[source], bounds)
        self._pause_and_resume()

    def _readers(
        self, uow: UnitOfWork, sources: Sequence[LogPartition]
    ) -> Mapping[LogPartition, list[Position]]:
        """How far this consumer has come; and before it, the one that it follows."""
        mine = uow.positions.read(self._name, sources)
        ahead = uow.positions.read(self._behind, sources) if self._behind else {}
        return {
            source: [
                *([ahead[source]] if source in ahead else ()),
                mine.get(source) or Position(consumer=self._name, source=source),
            ]
            for source in sources
        }

    def _begin(self, readers: Sequence[Position], bounds: Bounds) -> None:
        """Read on from the position, if the log is what it was when it was read: by this consumer,
        and by the one that it follows."""
        furthest, position = readers[0], readers[-1]
        source, next_offset = position.source, position.next_offset
        reading = Reading(source, next_offset, position.tally, end=bounds.end, readers=readers)
        self._unstarted.discard(source)
        self._readings[source] = reading
        if bounds.end < furthest.next_offset:
            reading.lose_end(bounds.end, furthest.next_offset, furthest.consumer)
        elif bounds.start > next_offset:
            reading.lost = f"the log starts at {bounds.start}, above position {next_offset}"
        else:
            reading.anchor(bounds)
            self._subscription.seek(source, reading.following)
            self._subscription.resume([source])
            # Whoever had it before may have ended without telling how far it had come.
            self._subscription.commit({source: next_offset})

    def _look_for_the_end(self) -> None:
        """Once a second ask where the log ends; and say, once this consumer has come so far, that
        it stood at the end at the moment of asking. Under load, too, that moment comes."""
        now = self._monotonic()
        if now - self._looked_at >= LOOK_INTERVAL and self._readings:
            bounds = self._subscription.bounds([reading.source for reading in self._sound()])
            ends = {source: found.end for source, found in bounds.items()}
            for reading in self._sound():
                if reading.source in ends:
                    self._check_tail(reading, ends[reading.source])
            if self._looked_at > NEVER:
                # A turn may be longer than looks are apart, and the end lies elsewhere after each.
                self._say_who_has_come_so_far()
            self._looked_at = now
            for reading in self._sound():
                if reading.source in ends:
                    reading.end, reading.end_reached = ends[reading.source], False
            self._look_at_the_lost()
        self._say_who_has_come_so_far()

    def _say_who_has_come_so_far(self) -> None:
        # Of those that are sound still: who has lost its tail might seem to stand at the end.
        reached = [r for r in self._sound() if not (r.end_reached or r.lag or r.anchors)]
        if reached:
            self._say_end_reached({reading.source: reading for reading in reached})

    def _check_tail(self, reading: Reading, end: int) -> None:
        if end < reading.next_offset:
            reading.lose_end(end, reading.next_offset, self._name)

    def _look_at_the_lost(self) -> None:
        """Begin again where the database went back: perhaps to a backup from before the loss."""
        lost = [reading for reading in self._readings.values() if reading.lost is not None]
        if not lost:
            return
        with self._database.transaction() as uow:
            now = self._readers(uow, [reading.source for reading in lost])
        for reading in lost:
            reached = {position.consumer: position.next_offset for position in now[reading.source]}
            went_back = any(p.next_offset > reached.get(p.consumer, 0) for p in reading.readers)
            if went_back or reading.is_ahead_of(now[reading.source][-1]):
                self.restart(reading.source)

    def _say_end_reached(self, reached: Mapping[LogPartition, Reading]) -> None:
        """Mark these as caught up, but first see that the database still says so. It may have gone
        back to a backup; or on, by a member that had polled what the log has lost since."""
        with self._database.transaction() as uow:
            stored = uow.positions.read(self._name, reached.keys())
            moved = {s for s, reading in reached.items() if not reading.is_at(stored.get(s))}
            # Of the transaction's beginning: whoever stands still from here on claims too little.
            ago = timedelta(seconds=self._monotonic() - self._looked_at)
            uow.positions.mark_caught_up(self._name, reached.keys() - moved, ago=ago)
            uow.commit()
        for source, reading in reached.items():
            if source in moved:
                self.restart(source)
            else:
                reading.end_reached = True
