"""What is kept beside events and bets: logs, positions, refusals, deletions, dead letters."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from uuid import UUID

from adapters.memory.tables import LogRow, Place, PositionKey, PositionRow
from adapters.memory.transaction import Transaction
from domain.log import LogPartition
from domain.records import ConsumerName, DeadLetter, Position, Refusal


class MemoryLogs:
    """Logs. One lock for all of them: a new generation is above every committed one."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def register(self, topic: str, log_id: UUID) -> None:
        if log_id in self.incarnations(topic)[-1:]:
            return
        self._transaction.hold("logs")
        if log_id in self.incarnations(topic)[-1:]:
            return
        with self._transaction.statement():
            logs = self._transaction.logs
            last = max((row.generation for row in logs.rows()), default=0)
            logs.put(log_id, LogRow(topic, last + 1))

    def incarnations(self, topic: str) -> Sequence[UUID]:
        with self._transaction.statement():
            logs = [
                (r.generation, id_) for id_, r in self._transaction.logs.items() if r.topic == topic
            ]
        return [log_id for _, log_id in sorted(logs)]

    def generations(self) -> Mapping[UUID, int]:
        with self._transaction.statement():
            return {log_id: row.generation for log_id, row in self._transaction.logs.items()}


class MemoryPositions:
    """Positions; a row holds the caught-up mark too."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def lock(
        self, consumer: ConsumerName, sources: Collection[LogPartition]
    ) -> Mapping[LogPartition, Position]:
        return {
            key.source: self._hold(key).position
            for key in sorted(PositionKey(consumer, source) for source in set(sources))
        }

    def read(
        self, consumer: ConsumerName, sources: Collection[LogPartition]
    ) -> Mapping[LogPartition, Position]:
        with self._transaction.statement():
            rows = {
                source: self._transaction.positions.get(PositionKey(consumer, source))
                for source in sources
            }
        return {source: row.position for source, row in rows.items() if row is not None}

    def all(self) -> Sequence[Position]:
        with self._transaction.statement():
            rows = sorted(self._transaction.positions.items())
        return [row.position for _, row in rows]

    def save(self, positions: Collection[Position]) -> None:
        keyed = {PositionKey(each.consumer, each.source): each for each in positions}
        for key in sorted(keyed):
            row = self._hold(key)._replace(position=keyed[key])
            with self._transaction.statement():
                self._transaction.positions.put(key, row)
        self._transaction.moves_positions |= bool(keyed)

    def mark_caught_up(
        self, consumer: ConsumerName, sources: Collection[LogPartition], *, ago: timedelta
    ) -> None:
        at = self._transaction.began_at - ago
        for key in sorted(PositionKey(consumer, source) for source in set(sources)):
            row = self._hold(key)._replace(caught_up_at=at)
            with self._transaction.statement():
                self._transaction.positions.put(key, row)

    def caught_up_ago(self, consumer: ConsumerName, topic: str) -> Mapping[int, timedelta]:
        now = self._transaction.store.now()
        with self._transaction.statement():
            return {
                key.source.partition: now - row.caught_up_at
                for key, row in self._in_newest_log(topic)
                if key.consumer is consumer
                # A mark from the future proves nothing: the clock was set back.
                and row.caught_up_at is not None
                and row.caught_up_at <= now
            }

    def reached(self, topic: str) -> Mapping[tuple[ConsumerName, int], int]:
        with self._transaction.statement():
            return {
                (key.consumer, key.source.partition): row.position.next_offset
                for key, row in self._in_newest_log(topic)
            }

    def _hold(self, key: PositionKey) -> PositionRow:
        """Lock the row, and let it begin when it is missing."""
        self._transaction.hold("positions", key)
        with self._transaction.statement():
            row = self._transaction.positions.get(key)
            if row is None:
                row = PositionRow(Position(consumer=key.consumer, source=key.source))
                self._transaction.positions.put(key, row)
            return row

    def _in_newest_log(self, topic: str) -> Iterator[tuple[PositionKey, PositionRow]]:
        logs = self._transaction.logs.items()
        generations = {log_id: row.generation for log_id, row in logs if row.topic == topic}
        newest = max(generations, key=generations.__getitem__, default=None)
        for key, row in self._transaction.positions.items():
            if key.source.topic == topic and key.source.log_id == newest:
                yield key, row


class MemoryRefusals:
    """Refusals, unique by place."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, refusals: Collection[Refusal]) -> None:
        placed = {Place(each.source, each.offset): each for each in reversed([*refusals])}
        for place in sorted(placed):
            self._transaction.hold("refusals", place)
            with self._transaction.statement():
                if place not in self._transaction.refusals:
                    self._transaction.refusals.put(place, placed[place])

    def of_subjects(self, subjects: Collection[UUID]) -> Mapping[UUID, Refusal]:
        wanted = set(subjects)
        return {
            refusal.subject: refusal
            for refusal in reversed(self._in_log_order())
            if refusal.type == "bet.placed" and refusal.subject in wanted
        }

    def of_messages(self, message_ids: Collection[UUID]) -> Mapping[UUID, Refusal]:
        wanted = set(message_ids)
        return {
            refusal.message_id: refusal
            for refusal in reversed(self._in_log_order())
            if refusal.message_id in wanted
        }

    def _in_log_order(self) -> list[Refusal]:
        with self._transaction.statement():
            generations = {log_id: row.generation for log_id, row in self._transaction.logs.items()}
            refusals = list(self._transaction.refusals.rows())
        return sorted(
            refusals,
            key=lambda each: (
                generations.get(each.source.log_id, 0),
                each.offset,
                each.source.partition,
            ),
        )


