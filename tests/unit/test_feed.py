"""What open streams are fed, on a database in memory and a real event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from adapters.http import feed as feeding
from adapters.http.feed import Feed, Portion, Stream
from adapters.memory.database import MemoryDatabase
from domain.errors import DatabaseUnavailable, Unavailable
from domain.events import Event
from domain.log import EVENTS_TAXONOMY, LogPartition, LogPosition
from domain.ports import UnitOfWork
from domain.records import ConsumerName, EventVersion, Position, Reach
from domain.views import BoardView, EventView, View
from tests.samples import EVENT, LOG, OTHER_EVENT, a_version, active, an_event, an_id, stored

PATIENCE = 10.0
SOURCE = LogPartition(EVENTS_TAXONOMY, 0, LOG)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "ROUND_SECONDS", 0.01)
    monkeypatch.setattr(feeding, "REST", 0)


@pytest.fixture
def database() -> MemoryDatabase:
    database = MemoryDatabase()
    commit(database, lambda uow: uow.logs.register(EVENTS_TAXONOMY, LOG))
    return database


def commit(database: MemoryDatabase, work: Callable[[UnitOfWork], object]) -> None:
    with database.transaction() as uow:
        work(uow)
        uow.commit()


class Story:
    """What the Event Writer would write."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.offset = 0

    def tell(self, *events: Event) -> list[EventVersion]:
        """Write these versions, in one transaction."""
        versions = []
        for event in events:
            position = LogPosition(LOG, 0, self.offset)
            versions.append(replace(a_version(event, at=0), position=position))
            self.offset += 1
        reached = Position(
            consumer=ConsumerName.EVENT_WRITER, source=SOURCE, next_offset=self.offset
        )

        def write(uow: UnitOfWork) -> None:
            uow.events.write([stored(event) for event in events])
            uow.event_versions.add(versions)
            uow.changes.tell({event.id for event in events})
            uow.positions.save([reached])

        commit(self._database, write)
        return versions


@pytest.fixture
def story(database: MemoryDatabase) -> Story:
    return Story(database)


def run(test: Callable[[], Any]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE):
            await test()

    asyncio.run(in_time())


@asynccontextmanager
async def fed(database: MemoryDatabase) -> AsyncIterator[Feed]:
    feed = Feed(database)
    feed.open()
    try:
        yield feed
    finally:
        feed.close()


def sights(portion: Portion) -> dict[View, Any]:
    return {view: sight.value for view, sight in portion.sights.items()}


async def portion_of(stream: Stream) -> Portion:
    async for portion in stream.portions():
        return portion
    raise AssertionError("it has ended")


async def until(stream: Stream, is_there: Callable[[Sequence[Portion]], bool]) -> list[Portion]:
    found: list[Portion] = []
    while not is_there(found):
        found.append(await portion_of(stream))
    return found


def test_a_stream_begins_with_what_there_is(database: MemoryDatabase, story: Story) -> None:
    story.tell(an_event())

    async def test() -> None:
        async with fed(database) as feed:
            stream = feed.join([EventView(EVENT)], event_id=EVENT)
            first = await portion_of(stream)
            assert first.reach == Reach(LOG, (1, 0, 0))
            assert sights(first)[EventView(EVENT)].event == an_event()
            assert (first.versions, first.is_gap) == ([], False)

    run(test)


def test_without_anything_to_see_it_begins_all_the_same(database: MemoryDatabase) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            first = await portion_of(feed.join([]))
            assert first == Portion(Reach(LOG, (0, 0, 0)), [], False, {})

    run(test)


def test_versions_come_in_order_and_views_as_they_are(
    database: MemoryDatabase, story: Story
) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            stream = feed.join([EventView(EVENT)], event_id=EVENT)
            other = feed.join([EventView(OTHER_EVENT)], event_id=OTHER_EVENT)
            await portion_of(stream)
            await portion_of(other)
            told = story.tell(an_event(), active("0-0"), an_event(id=OTHER_EVENT))
            told += story.tell(active("1-0", version=3))

            def has_all(found: Sequence[Portion]) -> bool:
                return sum(len(each.versions) for each in found) == 3

            found = await until(stream, has_all)
            versions = [version for portion in found for version in portion.versions]
            assert versions == [told[0], told[1], told[3]]
            assert sights(found[-1])[EventView(EVENT)].event == active("1-0", version=3)
            (only,) = await until(other, bool)
            assert only.versions == [told[2]]

    run(test)


def test_all_events(database: MemoryDatabase, story: Story) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            stream = feed.join([])
            await portion_of(stream)
            told = story.tell(an_event(), an_event(id=OTHER_EVENT))
            found = await portion_of(stream)
            assert sorted(found.versions, key=lambda each: each.position) == told

    run(test)


def test_who_comes_back_is_told_what_was_made_meanwhile(
    database: MemoryDatabase, story: Story
) -> None:
    story.tell(an_event())
    missed = story.tell(active("0-0"), an_event(id=OTHER_EVENT), active("1-0", version=3))

    async def test() -> None:
        async with fed(database) as feed:
            since = Reach(LOG, (1, 0, 0))
            back = await portion_of(feed.join([], event_id=EVENT, since=since))
            assert back.versions == [missed[0], missed[2]]
            assert back.reach == Reach(LOG, (4, 0, 0))
            whole = await portion_of(feed.join([], since=since))
            assert len(whole.versions) == 3

    run(test)


