"""The story folded without batches, positions or locks gives what the writers made of it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.bets import Bet, BetState, Market
from domain.fold import Fold, HandOver
from domain.log import EVENTS_TAXONOMY, Record
from domain.messages import BetPlaced, Message
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
from tests.unit.verifying import change, violations
from tests.world import World

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
