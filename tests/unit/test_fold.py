"""The story folded without batches, positions or locks gives what the writers made of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bets import Bet, Market
from domain.fold import Fold
from domain.log import EVENTS_TAXONOMY, Record
from domain.messages import Message
from domain.ports import UnitOfWork
from domain.records import ConsumerName, StoredEvent
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
from tests.world import World

# Alone


def folded(*messages: Message | bytes) -> Fold:
    """Fold messages that lie at offsets 0, 1, …; bytes are a record that is none."""
    fold = Fold(CODEC)
    fold.take(
        Record(SOURCE, n, b"k", m) if isinstance(m, bytes) else as_record(n, m)
        for n, m in enumerate(messages)
    )
    return fold


def as_record(offset: int, message: Message) -> Record:
    topic, key, value, headers = CODEC.encode(message)
    return Record(SOURCE._replace(topic=topic), offset, key, value, headers)


def test_a_story_is_folded() -> None:
    bob = a_placement(user_id="bob")
    fold = folded(
        placed(a_placement(id=OTHER_BET)),
        created(an_event()),
        placed(a_placement()),
        handed_over(bob),
        JUNK,
        updated(active()),
        a_slice(version=a_version(active(), at=5)),
        placed(a_placement(id=an_id(9))),
        placed(a_placement(id=OTHER_BET)),
        handed_over(a_placement()),
        updated(active("1-0")),
        updated(active("1-0", version=3)),
    )
    assert fold.events == {EVENT: stored(active("1-0", version=3))}
    assert fold.bets == {BET: replace(a_bet(at=2), placement=bob)}


def test_refused_once_is_refused_for_good() -> None:
    fold = folded(placed(a_placement()), created(an_event()), placed(a_placement()))
    assert fold.bets == {}
    fold = folded(handed_over(a_placement()), created(an_event()), placed(a_placement()))
    assert set(fold.bets) == {BET}


def test_a_key_that_was_reused_refuses_nothing_later() -> None:
    other_market = placed(a_placement(market=Market.TEAM_1))
    fold = folded(created(an_event()), placed(a_placement()), other_market, placed(a_placement()))
    assert fold.bets == {BET: a_bet(at=1)}


def test_a_bet_says_which_version_it_found() -> None:
    fold = folded(
        created(an_event()), updated(an_event(type="rugby", version=2)), placed(a_placement())
    )
    assert fold.bets == {BET: a_bet(at=2, event_version=2)}


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


def tables(world: World) -> tuple[dict[object, StoredEvent], dict[object, Bet]]:
    with world.database.transaction() as uow:
        found = uow.events.page(most=99), uow.bets.page(most=99)
    return {e.event.id: e for e in found[0]}, {b.id: b for b in found[1]}


@given(stories, st.data())
def test_the_writers_make_the_same_of_it(story: list[Message], data: st.DataObject) -> None:
    # However the story falls into batches, and whoever dies in between.
    world, fold = World(), Fold(CODEC)
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
    world.settle()
    fold.take(world.bus.read(EVENTS_TAXONOMY))
    found_events, found_bets = tables(world)
    assert found_events == fold.events
    assert {k: (b.placement, b.position) for k, b in found_bets.items()} == {
        k: (b.placement, b.position) for k, b in fold.bets.items()
    }
    assert verify(world.database, world.bus, world.codec).holds


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
    assert violations(world)["fold"] == 1
