# ruff: noqa: S608 - what is put into the statements are this file's own constants
"""Events as they are now, and their versions."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import or_, select, tuple_

from adapters.postgres import schema
from adapters.postgres.arrays import binaries, moments, texts, uuids, words
from adapters.postgres.session import Row, Session
from domain.events import Event, EventState
from domain.log import LogPosition
from domain.ports import EventLock
from domain.records import Cursor, EventVersion, Reach, StoredEvent
from domain.score import Score
from domain.text import fold

_EVENT = "id, type, team_1, team_2, event_date, score, state, version, created_at, origin"

_AMONG = f"SELECT {_EVENT} FROM events WHERE id = ANY(%(ids)s::uuid[])"

_STRENGTHS = {
    EventLock.REFERENCE: "KEY SHARE",
    EventLock.CHANGE: "NO KEY UPDATE",
    EventLock.DELETE: "UPDATE",
}

_WRITE = f"""
INSERT INTO events AS event ({_EVENT}, team_1_folded, team_2_folded)
SELECT {_EVENT}, team_1_folded, team_2_folded FROM unnest(
    %(ids)s::uuid[], %(types)s::text[], %(teams_1)s::text[], %(teams_2)s::text[],
    %(dates)s::timestamptz[], %(scores)s::text[], %(states)s::event_state[], %(versions)s::int[],
    %(created_at)s::timestamptz[], %(origins)s::bytea[], %(teams_1_folded)s::text[],
    %(teams_2_folded)s::text[]
) AS written ({_EVENT}, team_1_folded, team_2_folded)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    type = excluded.type, team_1 = excluded.team_1, team_2 = excluded.team_2,
    event_date = excluded.event_date, score = excluded.score, state = excluded.state,
    version = excluded.version, created_at = excluded.created_at, origin = excluded.origin,
    team_1_folded = excluded.team_1_folded, team_2_folded = excluded.team_2_folded
"""

_REMOVE = """
WITH gone AS (DELETE FROM event_versions WHERE event_id = %(id)s)
DELETE FROM events WHERE id = %(id)s
"""

_VERSION = (
    'event_id, version, state, score, at, event_versions.log_id, partition, "offset", message_id'
)

_ADD_VERSIONS = """
INSERT INTO event_versions
    (event_id, version, state, score, at, log_id, partition, "offset", message_id)
SELECT * FROM unnest(
    %(event_ids)s::uuid[], %(versions)s::int[], %(states)s::event_state[], %(scores)s::text[],
    %(at)s::timestamptz[], %(log_ids)s::uuid[], %(partitions)s::int[], %(offsets)s::bigint[],
    %(message_ids)s::uuid[]
) AS added (event_id, version)
ORDER BY event_id, version
"""

_MADE_BY = f"""
SELECT {_VERSION} FROM event_versions
JOIN unnest(%(log_ids)s::uuid[], %(partitions)s::int[], %(offsets)s::bigint[])
    AS place (log_id, partition, "offset") USING (log_id, partition, "offset")
ORDER BY event_id, version
"""

_BETWEEN = f"""
SELECT {_VERSION} FROM event_versions
JOIN unnest(%(event_ids)s::uuid[], %(firsts)s::int[], %(lasts)s::int[])
    AS wanted (event_id, first, last) USING (event_id)
WHERE version BETWEEN first AND last
ORDER BY event_id, version
"""

_UNTIL_KICK_OFF = f"""
SELECT {_VERSION} FROM event_versions
JOIN (
    SELECT event_id, (
        SELECT min(version) FROM event_versions AS later
        WHERE later.event_id = wanted.event_id AND later.state <> 'created'
    ) AS kick_off
    FROM unnest(%(event_ids)s::uuid[]) AS wanted (event_id)
) AS wanted USING (event_id)
WHERE version <= kick_off OR kick_off IS NULL
ORDER BY event_id, version
"""

_HISTORY = f"SELECT {_VERSION} FROM event_versions WHERE event_id = %(id)s ORDER BY version"


_MADE_FROM = f"""
SELECT {_VERSION} FROM event_versions
JOIN unnest(%(partitions)s::int[], %(firsts)s::bigint[], %(lasts)s::bigint[])
    AS part (partition, first, last) USING (partition)
WHERE log_id = %(log_id)s AND "offset" >= first AND "offset" < last
    AND (%(event_id)s::uuid IS NULL OR event_id = %(event_id)s)
