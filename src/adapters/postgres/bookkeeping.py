# ruff: noqa: S608 - what is put into the statements are this file's own constants
"""What is kept beside the story: refusals, deletions, dead letters."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres.arrays import binaries, texts, uuids, words
from adapters.postgres.log_rows import pack_headers, unpack_headers
from adapters.postgres.session import Row, Session
from domain.log import LogPartition, Record
from domain.messages import MESSAGE_TYPES, BetPlaced
from domain.records import DeadLetter, Refusal, RefusalReason

_MOST_BYTES = 4 * 2**20
"""Of dead letters in one statement: PostgreSQL takes no text of a gigabyte, and bytes are several
times as long on their way there."""

_PLACES = "%(log_ids)s::uuid[], %(topics)s::text[], %(partitions)s::int[], %(offsets)s::bigint[]"

_REFUSAL = 'log_id, topic, partition, "offset", message_id, type, subject, reason'

_ADD_REFUSALS = f"""
INSERT INTO refusals ({_REFUSAL})
SELECT {_REFUSAL} FROM unnest(
    {_PLACES}, %(message_ids)s::uuid[], %(types)s::text[], %(subjects)s::uuid[], %(reasons)s::text[]
) WITH ORDINALITY AS added ({_REFUSAL}, number)
ORDER BY number
ON CONFLICT DO NOTHING
"""

# Of several, the first in the order of the logs.
_FIRST_REFUSALS = """
SELECT DISTINCT ON ({column})
    log_id, refusals.topic, partition, "offset", message_id, type, subject, reason
FROM unnest(%(ids)s::uuid[]) AS wanted ({column})
JOIN refusals USING ({column}) LEFT JOIN logs USING (log_id)
WHERE {condition}
ORDER BY {column}, generation NULLS FIRST, "offset", partition
"""

_OF_SUBJECTS = _FIRST_REFUSALS.format(column="subject", condition="type = %(type)s")
_OF_MESSAGES = _FIRST_REFUSALS.format(column="message_id", condition="true")

_LETTER = (
    'id, log_id, topic, partition, "offset", key, value, headers, reason, seen_at, requeued_at'
)

_ADD_LETTERS = f"""
INSERT INTO dead_letters (log_id, topic, partition, "offset", key, value, headers, reason)
SELECT log_id, topic, partition, "offset", key, value, headers, reason FROM unnest(
    {_PLACES}, %(keys)s::bytea[], %(values)s::bytea[], %(headers)s::bytea[], %(reasons)s::text[]
) WITH ORDINALITY
    AS added (log_id, topic, partition, "offset", key, value, headers, reason, number)
ORDER BY number
ON CONFLICT (log_id, topic, partition, "offset") DO NOTHING
"""


class PostgresRefusals:
    """Refusals, unique by place."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, refusals: Collection[Refusal]) -> None:
        if not refusals:
            return
        ordered = sorted(refusals, key=lambda each: (each.source, each.offset))
        self._session.execute(
            _ADD_REFUSALS,
            {
                "message_ids": uuids(each.message_id for each in ordered),
                "types": texts(each.type for each in ordered),
                "subjects": uuids(each.subject for each in ordered),
                "reasons": texts(each.reason for each in ordered),
                **_places([(each.source, each.offset) for each in ordered]),
            },
        )

    def of_subjects(self, subjects: Collection[UUID]) -> Mapping[UUID, Refusal]:
        wanted = {"type": MESSAGE_TYPES[BetPlaced]}
        return {each.subject: each for each in self._select(_OF_SUBJECTS, subjects, wanted)}

    def of_messages(self, message_ids: Collection[UUID]) -> Mapping[UUID, Refusal]:
        return {each.message_id: each for each in self._select(_OF_MESSAGES, message_ids, {})}

    def _select(
        self, statement: str, ids: Collection[UUID], parameters: Mapping[str, object]
    ) -> list[Refusal]:
        if not ids:
            return []
        rows = self._session.query(statement, {"ids": uuids(set(ids)), **parameters})
        return [_refusal(row) for row in rows]