class MemoryDeletions:
    """Ids that must not come back."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def among(self, ids: Collection[UUID]) -> frozenset[UUID]:
        with self._transaction.statement():
            return frozenset(each for each in ids if each in self._transaction.deletions)

    def add(self, deleted_id: UUID) -> None:
        self._transaction.hold("deletions", deleted_id)
        with self._transaction.statement():
            self._transaction.deletions.put(deleted_id, None)


class MemoryDeadLetters:
    """Dead letters, unique by place; ids come from a sequence, which no rollback turns back."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, letters: Collection[DeadLetter]) -> None:
        now = self._transaction.store.now()
        placed = {
            Place(each.record.source, each.record.offset): each for each in reversed([*letters])
        }
        for place in sorted(placed):
            self._transaction.hold("dead_letters", place)
            with self._transaction.statement():
                if place not in self._transaction.dead_letters:
                    letter = replace(
                        placed[place], id=self._transaction.store.next_letter_id(), seen_at=now
                    )
                    self._transaction.dead_letters.put(place, letter)

    def page(self, *, after: int | None, most: int) -> Sequence[DeadLetter]:
        with self._transaction.statement():
            letters = sorted(self._transaction.dead_letters.rows(), key=attrgetter("id"))
        return [each for each in letters if after is None or (each.id or 0) > after][:most]

    def waiting(self, *, most: int) -> Sequence[DeadLetter]:
        letters = self.page(after=None, most=sys.maxsize)
        return [each for each in reversed(letters) if each.requeued_at is None][:most]

    def lock(self, letter_id: int) -> DeadLetter | None:
        letter = self._find(letter_id)
        if letter is None:
            return None
        self._transaction.hold("dead_letters", Place(letter.record.source, letter.record.offset))
        return self._find(letter_id)

    def mark_requeued(self, letter_id: int, at: datetime) -> None:
        letter = self.lock(letter_id)
        if letter is not None:
            with self._transaction.statement():
                place = Place(letter.record.source, letter.record.offset)
                self._transaction.dead_letters.put(place, replace(letter, requeued_at=at))

    def _find(self, letter_id: int) -> DeadLetter | None:
        with self._transaction.statement():
            rows = self._transaction.dead_letters.rows()
            return next((each for each in rows if each.id == letter_id), None)


class MemoryChanges:
    """What those who watch are told, once it is committed."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def tell(self, event_ids: Collection[UUID]) -> None:
        with self._transaction.statement():
            self._transaction.told.update(event_ids)
