"""Judges a run that has come to rest: what is in the tables, against what the story and the answers
make true. It shares no rule with handlers and adapters: it only knows their tables.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from adapters.memory.tables import PositionKey, Tables
from domain.log import BETS_STATE, EVENTS_TAXONOMY, LogPartition, Record
from domain.records import ConsumerName
from tests.simulation.answers import Answers
from tests.simulation.chronicle import Kept
from tests.simulation.rules import right_state
from tests.simulation.truth import Truth

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


class Oracle:
    """Everything that is wrong, in words."""

    def __init__(self, simulation: "Simulation") -> None:
        self._chronicle = simulation.chronicle
        self._tables: Tables = simulation.database.snapshot()
        self._moments = simulation.watch.moments
        self._lost = simulation.lost
        self._stopped = {source for _, source in self._lost}
        self._reached = {
            (key.consumer, key.source): row.position.next_offset
            for key, row in self._tables.positions.items()
        }
        self._truth = self._tell()

    def wrongs(self) -> Iterator[str]:
        yield from self._events()
        yield from self._bets()
        yield from self._states()
        yield from self._refusals()
        yield from self._accounts()
        yield from self._fates()
        yield from self._order()
        yield from self._slices()
        yield from self._losses()
        answers = Answers(self._chronicle, self._tables, self._truth, self._moments)
        yield from answers.wrongs()

    # The story

    def _read(self, consumer: ConsumerName, source: LogPartition) -> Iterator[tuple[int, Kept]]:
        """What the consumer has read there. After a loss that may be what was there first, also
        when it was written later: it had been polled before. Its last record tells."""
        row = self._tables.positions.get(PositionKey(consumer, source))
        end = 0 if row is None else row.position.next_offset
        read = self._chronicle.story.get(source, [])[:end]
        for loss in self._chronicle.losses:
            if row is not None and loss.source == source and end > loss.end:
                again = self._chronicle.rewritten.get(source, [])
                other = (read[: loss.end] + again)[:end]
                if len(read) < end or _digest(source, read) != row.position.last_record_digest:
                    read = other
        return enumerate(read)

    def _tell(self) -> Truth:
        """Events first: a bet is judged by its place among its event's versions."""
        logs = self._chronicle.logs[EVENTS_TAXONOMY]
        truth = Truth({log_id: number for number, log_id in enumerate(logs)})
        for consumer in (ConsumerName.EVENT_WRITER, ConsumerName.BET_WRITER):
            for log_id in logs:
                for partition in range(3):
                    source = LogPartition(EVENTS_TAXONOMY, partition, log_id)
                    for offset, kept in self._read(consumer, source):
                        truth.take(
                            source, offset, kept, of_bets=consumer is ConsumerName.BET_WRITER
                        )
        return truth

    # The tables

    def _events(self) -> Iterator[str]:
        deleted = self._tables.deletions
        for event_id, told in self._truth.events.items():
            stored = self._tables.events.get(event_id)
            if (stored is None) != (event_id in deleted):
                yield f"event {event_id} is {stored}, deleted: {event_id in deleted}"
                continue
            if stored is None:
                continue
            event = stored.event
            now = (event.version, event.state.value, str(event.score), event.team_1)
            right = tuple(told.now[name] for name in ("version", "state", "score", "team_1"))
            if now != right:
                yield f"event {event_id} is {now}, told {right}"
            rows = sorted(
                (
                    row
                    for key, row in self._tables.event_versions.items()
                    if key.event_id == event_id
                ),
                key=lambda row: row.version,
            )
            there = [
                (r.version, r.state.value, str(r.score), r.message_id, tuple(r.position))
                for r in rows
            ]
            wanted = [
                (
                    v["version"],
                    v["state"],
                    v["score"],
                    v["message"],
                    (v["place"][0].log_id, v["place"][0].partition, v["place"][1]),
                )
                for v in told.versions
            ]
            if there != wanted:
                yield f"event {event_id} has versions {there}, told {wanted}"
        for event_id in self._tables.events.keys() - self._truth.events.keys():
            yield f"event {event_id} is there, but not told"

    def _bets(self) -> Iterator[str]:
        deleted = self._tables.deletions
        for bet_id, told in self._truth.bets.items():
            stored = self._tables.bets.get(bet_id)
            gone = bet_id in deleted or told.event in deleted
            if (stored is None) != gone:
                yield f"bet {bet_id} is {stored}, deleted: {gone}"
            elif stored is not None:
                placement = stored.placement
                now = (placement.event_id, placement.market.value, placement.user_id)
                if now != (told.event, told.market, told.user):
                    yield f"bet {bet_id} is {now}, told {told}"
                source, offset = told.place
                if tuple(stored.position) != (source.log_id, source.partition, offset):
                    yield f"bet {bet_id} stands at {stored.position}, told {told.place}"
        for bet_id in self._tables.bets.keys() - self._truth.bets.keys():
            yield f"bet {bet_id} is there, but not told"

    def _states(self) -> Iterator[str]:
        """Where nothing was lost: every bet stands as its event does."""
        if any(source.topic == BETS_STATE for source in self._stopped):
            return
        stopped = {(source.log_id, source.partition) for source in self._stopped}
        for bet_id, bet in self._tables.bets.items():
            stored = self._tables.events.get(bet.event_id)
            if stored is None or self._partition_of(bet.event_id) in stopped:
                continue
            event = stored.event
            right = right_state(bet.placement.market, event.state, str(event.score))
            if bet.state != right:
                yield f"bet {bet_id} is {bet.state}, must be {right} at {event.state} {event.score}"

    def _partition_of(self, event_id: UUID) -> tuple[UUID, int]:
        rows = [r for k, r in self._tables.event_versions.items() if k.event_id == event_id]
        partition = rows[0].position.partition
        return self._chronicle.logs[EVENTS_TAXONOMY][-1], partition

    def _refusals(self) -> Iterator[str]:
        """What was refused is known by its place; what was deleted meanwhile may be, too."""
        deleted = self._tables.deletions
        rows = {
            (place.source, place.offset): row
            for place, row in self._tables.refusals.items()
            if place.source.topic == EVENTS_TAXONOMY
        }
        for place, subject in self._truth.refused.items():
            if place not in rows and not self._touched(subject):
                yield f"the request about {subject} at {place} was not refused"
        for place, row in rows.items():
            if place not in self._truth.refused and not (
                row.subject in deleted or self._touched(row.subject)
            ):
                yield f"the request about {row.subject} at {place} was refused: {row.reason}"

    def _touched(self, subject: UUID) -> bool:
        """Whether it, or the event that it is about, was deleted."""
        deleted = self._tables.deletions
        if subject in deleted:
            return True
        return any(
            entry.event in deleted
            for entry in self._chronicle.entries
            if subject in {entry.bet, entry.event}
        ) or any(
            bet.event in deleted for bet_id, bet in self._truth.bets.items() if bet_id == subject
        )

    def _accounts(self) -> Iterator[str]:
        """Every record that was read is accounted for, and every unreadable one is kept once."""
        letters = Counter(
            (letter.record.source, letter.record.offset)
            for letter in self._tables.dead_letters.values()
        )
        unreadable: set[tuple[LogPartition, int]] = set()
        for key, row in self._tables.positions.items():
            position, tally = row.position, row.position.tally
            if tally.read != sum(tally[1:]):
                yield f"{key} doesn't add up: {tally}"
            if tally.read - tally.duplicate != position.next_offset:
                yield f"{key} stands at {position.next_offset}, but counted {tally}"
            garbage = {
                (key.source, offset)
                for offset, kept in self._read(key.consumer, key.source)
                if kept.garbage
            }
            unreadable |= garbage
            if tally.dead_lettered != len(garbage):
                yield f"{key} counted {tally}, met {len(garbage)} unreadable records"
        if set(letters) != unreadable or any(n != 1 for n in letters.values()):
            yield f"dead letters {letters}, unreadable {unreadable}"

    def _fates(self) -> Iterator[str]:
        """What was applied was counted as applied, once."""
        if self._tables.deletions or self._chronicle.restored_to:
            return  # what was applied when depends on when it was deleted
        for key, row in self._tables.positions.items():
            subjects = {ConsumerName.EVENT_WRITER: "event", ConsumerName.BET_WRITER: "bet"}
            subject = subjects.get(key.consumer)
            if subject is not None and key.source.topic == EVENTS_TAXONOMY:
                right = self._truth.applied[key.source, subject]
                if row.position.tally.applied != right:
                    yield f"{key} applied {right}, counted {row.position.tally}"

    def _order(self) -> Iterator[str]:
        for _, source in self._reached:
            if source.topic != EVENTS_TAXONOMY:
                continue
            scorer, bets, events = (
                self._reached.get((name, source), 0)
                for name in (
                    ConsumerName.BET_SCORER,
                    ConsumerName.BET_WRITER,
                    ConsumerName.EVENT_WRITER,
                )
            )
            if not scorer <= bets <= events:
                yield f"at {source} the scorer has {scorer}, bets {bets}, events {events}"

    def _slices(self) -> Iterator[str]:
        """Slices with one message id are one message."""
        if self._chronicle.restored_to:
            return  # a bet that was deleted after the backup is there again
        values: defaultdict[bytes, set[bytes]] = defaultdict(set)
        for source, records in self._chronicle.story.items():
            for kept in records if source.topic == BETS_STATE else ():
                if not kept.garbage and kept.value is not None:
                    values[kept.value[: kept.value.find(b'"source"')]].add(kept.value)
        for head, found in values.items():
            if len(found) > 1:
                yield f"slices that differ under one id: {head!r}"

    def _losses(self) -> Iterator[str]:
        """Whoever had read beyond the beginning of what was lost says so, and who follows."""
        for loss in self._chronicle.unhealed():
            for name in loss.noticed_by:
                if (name, loss.source) not in self._lost:
                    yield f"{name} didn't notice the loss {loss}"
        known = {loss.source for loss in self._chronicle.losses} | self._chronicle.heads.keys()
        for name, source in self._lost:
            if source not in known:
                yield f"{name} says that {source} was lost"


def _digest(source: LogPartition, read: list[Kept]) -> bytes:
    return Record(source, len(read) - 1, read[-1].key, read[-1].value).digest()
