"""What open streams are fed, on a database in memory and a real event loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from adapters.http import feed as feeding
from adapters.http import lookout
from adapters.http.access import ANYBODY, Caller, Role
from adapters.http.feed import Feed
from adapters.http.limits import RateLimited
from adapters.http.lookout import Lookout
from adapters.http.sights import Portion, Stream
from adapters.memory.database import MemoryDatabase
from domain.errors import DatabaseUnavailable, Unavailable
from domain.events import Event
from domain.log import EVENTS_TAXONOMY, LogPartition, LogPosition
from domain.ports import UnitOfWork
from domain.reach import reach_now
from domain.records import ConsumerName, EventVersion, Position, Reach
from domain.views import BoardView, EventView, View
from tests.samples import EVENT, LOG, OTHER_EVENT, a_version, active, an_event, an_id, stored
from tests.shortages import one_thread_refused

PATIENCE = 10.0
SHORT = 0.3
"""Seconds in which whoever is not held up has its turn."""
SOURCE = LogPartition(EVENTS_TAXONOMY, 0, LOG)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "ROUND_SECONDS", 0.01)
    monkeypatch.setattr(lookout, "REST", 0)
    monkeypatch.setattr(feeding, "RETRY_SECONDS", 0.01)


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


class Opened:
    """A feed that is open, and streams that stay joined until they leave."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._joined: dict[Stream, AbstractAsyncContextManager[Stream]] = {}

    async def join(self, views: list[View], **how: Any) -> Stream:
        context = self.feed.joined(views, **how)
        stream = await context.__aenter__()
        self._joined[stream] = context
        return stream

    async def leave(self, stream: Stream) -> None:
        await self._joined.pop(stream).__aexit__(None, None, None)


@asynccontextmanager
async def fed(database: MemoryDatabase) -> AsyncIterator[Opened]:
    feed = Feed(database)
    feed.open()
    try:
        yield Opened(feed)
    finally:
        feed.close()


def sights(portion: Portion) -> dict[View, Any]:
    return {view: sight.value for view, sight in portion.sights.items()}


async def portion_of(stream: Stream) -> Portion:
    async for portion in stream.portions():
        assert portion is not None
        return portion
    raise AssertionError("it has ended")


async def until(stream: Stream, is_there: Callable[[Sequence[Portion]], bool]) -> list[Portion]:
    found: list[Portion] = []
    while not is_there(found):
        found.append(await portion_of(stream))
    return found


def has_seen_both(found: Sequence[Portion]) -> bool:
    return len({view for portion in found for view in portion.sights}) == 2


def test_a_stream_begins_with_what_there_is(database: MemoryDatabase, story: Story) -> None:
    story.tell(an_event())

    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([EventView(event_id=EVENT)], event_id=EVENT)
            first = await portion_of(stream)
            assert first.reach == Reach(LOG, (1, 0, 0))
            assert sights(first)[EventView(event_id=EVENT)].event == an_event()
            assert (first.versions, first.is_gap) == ([], False)

    run(test)


def test_without_anything_to_see_it_begins_all_the_same(database: MemoryDatabase) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            first = await portion_of(await feed.join([]))
            assert first == Portion(Reach(LOG, (0, 0, 0)), [], sights={})

    run(test)


def test_versions_come_in_order_and_views_as_they_are(
    database: MemoryDatabase, story: Story
) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([EventView(event_id=EVENT)], event_id=EVENT)
            other = await feed.join([EventView(event_id=OTHER_EVENT)], event_id=OTHER_EVENT)
            await portion_of(stream)
            await portion_of(other)
            told = story.tell(an_event(), active("0-0"), an_event(id=OTHER_EVENT))
            told += story.tell(active("1-0", version=3))

            def has_all(found: Sequence[Portion]) -> bool:
                return sum(len(each.versions) for each in found) == 3

            found = await until(stream, has_all)
            versions = [version for portion in found for version in portion.versions]
            assert versions == [told[0], told[1], told[3]]
            assert sights(found[-1])[EventView(event_id=EVENT)].event == active("1-0", version=3)
            (only,) = await until(other, bool)
            assert only.versions == [told[2]]

    run(test)


def test_all_events(database: MemoryDatabase, story: Story) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([])
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
            back = await portion_of(await feed.join([], event_id=EVENT, since=since))
            assert back.versions == [missed[0], missed[2]]
            assert back.reach == Reach(LOG, (4, 0, 0))
            whole = await portion_of(await feed.join([], since=since))
            assert len(whole.versions) == 3

    run(test)


