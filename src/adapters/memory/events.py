"""Events as they are now, and their versions."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from adapters.memory.tables import VersionKey
from adapters.memory.transaction import Transaction
from domain.events import EventState
from domain.log import LogPosition
from domain.ports import EventLock
from domain.records import Cursor, EventVersion, Reach, StoredEvent
from domain.text import fold

Item = TypeVar("Item")


class MemoryEvents:
    """Events."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def lock(self, ids: Collection[UUID], how: EventLock) -> Mapping[UUID, StoredEvent]:
        for event_id in sorted(self.among(ids)):
            self._transaction.hold("events", event_id, mode=how)
        return self.among(ids)

    def among(self, ids: Collection[UUID]) -> Mapping[UUID, StoredEvent]:
        with self._transaction.statement():
            rows = {event_id: self._transaction.events.get(event_id) for event_id in ids}
        return {event_id: row for event_id, row in rows.items() if row is not None}

    def write(self, events: Collection[StoredEvent]) -> None:
        stored = {each.event.id: each for each in events}
        known = self.among(stored)
        for event_id in sorted(stored):
            mode = EventLock.CHANGE if event_id in known else EventLock.DELETE
            self._transaction.hold("events", event_id, mode=mode)
            with self._transaction.statement():
                self._transaction.events.put(event_id, stored[event_id])

    def remove(self, event_id: UUID) -> None:
        self._transaction.hold("events", event_id)
        with self._transaction.statement():
            if any(bet.event_id == event_id for bet in self._transaction.bets.rows()):
                self._transaction.fail("an event is removed only while it has no bets")
            self._transaction.events.remove(event_id)
            for key in [*dict(self._transaction.event_versions.items())]:
                if key.event_id == event_id:
                    self._transaction.event_versions.remove(key)

    def page(
        self,
        *,
        state: EventState | None = None,
        type: str | None = None,
        team: str | None = None,
        after: Cursor | None = None,
        most: int,
    ) -> Sequence[StoredEvent]:
        def is_wanted(stored: StoredEvent) -> bool:
            event = stored.event
            return (
                (state is None or event.state is state)
                and (type is None or event.type == type)
                and (team is None or fold(team) in (fold(event.team_1), fold(event.team_2)))
            )

        with self._transaction.statement():
            found = [each for each in self._transaction.events.rows() if is_wanted(each)]
        return newest_first(found, _cursor, after=after, most=most)


class MemoryEventVersions:
    """Versions, unique by number and by place."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, versions: Collection[EventVersion]) -> None:
        for version in sorted(versions, key=_key):
            self._transaction.hold("event_versions", _key(version))
            self._transaction.hold("event_versions", version.position)
        with self._transaction.statement():
            places = {each.position for each in self._transaction.event_versions.rows()}
            for version in versions:
                if _key(version) in self._transaction.event_versions or version.position in places:
                    self._transaction.fail("a version is made once, by one record")
                places.add(version.position)
                self._transaction.event_versions.put(_key(version), version)

    def made_by(self, positions: Collection[LogPosition]) -> Sequence[EventVersion]:
        wanted = set(positions)
        return self._select(lambda each: each.position in wanted)

    def between(self, ranges: Mapping[UUID, tuple[int, int]]) -> Mapping[UUID, list[EventVersion]]:
        def is_wanted(version: EventVersion) -> bool:
            first, last = ranges.get(version.event_id, (1, 0))
            return first <= version.version <= last

        return _by_event(self._select(is_wanted))

    def until_kick_off(self, event_ids: Collection[UUID]) -> Mapping[UUID, list[EventVersion]]:
        wanted = set(event_ids)
        found = _by_event(self._select(lambda each: each.event_id in wanted))
        for versions in found.values():
            begun = [each for each in versions if each.state is not EventState.CREATED]
            del versions[len(versions) - len(begun[1:]) :]
        return found

    def history(self, event_id: UUID) -> Sequence[EventVersion]:
        return self._select(lambda each: each.event_id == event_id)

    def made_from(
        self, first: Reach, last: Reach, *, event_id: UUID | None, most: int
    ) -> Sequence[EventVersion]:
        def is_wanted(version: EventVersion) -> bool:
            log_id, partition, offset = version.position
            return (
                event_id in (None, version.event_id)
                and log_id == first.log_id
                and first.next_offsets[partition] <= offset < last.next_offsets[partition]
            )

        found = self._select(is_wanted)
        return sorted(found, key=lambda each: each.position)[:most]

    def _select(self, is_wanted: Callable[[EventVersion], bool]) -> list[EventVersion]:
        with self._transaction.statement():
            found = filter(is_wanted, self._transaction.event_versions.rows())
            return sorted(found, key=_key)


def newest_first(
    items: Sequence[Item], cursor: Callable[[Item], Cursor], *, after: Cursor | None, most: int
) -> list[Item]:
    """One page, newest first, of the items older than `after`."""
    older = [item for item in items if after is None or cursor(item) < after]
    return sorted(older, key=cursor, reverse=True)[:most]


def _cursor(stored: StoredEvent) -> Cursor:
    return Cursor(stored.created_at, stored.event.id)


def _key(version: EventVersion) -> VersionKey:
    return VersionKey(version.event_id, version.version)


def _by_event(versions: Sequence[EventVersion]) -> dict[UUID, list[EventVersion]]:
    found: dict[UUID, list[EventVersion]] = defaultdict(list)
    for version in versions:
        found[version.event_id].append(version)
    return dict(found)
