"""Events and their versions, on every Database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from domain.events import EventState
from domain.log import LogPosition
from domain.ports import Database, EventLock
from domain.records import Cursor, EventVersion, StoredEvent
from tests.contracts.repositories_samples import (
    HIGHEST,
    LATER_LOG,
    LOG,
    LOWEST,
    TEXTS,
    DatabaseCases,
    add_event,
    alone,
    at,
    event_version,
    stored_event,
)

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


def cursor_of(stored: StoredEvent) -> Cursor:
    return Cursor(stored.created_at, stored.event.id)


class EventsContract(DatabaseCases):
    """Events as they are now, and every version of them."""

    def test_events_are_kept_whole(self, database: Database) -> None:
        stored = [
            stored_event(1),
            stored_event(2, state=EventState.ACTIVE, score="999-0", version=2**31 - 1),
            stored_event(3, state=EventState.FINISHED, score="0-12", version=3),
        ]
        alone(database).events.write(stored)
        ids = [THREE, ONE, TWO, UUID(int=404), ONE]
        expected = {each.event.id: each for each in stored}
        assert alone(database).events.among(ids) == expected
        for how in EventLock:
            assert alone(database).events.lock(ids, how) == expected

    def test_any_text_is_kept(self, database: Database) -> None:
        stored = [
            stored_event(number, type=text[:50], team_1=text, team_2=f"not {text}")
            for number, text in enumerate(TEXTS)
        ]
        alone(database).events.write(stored)
        found = alone(database).events.among([each.event.id for each in stored])
        assert list(found.values()) == stored or found == {each.event.id: each for each in stored}
        for each in stored:
            page = alone(database).events.page(team=each.event.team_1, most=100)
            assert page == [each]

    def test_any_moment_and_id_is_kept(self, database: Database) -> None:
        first = datetime(1, 1, 2, tzinfo=UTC)
        last = datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)
        east = datetime(2026, 6, 1, tzinfo=timezone(timedelta(hours=5, minutes=45)))
        stored = []
        for event_id, moment in ((LOWEST, first), (HIGHEST, last), (ONE, east)):
            sample = stored_event(1)
            event = replace(sample.event, id=event_id, event_date=moment)
            stored.append(replace(sample, event=event, created_at=moment))
        alone(database).events.write(stored)
        found = alone(database).events.among([LOWEST, HIGHEST, ONE])
        assert found == {each.event.id: each for each in stored}
        page = alone(database).events.page(most=9)
        assert [each.event.id for each in page] == [HIGHEST, ONE, LOWEST]

    def test_writing_again_replaces(self, database: Database) -> None:
        add_event(database, 1, 2)
        after = stored_event(1, created=77, type="chess", team_1="A", team_2="B", version=2)
        with database.transaction() as uow:
            uow.events.write([after, stored_event(3)])
            assert uow.events.among([ONE]) == {ONE: after}
            uow.commit()
        found = alone(database).events.among([ONE, TWO, THREE])
        assert found == {ONE: after, TWO: stored_event(2), THREE: stored_event(3)}

    def test_a_removed_event_is_gone_with_its_versions(self, database: Database) -> None:
        add_event(database, 1, 2)
        versions = [event_version(1, 1), event_version(1, 2), event_version(2, 1)]
        alone(database).event_versions.add(versions)
        alone(database).events.remove(ONE)
        alone(database).events.remove(UUID(int=404))
        assert alone(database).events.among([ONE, TWO]).keys() == {TWO}
        assert alone(database).events.lock([ONE], EventLock.DELETE) == {}
        assert alone(database).event_versions.history(ONE) == []
        assert alone(database).event_versions.history(TWO) == versions[2:]

    def test_pages_are_newest_first_and_stable_while_events_are_added(
        self, database: Database
    ) -> None:
        created = {1: 5.0, 2: 5.0, 3: 5.0, 4: 9.0, 5: 1.0, 6: 5.000001}
        stored = [stored_event(number, created=when) for number, when in created.items()]
        alone(database).events.write(stored)
        seen: list[int] = []
        after = None
        for newer in range(100, 110):
            page = alone(database).events.page(after=after, most=2)
            seen += [each.event.id.int for each in page]
            if len(page) < 2:
                break
            after = cursor_of(page[-1])
            add_event(database, newer)
        assert seen == [4, 6, 3, 2, 1, 5]

    def test_pages_are_filtered(self, database: Database) -> None:
        stored = [
            stored_event(1, team_1="Straße", team_2="ÉCOLE"),
            stored_event(2, team_1="École", team_2="Strasse", state=EventState.ACTIVE),
            stored_event(3, team_1="strasse fc", type="chess", state=EventState.ACTIVE),
            stored_event(4, type="Chess"),
        ]
        alone(database).events.write(stored)
        active, page = EventState.ACTIVE, alone(database).events.page
        for found, numbers in (
            (page(most=9), [4, 3, 2, 1]),
            (page(team="STRASSE", most=9), [2, 1]),
            (page(team=" école ", most=9), [2, 1]),
            (page(team="france", most=9), [4, 3]),
            (page(team="stra%", most=9), []),
            (page(type="chess", most=9), [3]),
            (page(state=active, most=9), [3, 2]),
            (page(state=active, team="ecole", most=9), []),
            (page(state=active, team="école", type="football", most=9), [2]),
        ):
            assert [each.event.id.int for each in found] == numbers
        after = Cursor(at(4), UUID(int=4))
        older = alone(database).events.page(team="FRANCE", after=after, most=9)
        assert older == [stored[2]]

    def test_versions_are_kept_whole_and_in_order(self, database: Database) -> None:
        versions = [
            event_version(1, number, state=state, score=score)
            for number, (state, score) in enumerate(
                [
                    (EventState.CREATED, "0-0"),
                    (EventState.ACTIVE, "0-0"),
                    (EventState.ACTIVE, "10-9"),
                    (EventState.FINISHED, "999-999"),
                ],
                start=1,
            )
        ]
        alone(database).event_versions.add(versions[::-1])
        assert alone(database).event_versions.history(ONE) == versions
        assert alone(database).event_versions.history(TWO) == []
        more = event_version(1, 10, offset=2**62)
        alone(database).event_versions.add([more])
        assert alone(database).event_versions.history(ONE) == [*versions, more]

    def test_versions_are_found_by_place(self, database: Database) -> None:
        versions = [
            event_version(1, 1, offset=5),
            event_version(2, 1, offset=5, partition=1),
            event_version(3, 1, offset=5, log_id=LATER_LOG),
            event_version(3, 2, offset=6, log_id=LATER_LOG),
        ]
        alone(database).event_versions.add(versions)
        for each in versions:
            made = alone(database).event_versions.made_by([each.position])
            assert made == [each]
        places = [each.position for each in versions[:3]] + [LogPosition(LOG, 2, 5)]
        made = alone(database).event_versions.made_by(places)
        assert {each.event_id for each in made} == {ONE, TWO, THREE}
        assert len(made) == 3
        assert alone(database).event_versions.made_by([]) == []

    def test_versions_between_numbers(self, database: Database) -> None:
        versions = [event_version(event, number) for event in (1, 2, 3) for number in range(1, 6)]
        alone(database).event_versions.add(versions)
        ranges = {ONE: (2, 4), TWO: (5, 9), THREE: (0, 0), UUID(int=404): (1, 9)}
        found = alone(database).event_versions.between(ranges)
        numbers = {event_id: [each.version for each in vs] for event_id, vs in found.items()}
        assert numbers == {ONE: [2, 3, 4], TWO: [5]}
        assert found[TWO] == [versions[9]]
        assert alone(database).event_versions.between({}) == {}

    def test_versions_until_kick_off(self, database: Database) -> None:
        states = {
            1: [EventState.CREATED] * 3,
            2: [EventState.CREATED, EventState.CREATED, EventState.ACTIVE, EventState.ACTIVE],
            3: [EventState.CREATED, EventState.ACTIVE, EventState.FINISHED],
            4: [EventState.CREATED, EventState.ACTIVE],
        }
        versions: list[EventVersion] = [
            event_version(event, number, state=state)
            for event, steps in states.items()
            for number, state in enumerate(steps, start=1)
        ]
        alone(database).event_versions.add(versions)
        ids = [ONE, TWO, THREE, UUID(int=404)]
        found = alone(database).event_versions.until_kick_off(ids)
        numbers = {event_id.int: [each.version for each in vs] for event_id, vs in found.items()}
        assert numbers == {1: [1, 2, 3], 2: [1, 2, 3], 3: [1, 2]}
        assert found[THREE] == [versions[7], versions[8]]
        assert alone(database).event_versions.until_kick_off([]) == {}

    def test_many_events_and_versions_at_once(self, database: Database) -> None:
        stored = [stored_event(number) for number in range(1, 5001)]
        versions = [event_version(number, 1) for number in range(1, 5001)]
        ids = [each.event.id for each in stored]
        with database.transaction() as uow:
            uow.events.write(stored)
            uow.event_versions.add(versions)
            uow.commit()
        with database.transaction() as uow:
            assert len(uow.events.lock(ids, EventLock.CHANGE)) == 5000
            uow.events.write([replace(each, created_at=at(0)) for each in stored])
            assert len(uow.event_versions.made_by([each.position for each in versions])) == 5000
            assert len(uow.event_versions.between(dict.fromkeys(ids, (1, 1)))) == 5000
            assert len(uow.event_versions.until_kick_off(ids)) == 5000
            assert {each.created_at for each in uow.events.among(ids).values()} == {at(0)}
            uow.commit()