def test_of_too_many_versions_it_is_told_that_they_are_left_out(
    database: MemoryDatabase, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "MOST_VERSIONS", 2)
    story.tell(an_event(), active("0-0"), active("1-0", version=3))

    async def test() -> None:
        async with fed(database) as feed:
            lost = await portion_of(await feed.join([], since=Reach(LOG, (0, 0, 0))))
            assert (lost.versions, lost.is_gap) == ([], True)
            old = await portion_of(await feed.join([], since=Reach(an_id(404), (0, 0, 0))))
            assert (old.versions, old.is_gap) == ([], True)

    run(test)


def test_a_slow_client_gets_the_newest_sight_and_every_version(
    database: MemoryDatabase, story: Story
) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            slow = await feed.join([EventView(event_id=EVENT)])
            quick = await feed.join([EventView(event_id=EVENT)])
            await portion_of(quick)
            for number in range(1, 6):
                story.tell(active(f"{number}-0", version=number))
                await until(quick, lambda found: any(each.versions for each in found))
            late = await portion_of(slow)
            assert [version.version for version in late.versions] == [1, 2, 3, 4, 5]
            assert sights(late)[EventView(event_id=EVENT)].event.version == 5

    run(test)


def test_of_a_client_that_is_far_too_slow_little_is_kept(
    database: MemoryDatabase, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.http.sights.MOST_VERSIONS", 3)

    async def test() -> None:
        async with fed(database) as feed:
            slow = await feed.join([])
            quick = await feed.join([])
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
            stream = await feed.join([EventView(event_id=EVENT)])
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
            stream = await feed.join([EventView(event_id=EVENT)])
            await portion_of(stream)

            def delete(uow: UnitOfWork) -> None:
                uow.events.remove(EVENT)
                uow.changes.tell([EVENT])

            commit(database, delete)
            assert sights(await portion_of(stream)) == {EventView(event_id=EVENT): None}

    run(test)


def test_what_takes_long_is_looked_at_less_often(
    database: MemoryDatabase, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    look = BoardView.look

    now = [100.0]
    monkeypatch.setattr(feeding, "monotonic", lambda: now[0])
    monkeypatch.setattr(lookout, "monotonic", lambda: now[0])
    monkeypatch.setattr(lookout, "REST", 4)
    monkeypatch.setattr(lookout, "ROUND_SECONDS", 0)

    def taking_a_second(view: BoardView, uow: UnitOfWork) -> Any:
        looks.append(now[0])
        now[0] += 1
        return look(view, uow)

    monkeypatch.setattr(BoardView, "look", taking_a_second)

    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([BoardView()])
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
            stream = await feed.join([EventView(event_id=EVENT)])
            assert (await portion_of(stream)).is_away
            first = await portion_of(stream)
            assert sights(first)[EventView(event_id=EVENT)].event == an_event()
            assert not first.is_away

    run(test)
    assert not failures


def test_what_was_seen_before_a_round_failed_is_told_after_it(
    database: MemoryDatabase, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two looks fails: what the other one saw must not be taken for told."""
    story.tell(an_event(), an_event(id=OTHER_EVENT))
    look = EventView.look
    failing = False

    def sometimes(view: EventView, uow: UnitOfWork) -> Any:
        nonlocal failing
        if failing and view.event_id == OTHER_EVENT:
            failing = False
            raise DatabaseUnavailable("away")
        return look(view, uow)

    monkeypatch.setattr(EventView, "look", sometimes)
    monkeypatch.setattr(feeding, "RETRY_SECONDS", 0.05)

    async def test() -> None:
        nonlocal failing
        async with fed(database) as feed:
            stream = await feed.join([EventView(event_id=EVENT), EventView(event_id=OTHER_EVENT)])
            await portion_of(stream)
            failing = True
            story.tell(active("0-0"), active("0-0", id=OTHER_EVENT))
            found = await until(
                stream, lambda found: len({v for p in found for v in p.sights}) == 2
            )
            assert not failing
            assert found[0].is_away

    run(test)


def test_an_away_database_is_said_once_and_that_it_is_back(
    database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "RETRY_SECONDS", 0.01)
    failures = 3

    def failing(uow: UnitOfWork) -> Reach | None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise DatabaseUnavailable("away")
        return reach_now(uow)

    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([])
            await portion_of(stream)
            monkeypatch.setattr(lookout, "reach_now", failing)
            commit(database, lambda uow: uow.changes.tell([EVENT]))
            assert (await portion_of(stream)).is_away
            assert not (await portion_of(stream)).is_away

    run(test)


def test_who_was_told_that_it_is_away_is_told_that_it_is_back(
    database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing has changed."""
    monkeypatch.setattr(feeding, "CHECK_SECONDS", 0.01)

    def failing() -> None:
        raise DatabaseUnavailable("away")

    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([])
            await portion_of(stream)
            monkeypatch.setattr(database, "check", failing)
            monkeypatch.setattr(feeding, "DATABASE_WAIT", 0.01)
            assert (await portion_of(stream)).is_away
            monkeypatch.setattr(feeding, "DATABASE_WAIT", PATIENCE)
            await until(stream, lambda found: bool(found) and not found[-1].is_away)

    run(test)


def test_a_database_that_hangs_is_away(
    database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for who comes meanwhile; once it answers, they are told so."""
    monkeypatch.setattr(feeding, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(feeding, "DATABASE_WAIT", SHORT)
    answers = threading.Event()

    def hanging(uow: UnitOfWork) -> Reach | None:
        answers.wait(PATIENCE)
        return reach_now(uow)

    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([])
            await portion_of(stream)
            monkeypatch.setattr(lookout, "reach_now", hanging)
            monkeypatch.setattr(database, "check", lambda: answers.wait(PATIENCE))
            commit(database, lambda uow: uow.changes.tell([EVENT]))
            assert (await portion_of(stream)).is_away
            newcomer = await feed.join([])
            assert (await portion_of(newcomer)).is_away
            answers.set()
            assert not (await portion_of(stream)).is_away
            assert not (await portion_of(newcomer)).is_away

    run(test)


def test_a_look_that_takes_long_is_no_outage(
    database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than anybody waits for the database, which answers all others meanwhile."""
    monkeypatch.setattr(feeding, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(feeding, "DATABASE_WAIT", SHORT)
    checks = threading.Semaphore(0)
    check, look = database.check, BoardView.look
    looks = 0

    def checking() -> None:
        check()
        checks.release()

    def taking_long(view: BoardView, uow: UnitOfWork) -> Any:
        nonlocal looks
        looks += 1
        for _ in range(3):
            checks.acquire(timeout=PATIENCE)
        return look(view, uow)

    monkeypatch.setattr(database, "check", checking)
    monkeypatch.setattr(BoardView, "look", taking_long)

    async def test() -> None:
        async with fed(database) as feed:
            first = await portion_of(await feed.join([BoardView()]))
            assert not first.is_away
            assert BoardView() in first.sights
            # Whoever comes is served after a round, in which nothing else is looked at again.
            await portion_of(await feed.join([]))
            assert looks == 1

    run(test)


def test_who_is_answered_after_all_is_not_told_that_others_were_not(
    database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(feeding, "DATABASE_WAIT", SHORT)
    asked, over = threading.Event(), threading.Event()
    look = BoardView.look

    def hanging() -> None:
        asked.set()
        over.wait(PATIENCE)

    def taking_long(view: BoardView, uow: UnitOfWork) -> Any:
        asked.wait(PATIENCE)
        return look(view, uow)

    monkeypatch.setattr(database, "check", hanging)
    monkeypatch.setattr(BoardView, "look", taking_long)

    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([BoardView()])
            assert not (await portion_of(stream)).is_away
            # The next step is in time; only the question that was asked before stays open.
            monkeypatch.setattr(feeding, "DATABASE_WAIT", PATIENCE)
            assert await anext(stream.portions(beat=0.3)) is None
            over.set()

    run(test)


def test_a_question_that_got_no_thread_is_asked_again(
    database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(feeding, "DATABASE_WAIT", SHORT)
    over = threading.Event()

    def hanging(*_: object) -> dict[str, Any]:
        over.wait(PATIENCE)
        return {}

    monkeypatch.setattr(database, "check", hanging)
    monkeypatch.setattr(BoardView, "look", hanging)

    async def test() -> None:
        async with fed(database) as feed:
            assert (await portion_of(await feed.join([BoardView()]))).is_away
            over.set()

    with one_thread_refused("feed check_0"):
        run(test)


def test_a_quiet_stream_beats(database: MemoryDatabase) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([])
            await portion_of(stream)
            portions = stream.portions(beat=0.02)
            assert await anext(portions) is None
            assert await anext(portions) is None

    run(test)


def test_what_others_do_leaves_no_gap(
    database: MemoryDatabase, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many versions of other events are no reason to leave out those of this one."""
    monkeypatch.setattr(lookout, "MOST_VERSIONS", 3)

    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([], event_id=EVENT)
            await portion_of(stream)
            told = story.tell(*(an_event(id=an_id(number)) for number in range(5)), an_event())
            found = await portion_of(stream)
            assert (found.versions, found.is_gap) == (told[-1:], False)

    run(test)


def test_who_waits_for_a_quick_view_does_not_wait_for_a_slow_one(
    database: MemoryDatabase, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.tell(an_event())
    monkeypatch.setattr(lookout, "SLOW_SECONDS", 0)
    looks: list[str] = []
    tell = Lookout._tell

    def telling(one: Any, *args: Any) -> None:
        looks.append("told")
        tell(one, *args)

    for kind in (EventView, BoardView):

        def looking(view: Any, uow: UnitOfWork, look: Any = kind.look) -> Any:
            looks.append(type(view).__name__)
            return look(view, uow)

        monkeypatch.setattr(kind, "look", looking)

    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([EventView(event_id=EVENT), BoardView()])
            await portion_of(stream)
            looks.clear()
            monkeypatch.setattr(Lookout, "_tell", telling)
            story.tell(active("0-0"))
            await until(stream, has_seen_both)
            assert sorted([looks[0], looks[2]]) == ["BoardView", "EventView"]
            assert [looks[1], looks[3]] == ["told", "told"]

    run(test)


def test_nothing_is_kept_of_who_has_left(database: MemoryDatabase, story: Story) -> None:
    made: list[Lookout] = []
    begin = Lookout.__init__

    def beginning(one: Lookout, *args: Any) -> None:
        made.append(one)
        begin(one, *args)

    async def test() -> None:
        async with fed(database) as feed:
            await portion_of(await feed.join([BoardView()]))
            for number in range(5):
                guest = await feed.join([EventView(event_id=an_id(number))])
                await portion_of(guest)
                await feed.leave(guest)
            await portion_of(await feed.join([]))
            (only,) = made
            kept = (only._seen, only._took, only._not_before)
            assert [set(each) for each in kept] == [{BoardView()}] * 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lookout, "__init__", beginning)
        run(test)


def test_streams_end_with_the_server(database: MemoryDatabase) -> None:
    async def test() -> None:
        async with fed(database) as feed:
            stream = await feed.join([])
            await portion_of(stream)
            feed.feed.end_streams()
            assert [each async for each in stream.portions()] == []
            with pytest.raises(Unavailable):
                await feed.join([])

    run(test)


def test_there_is_room_for_so_many(
    database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "MOST_STREAMS", 2)

    async def test() -> None:
        async with fed(database) as feed:
            streams = [await feed.join([]), await feed.join([])]
            with pytest.raises(Unavailable):
                await feed.join([])
            await feed.leave(streams[0])
            await feed.join([])
            with pytest.raises(Unavailable):
                await feed.join([])

    run(test)


def test_nobody_takes_all_the_room(
    database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "MOST_OF_ONE", 2)
    ann, bob = (Caller(subject=name, role=Role.PLAYER) for name in ("ann", "bob"))

    async def test() -> None:
        async with fed(database) as feed:
            first, _ = [await feed.join([], caller=ann) for _ in range(2)]
            with pytest.raises(RateLimited, match="no more than 2 streams"):
                await feed.join([], caller=ann)
            for anybody in (ANYBODY, ANYBODY, ANYBODY, bob):
                await feed.join([], caller=anybody)
            await feed.leave(first)
            await feed.join([], caller=ann)

    run(test)


def test_who_comes_after_all_had_left_sees_what_is_there_then(
    database: MemoryDatabase, story: Story
) -> None:
    story.tell(an_event())

    async def test() -> None:
        async with fed(database) as feed:
            first = await feed.join([EventView(event_id=EVENT)])
            await portion_of(first)
            await feed.leave(first)
            told = story.tell(active("0-0"))
            back = await feed.join([EventView(event_id=EVENT)], since=Reach(LOG, (1, 0, 0)))
            found = await portion_of(back)
            assert found.versions == told
            assert sights(found)[EventView(event_id=EVENT)].event == active("0-0")

    run(test)