ORDER BY partition, "offset" LIMIT %(most)s
"""


class PostgresEvents:
    """Events."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self, ids: Collection[UUID], how: EventLock) -> Mapping[UUID, StoredEvent]:
        return self._select(f"{_AMONG} ORDER BY id FOR {_STRENGTHS[how]}", ids)

    def among(self, ids: Collection[UUID]) -> Mapping[UUID, StoredEvent]:
        return self._select(_AMONG, ids)

    def write(self, events: Collection[StoredEvent]) -> None:
        if not events:
            return
        now = [each.event for each in events]
        self._session.execute(
            _WRITE,
            {
                "ids": uuids(event.id for event in now),
                "types": texts(event.type for event in now),
                "teams_1": texts(event.team_1 for event in now),
                "teams_2": texts(event.team_2 for event in now),
                "dates": moments(event.event_date for event in now),
                "scores": words(event.score for event in now),
                "states": words(event.state for event in now),
                "versions": words(event.version for event in now),
                "created_at": moments(each.created_at for each in events),
                "origins": binaries(each.origin for each in events),
                "teams_1_folded": texts(fold(event.team_1) for event in now),
                "teams_2_folded": texts(fold(event.team_2) for event in now),
            },
        )

    def remove(self, event_id: UUID) -> None:
        self._session.execute(_REMOVE, {"id": str(event_id)})

    def page(
        self,
        *,
        state: EventState | None = None,
        type: str | None = None,
        team: str | None = None,
        after: Cursor | None = None,
        most: int,
    ) -> Sequence[StoredEvent]:
        columns = schema.events.c
        query = select(*(columns[name] for name in _EVENT.split(", ")))
        if state is not None:
            query = query.where(columns.state == state)
        if type is not None:
            query = query.where(columns.type == type)
        if team is not None:
            folded = fold(team)
            either = or_(columns.team_1_folded == folded, columns.team_2_folded == folded)
            query = query.where(either)
        if after is not None:
            query = query.where(tuple_(columns.created_at, columns.id) < tuple_(*after))
        query = query.order_by(columns.created_at.desc(), columns.id.desc()).limit(most)
        return [_stored_event(row) for row in self._session.query(query)]

    def _select(self, statement: str, ids: Collection[UUID]) -> dict[UUID, StoredEvent]:
        if not ids:
            return {}
        rows = self._session.query(statement, {"ids": uuids(ids)})
        return {row[0]: _stored_event(row) for row in rows}


class PostgresEventVersions:
    """Versions, unique by number and by place."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, versions: Collection[EventVersion]) -> None:
        if not versions:
            return
        self._session.execute(
            _ADD_VERSIONS,
            {
                "event_ids": uuids(each.event_id for each in versions),
                "versions": words(each.version for each in versions),
                "states": words(each.state for each in versions),
                "scores": words(each.score for each in versions),
                "at": moments(each.at for each in versions),
                "message_ids": uuids(each.message_id for each in versions),
                **_places([each.position for each in versions]),
            },
        )

    def made_by(self, positions: Collection[LogPosition]) -> Sequence[EventVersion]:
        if not positions:
            return []
        rows = self._session.query(_MADE_BY, _places(set(positions)))
        return [_event_version(row) for row in rows]

    def between(self, ranges: Mapping[UUID, tuple[int, int]]) -> Mapping[UUID, list[EventVersion]]:
        if not ranges:
            return {}
        wanted = {
            "event_ids": uuids(ranges),
            "firsts": words(first for first, _ in ranges.values()),
            "lasts": words(last for _, last in ranges.values()),
        }
        return _by_event(self._session.query(_BETWEEN, wanted))

    def until_kick_off(self, event_ids: Collection[UUID]) -> Mapping[UUID, list[EventVersion]]:
        if not event_ids:
            return {}
        wanted = {"event_ids": uuids(set(event_ids))}
        return _by_event(self._session.query(_UNTIL_KICK_OFF, wanted))

    def history(self, event_id: UUID) -> Sequence[EventVersion]:
        rows = self._session.query(_HISTORY, {"id": str(event_id)})
        return [_event_version(row) for row in rows]

    def made_from(
        self, first: Reach, last: Reach, *, event_id: UUID | None, most: int
    ) -> Sequence[EventVersion]:
        wanted = {
            "log_id": str(first.log_id),
            "partitions": words(range(len(first.next_offsets))),
            "firsts": words(first.next_offsets),
            "lasts": words(last.next_offsets),
            "event_id": None if event_id is None else str(event_id),
            "most": most,
        }
        return [_event_version(row) for row in self._session.query(_MADE_FROM, wanted)]


def _places(positions: Collection[LogPosition]) -> dict[str, object]:
    return {
        "log_ids": uuids(each.log_id for each in positions),
        "partitions": words(each.partition for each in positions),
        "offsets": words(each.offset for each in positions),
    }


def _by_event(rows: Sequence[Row]) -> dict[UUID, list[EventVersion]]:
    found: dict[UUID, list[EventVersion]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(_event_version(row))
    return dict(found)


def _stored_event(row: Row) -> StoredEvent:
    event_id, type_, team_1, team_2, event_date, score, state, version, created_at, origin = row
    event = Event(
        id=event_id,
        type=type_,
        team_1=team_1,
        team_2=team_2,
        event_date=event_date,
        score=Score.parse(score),
        state=EventState(state),
        version=version,
    )
    return StoredEvent(event=event, created_at=created_at, origin=bytes(origin))


def _event_version(row: Row) -> EventVersion:
    event_id, version, state, score, at, log_id, partition, offset, message_id = row
    return EventVersion(
        event_id=event_id,
        version=version,
        state=EventState(state),
        score=Score.parse(score),
        at=at,
        position=LogPosition(log_id, partition, offset),
        message_id=message_id,
    )