def test_of_too_many_versions_it_is_told_that_they_are_left_out(
    database: MemoryDatabase, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "MOST_VERSIONS", 2)
    story.tell(an_event(), active("0-0"), active("1-0", version=3))

    async def test() -> None:
        async with fed(database) as feed:
            lost = await portion_of(feed.join([], since=Reach(LOG, (0, 0, 0))))
            assert (lost.versions, lost.is_gap) == ([], True)
            old = await portion_of(feed.join([], since=Reach(an_id(404), (0, 0, 0))))
            assert (old.versions, old.is_gap) == ([], True)

    run(test)


def test_a_slow_client_gets_the_newest_sight_and_every_version(
    database: MemoryDatabase, story: Story
) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            slow = feed.join([EventView(EVENT)])
            quick = feed.join([EventView(EVENT)])
            await portion_of(quick)
            for number in range(1, 6):
                story.tell(active(f"{number}-0", version=number))
                await until(quick, lambda found: any(each.versions for each in found))
            late = await portion_of(slow)
            assert [version.version for version in late.versions] == [1, 2, 3, 4, 5]
            assert sights(late)[EventView(EVENT)].event.version == 5

    run(test)


def test_of_a_client_that_is_far_too_slow_little_is_kept(
    database: MemoryDatabase, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "MOST_VERSIONS", 3)

    async def test() -> None:
        async with fed(database) as feed:
            slow = feed.join([])
            quick = feed.join([])
            await portion_of(quick)
            for number in range(1, 6):
                story.tell(active(version=number))
                await until(quick, lambda found: any(each.versions for each in found))
            late = await portion_of(slow)
            assert late.is_gap
            assert len(late.versions) <= 3

    run(test)


def test_what_looks_the_same_is_not_handed_out_again(
    database: MemoryDatabase, story: Story
) -> None:
    story.tell(an_event())

    async def test() -> None:
        async with fed(database) as feed:
            stream = feed.join([EventView(EVENT)])
            await portion_of(stream)
            commit(database, lambda uow: uow.changes.tell([EVENT]))
            told = story.tell(an_event(id=OTHER_EVENT))
            after = await portion_of(stream)
            assert (after.versions, after.sights) == (told, {})

    run(test)


def test_a_deleted_event_is_seen_to_be_gone(database: MemoryDatabase, story: Story) -> None:
    story.tell(an_event())

    async def test() -> None:
        async with fed(database) as feed:
            stream = feed.join([EventView(EVENT)])
            await portion_of(stream)

            def delete(uow: UnitOfWork) -> None:
                uow.events.remove(EVENT)
                uow.changes.tell([EVENT])

            commit(database, delete)
            assert sights(await portion_of(stream)) == {EventView(EVENT): None}

    run(test)


def test_what_takes_long_is_looked_at_less_often(
    database: MemoryDatabase, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    look = BoardView.look

    now = [100.0]
    monkeypatch.setattr(feeding, "monotonic", lambda: now[0])
    monkeypatch.setattr(feeding, "REST", 4)
    monkeypatch.setattr(feeding, "ROUND_SECONDS", 0)

    def taking_a_second(view: BoardView, uow: UnitOfWork) -> Any:
        looks.append(now[0])
        now[0] += 1
        return look(view, uow)

    monkeypatch.setattr(BoardView, "look", taking_a_second)

    async def test() -> None:
        async with fed(database) as feed:
            stream = feed.join([BoardView()])
            await portion_of(stream)
            assert looks == [100]
            story.tell(an_event())
            assert BoardView() not in (await portion_of(stream)).sights
            now[0] += 3.9
            story.tell(active())
            assert BoardView() not in (await portion_of(stream)).sights
            now[0] += 0.2
            story.tell(active("1-0", version=3))
            await until(stream, lambda found: any(each.sights for each in found))
            assert looks[1:] == [pytest.approx(105.1)]

    run(test)


def test_a_database_that_was_away_is_asked_again(
    database: MemoryDatabase, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.tell(an_event())
    failures = [DatabaseUnavailable("away"), RuntimeError("a defect")]
    look = EventView.look

    def failing(view: EventView, uow: UnitOfWork) -> Any:
        if failures:
            raise failures.pop()
        return look(view, uow)

    monkeypatch.setattr(EventView, "look", failing)

    async def test() -> None:
        async with fed(database) as feed:
            first = await portion_of(feed.join([EventView(EVENT)]))
            assert sights(first)[EventView(EVENT)].event == an_event()

    run(test)
    assert not failures


def test_streams_end_with_the_server(database: MemoryDatabase) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            stream = feed.join([])
            await portion_of(stream)
            feed.end_streams()
            assert [each async for each in stream.portions()] == []
            with pytest.raises(Unavailable):
                feed.join([])

    run(test)


def test_there_is_room_for_so_many(
    database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "MOST_STREAMS", 2)

    async def test() -> None:
        async with fed(database) as feed:
            streams = [feed.join([]), feed.join([])]
            with pytest.raises(Unavailable):
                feed.join([])
            feed.leave(streams[0])
            feed.join([])
            assert feed.streams == 2

    run(test)


def test_who_comes_after_all_had_left_sees_what_is_there_then(
    database: MemoryDatabase, story: Story
) -> None:
    story.tell(an_event())

    async def test() -> None:
        async with fed(database) as feed:
            first = feed.join([EventView(EVENT)])
            await portion_of(first)
            feed.leave(first)
            told = story.tell(active("0-0"))
            back = feed.join([EventView(EVENT)], since=Reach(LOG, (1, 0, 0)))
            found = await portion_of(back)
            assert found.versions == told
            assert sights(found)[EventView(EVENT)].event == active("0-0")

    run(test)