class PostgresDeletions:
    """Ids that must not come back."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def among(self, ids: Collection[UUID]) -> frozenset[UUID]:
        if not ids:
            return frozenset()
        rows = self._session.query(
            "SELECT id FROM deletions WHERE id = ANY(%(ids)s::uuid[])", {"ids": uuids(ids)}
        )
        return frozenset(row[0] for row in rows)

    def add(self, deleted_id: UUID) -> None:
        self._session.execute(
            "INSERT INTO deletions (id) VALUES (%(id)s) ON CONFLICT DO NOTHING",
            {"id": str(deleted_id)},
        )


class PostgresDeadLetters:
    """Dead letters, unique by place."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, letters: Collection[DeadLetter]) -> None:
        ordered = sorted(letters, key=lambda each: (each.record.source, each.record.offset))
        for portion in _portions(ordered):
            self._add(portion)

    def _add(self, letters: Sequence[DeadLetter]) -> None:
        records = [each.record for each in letters]
        self._session.execute(
            _ADD_LETTERS,
            {
                "keys": binaries(record.key for record in records),
                "values": binaries(record.value for record in records),
                "headers": binaries(pack_headers(record.headers) for record in records),
                "reasons": texts(_storable(each.reason) for each in letters),
                **_places([(record.source, record.offset) for record in records]),
            },
        )

    def page(self, *, after: int | None, most: int) -> Sequence[DeadLetter]:
        rows = self._session.query(
            f"SELECT {_LETTER} FROM dead_letters"
            " WHERE id > %(after)s OR %(after)s IS NULL ORDER BY id LIMIT %(most)s",
            {"after": after, "most": most},
        )
        return [_letter(row) for row in rows]

    def waiting(self, *, most: int) -> Sequence[DeadLetter]:
        rows = self._session.query(
            f"SELECT {_LETTER} FROM dead_letters"
            " WHERE requeued_at IS NULL ORDER BY id DESC LIMIT %(most)s",
            {"most": most},
        )
        return [_letter(row) for row in rows]

    def lock(self, letter_id: int) -> DeadLetter | None:
        rows = self._session.query(
            f"SELECT {_LETTER} FROM dead_letters WHERE id = %(id)s FOR UPDATE", {"id": letter_id}
        )
        return _letter(rows[0]) if rows else None

    def mark_requeued(self, letter_id: int, at: datetime) -> None:
        self._session.execute(
            "UPDATE dead_letters SET requeued_at = %(at)s WHERE id = %(id)s",
            {"at": at, "id": letter_id},
        )


def _portions(letters: Sequence[DeadLetter]) -> Iterator[Sequence[DeadLetter]]:
    """In order, each below the most bytes or with one letter."""
    start = held = 0
    for at, letter in enumerate(letters):
        size = _size(letter.record)
        if at > start and held + size > _MOST_BYTES:
            yield letters[start:at]
            start, held = at, 0
        held += size
    if letters:
        yield letters[start:]


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def _places(places: Sequence[tuple[LogPartition, int]]) -> dict[str, object]:
    return {
        "log_ids": uuids(source.log_id for source, _ in places),
        "topics": texts(source.topic for source, _ in places),
        "partitions": words(source.partition for source, _ in places),
        "offsets": words(offset for _, offset in places),
    }


def _storable(reason: str) -> str:
    """A reason may quote what made the record unreadable."""
    return reason.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _refusal(row: Row) -> Refusal:
    log_id, topic, partition, offset, message_id, type_, subject, reason = row
    return Refusal(
        source=LogPartition(topic, partition, log_id),
        offset=offset,
        message_id=message_id,
        type=type_,
        subject=subject,
        reason=RefusalReason(reason),
    )


def _letter(row: Row) -> DeadLetter:
    letter_id, log_id, topic, partition, offset, key, value, headers, *rest = row
    reason, seen_at, requeued_at = rest
    record = Record(
        LogPartition(topic, partition, log_id),
        offset,
        None if key is None else bytes(key),
        None if value is None else bytes(value),
        unpack_headers(headers),
    )
    return DeadLetter(
        record=record, reason=reason, id=letter_id, seen_at=seen_at, requeued_at=requeued_at
    )
