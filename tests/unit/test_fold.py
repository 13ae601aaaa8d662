"""The story folded without batches, positions or locks gives what the writers made of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bets import Bet, BetState, Market
from domain.events import Event
from domain.fold import Fold, HandOver
from domain.log import EVENTS_TAXONOMY, LogPartition, Record
from domain.messages import BetPlaced, Message
from domain.ports import UnitOfWork
from domain.records import ConsumerName, Refusal, RefusalReason, StoredEvent
from domain.verification import verify
from tests.samples import (
    BET,
    EVENT,
    OTHER_BET,
    OTHER_EVENT,
    SOURCE,
    a_bet,
    a_placement,
    a_slice,
    a_version,
    active,
    an_event,
    an_id,
    created,
    finished,
    handed_over,
    placed,
    stored,
    updated,
)
from tests.unit.bench import CODEC, JUNK
from tests.world import KICK_OFF, World

# Alone


def as_record(offset: int, message: Message | bytes) -> Record:
    """A message at this offset; bytes are a record that is none."""
    if isinstance(message, bytes):
        return Record(SOURCE, offset, b"k", message)
    topic, key, value, headers = CODEC.encode(message)
    return Record(SOURCE._replace(topic=topic), offset, key, value, headers)


def story_of(*messages: Message | bytes) -> list[Record]:
    return [as_record(offset, message) for offset, message in enumerate(messages)]


def test_a_story_is_judged_record_by_record() -> None:
    bob = a_placement(user_id="bob")
    story = story_of(
        placed(a_placement(id=OTHER_BET)),
        created(an_event()),
        placed(a_placement()),
        handed_over(bob),
        JUNK,
        updated(active()),
        a_slice(version=a_version(active(), at=5)),
        placed(a_placement(id=an_id(9))),
        handed_over(a_placement()),
        updated(active("1-0")),
        updated(active("1-0", version=3)),
    )
    fold = Fold(CODEC)
    told = [fold.judge(record) for record in story]
    first = told[1]
    assert told == [
        None,
        first,
        a_bet(at=2),
        HandOver(bob, story[3].position, first),  # type: ignore[arg-type]
        None,
        told[5],
        None,
        None,
        None,
        None,
        told[10],
    ]
    versions = [told[at] for at in (1, 5, 10)]
    assert [replace(each, message_id=BET) for each in versions] == [  # type: ignore[type-var]
        replace(a_version(event, at=at), message_id=BET)
        for event, at in ((an_event(), 1), (active(), 5), (active("1-0", version=3), 10))
    ]
    assert fold.events == {EVENT: stored(active("1-0", version=3))}


def test_a_bet_says_which_version_it_found() -> None:
    story = story_of(
        created(an_event()), updated(an_event(type="rugby", version=2)), placed(a_placement())
    )
    fold = Fold(CODEC)
    assert [fold.judge(record) for record in story][2] == a_bet(at=2, event_version=2)


# Against the writers

events = st.builds(
    lambda event_id, event: replace(event, id=event_id),
    st.sampled_from([EVENT, OTHER_EVENT]),
    st.sampled_from(
        [
            an_event(),
            an_event(type="rugby", version=2),
            active(),
            active(version=3, type="rugby"),
            active("1-0", version=3),
            active("1-1", version=4),
            finished("1-0", version=4),
            finished("1-1", version=5),
        ]
    ),
)
bets = st.builds(
    a_placement,
    id=st.sampled_from([BET, OTHER_BET]),
    event_id=st.just(EVENT),
    user_id=st.sampled_from(["ann", "bob"]),
    market=st.sampled_from([Market.DRAW, Market.TEAM_1]),
)
told = st.one_of(events.map(created), events.map(updated), bets.map(placed), bets.map(handed_over))
stories = st.lists(told, max_size=12).map(
    lambda rest: [
        replace(message, id=an_id(n))
        for n, message in enumerate([created(an_event()), placed(a_placement()), *rest])
    ]
)


def told_bets(fold: Fold, records: Iterable[Record]) -> Mapping[UUID, Bet]:
    """The bets that stand at the end: an id that was refused, or stands, is not placed again."""
    bets: dict[UUID, Bet] = {}
    refused: set[UUID] = set()
    for record in records:
        match fold.judge(record):
            case Bet() as bet if bet.id not in refused:
                bets.setdefault(bet.id, bet)
            case HandOver(placement=after) if after.id in bets:
                bet = bets[after.id]
                if bet.placement.market is after.market:
                    user_id = after.user_id
                    bets[bet.id] = replace(bet, placement=replace(bet.placement, user_id=user_id))
            case _:
                message = CODEC.decode(record)
                if isinstance(message, BetPlaced) and message.placement.id not in bets:
                    refused.add(message.placement.id)
    return bets


def tables(world: World) -> tuple[dict[UUID, StoredEvent], dict[UUID, Bet]]:
    with world.database.transaction() as uow:
        found = uow.events.page(most=99), uow.bets.page(most=99)
    return {e.event.id: e for e in found[0]}, {b.id: b for b in found[1]}


def settled(story: list[Message], data: st.DataObject) -> World:
    """However the story falls into batches, and whoever dies in between; verified all the way."""
    world = World()
    for message in story:
        world.publish([CODEC.encode(message)])
        match data.draw(st.integers(0, 3)):
            case 0:
                world.settle([ConsumerName.EVENT_WRITER])
            case 1:
                world.settle()
            case 2:
                world.crash(ConsumerName.BET_WRITER)
            case _:
                pass
        assert violations(world) == {}
    world.settle()
    return world


@given(stories, st.data())
def test_the_writers_make_the_same_of_it(story: list[Message], data: st.DataObject) -> None:
    world, fold = settled(story, data), Fold(CODEC)
    bets = told_bets(fold, world.bus.read(EVENTS_TAXONOMY))
    found_events, found_bets = tables(world)
    assert found_events == fold.events
    assert {k: (b.placement, b.position) for k, b in found_bets.items()} == {
        k: (b.placement, b.position) for k, b in bets.items()
    }
    report = verify(world.database, world.bus, world.codec)
    assert report.quiet
    assert report.holds


@given(stories, st.data())
def test_whatever_is_changed_behind_the_writers_back_is_named(
    story: list[Message], data: st.DataObject
) -> None:
    world = settled(story, data)
    _, bets = tables(world)
    bet = data.draw(st.sampled_from(sorted(bets.values(), key=lambda bet: bet.id)))
    placement = bet.placement
    changed = data.draw(
        st.sampled_from(
            [
                None,
                replace(bet, placement=replace(placement, user_id="eve")),
                replace(bet, placement=replace(placement, market=Market.TEAM_2)),
                replace(bet, placement=replace(placement, id=an_id(99))),
                replace(bet, placement=replace(placement, date_created=world.now())),
                replace(bet, position=bet.position._replace(offset=bet.position.offset + 1)),
                replace(bet, position=bet.position._replace(offset=0)),
                replace(bet, state=BetState.WIN),
                replace(bet, event_version=9),
            ]
        )
    )

    def write(uow: UnitOfWork) -> None:
        uow.bets.remove(bet.id)
        uow.bets.add([] if changed is None else [changed])

    change(world, write)
    if changed is not None and changed.state is BetState.WIN and bet.state is BetState.WIN:
        return
    assert violations(world)


# What `verify` says when they differ


@pytest.fixture
def world() -> World:
    return World()


def violations(world: World) -> dict[str, int]:
    found = verify(world.database, world.bus, world.codec)
    return {i.name: i.violations for i in found.invariants if i.violations}


def change(world: World, write: Callable[[UnitOfWork], object]) -> None:
    with world.database.transaction() as uow:
        write(uow)
        uow.commit()


def test_a_deleted_event_is_left_out(world: World) -> None:
    event = world.create()
    world.delete_event(event.id)
    assert violations(world) == {}


def test_a_lost_event_is_named(world: World) -> None:
    event = world.create()
    change(world, lambda uow: uow.events.remove(event.id))
    assert violations(world) == {"fold": 1}


def test_a_bet_with_another_user_is_named(world: World) -> None:
    bet = world.place(world.create().id, Market.DRAW)
    change(world, lambda uow: uow.bets.change_users({bet.id: "eve"}))
    assert violations(world) == {"fold": 1}


def test_a_version_that_is_lost_is_named(world: World) -> None:
    event = world.create()
    second = world.update(event.id, KICK_OFF)
    change(world, lambda uow: uow.events.remove(event.id))
    with world.database.transaction() as uow:
        assert uow.event_versions.history(event.id) == []
    change(world, lambda uow: uow.events.write([replace(stored(second), created_at=world.now())]))
    found = examples(world, "fold")
    assert f"version 1 of event {event.id} is told, but not there" in found
    assert f"version 2 of event {event.id} is told, but not there" in found


def test_a_version_that_another_record_made_is_named(world: World) -> None:
    event = world.create()
    change(world, lambda uow: forge(uow, event, message_id=an_id(77)))
    assert violations(world) == {"fold": 1}


def test_a_version_that_is_not_told_is_named(world: World) -> None:
    event = world.create()
    bet = world.place(event.id, Market.DRAW)
    change(world, lambda uow: forge(uow, event, version=2, position=bet.position))
    assert examples(world, "fold") == [f"version 2 of event {event.id} is there, but not told"]


def forge(uow: UnitOfWork, event: Event, **wrong: object) -> None:
    """Put a version into the place of the first, or beside it."""
    (first,) = uow.event_versions.history(event.id)
    stored = uow.events.among([event.id])[event.id]
    if "version" not in wrong:
        uow.events.remove(event.id)
        uow.events.write([stored])
    uow.event_versions.add([replace(first, **wrong)])  # type: ignore[arg-type]


def test_a_bet_whose_event_is_not_told_is_named(world: World) -> None:
    event = world.create()
    bet = world.place(event.id, Market.DRAW)
    foreign = replace(event, id=an_id(99_999))

    def write(uow: UnitOfWork) -> None:
        origin = uow.events.among([event.id])[event.id]
        uow.events.write([replace(origin, event=foreign)])
        (first,) = uow.event_versions.history(event.id)
        place = first.position._replace(offset=bet.position.offset)
        uow.event_versions.add([replace(first, event_id=foreign.id, position=place)])
        stray = replace(bet.placement, id=an_id(99_998), event_id=foreign.id)
        uow.bets.add([replace(bet, placement=stray)])

    change(world, write)
    assert examples(world, "fold") == [
        f"bet {an_id(99_998)} is there, but its event is not told",
        f"version 1 of event {foreign.id} is there, but its event is not told",
    ]


def test_another_record_at_the_place_that_was_read_last_is_named(world: World) -> None:
    event = world.create()
    change(
        world,
        lambda uow: uow.positions.save(
            [
                replace(p, last_record_digest=b"x" * 16)
                for p in uow.positions.all()
                if p.next_offset and p.consumer is ConsumerName.BET_SCORER
            ]
        ),
    )
    (found,) = examples(world, "fold")
    assert "lies another record than the one that was read" in found
    assert event


@pytest.mark.parametrize("tells_it_first", [True, False])
def test_a_bet_that_was_refused_before_may_be_missing(
    world: World, *, tells_it_first: bool
) -> None:
    event = an_event()
    early, late = placed(a_placement()), replace(placed(a_placement()), id=an_id(7))
    told: list[Message] = [early, replace(created(event), id=an_id(8)), late]
    world.publish([CODEC.encode(message) for message in told[0 if tells_it_first else 1 :]])
    world.settle()
    assert violations(world) == {}
    if not tells_it_first:
        # Refused without a reason: the refusal lies where the bet was told.
        refusal = Refusal(
            source=source_of_all(world),
            offset=1,
            message_id=late.id,
            type="bet.placed",
            subject=BET,
            reason=RefusalReason.EVENT_NOT_OPEN,
        )
        change(world, lambda uow: uow.bets.remove(BET))
        change(world, lambda uow: uow.refusals.add([refusal]))
        assert examples(world, "fold") == [f"bet {BET} is told, but not there"]


def source_of_all(world: World) -> LogPartition:
    return next(iter(world.bus.read(EVENTS_TAXONOMY))).source


def examples(world: World, name: str) -> list[str]:
    report = verify(world.database, world.bus, world.codec)
    return sorted(next(i.examples for i in report.invariants if i.name == name))
