"""What `verify` says when the tables differ from the story."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.memory.bus import MemoryBus
from domain.bets import Market
from domain.events import Event
from domain.log import EVENTS_TAXONOMY, LogPartition, NewRecord, Record
from domain.messages import Message
from domain.ports import UnitOfWork
from domain.records import ConsumerName, Refusal, RefusalReason
from domain.verification import verify
from tests.samples import (
    BET,
    a_placement,
    an_event,
    an_id,
    created,
    handed_over,
    placed,
    stored,
)
from tests.unit.bench import CODEC
from tests.unit.verifying import change, examples, violations
from tests.world import KICK_OFF, World


@pytest.fixture
def world() -> World:
    return World()


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


@pytest.mark.parametrize("lost", [1, 2])
def test_a_version_that_is_lost_is_named(world: World, lost: int) -> None:
    event = world.create()
    second = world.update(event.id, KICK_OFF)

    def write(uow: UnitOfWork) -> None:
        versions = uow.event_versions.history(event.id)
        uow.events.remove(event.id)
        uow.events.write([stored(second)])
        uow.event_versions.add([each for each in versions if each.version != lost])

    change(world, write)
    found = examples(world, "fold")
    assert f"version {lost} of event {event.id} is told, but not there" in found


def test_an_event_that_left_its_versions_is_named(world: World) -> None:
    event = world.create()

    def write(uow: UnitOfWork) -> None:
        versions = uow.event_versions.history(event.id)
        uow.events.remove(event.id)
        uow.event_versions.add(versions)

    change(world, write)
    assert examples(world, "fold") == [f"event {event.id} is told, but not there"]


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


def test_a_bet_on_a_deleted_event_may_be_missing(world: World) -> None:
    event = world.create()
    world.delete_event(event.id)
    late = placed(a_placement(event_id=event.id))
    world.publish([CODEC.encode(late)])
    world.settle()
    assert violations(world) == {}


def test_what_is_deleted_while_it_is_looked_at_is_no_violation(world: World) -> None:
    event = world.create()
    world.log.recreate(EVENTS_TAXONOMY)
    bet = world.place(event.id, Market.DRAW)

    class Moving(MemoryBus):
        """Once it is read, the bet and its event of an earlier log are deleted."""

        def read(self, topic: str) -> Iterator[Record]:
            yield from super().read(topic)
            world.delete_bet(bet.id)
            world.delete_event(event.id)

    found = verify(world.database, Moving(world.log), world.codec)
    assert found.holds, found


def test_a_bet_that_is_handed_over_while_it_is_looked_at_is_no_violation(world: World) -> None:
    bet = world.place(world.create().id, Market.DRAW)

    class Moving(MemoryBus):
        """Before it is read, the bet gets another user."""

        def read(self, topic: str) -> Iterator[Record]:
            if world.bet(bet.id).placement.user_id == "ann":
                world.hand_over(bet.id, "bob")
            return super().read(topic)

    found = verify(world.database, Moving(world.log), world.codec)
    assert found.holds, found
    assert not found.quiet
    assert violations(world) == {}


def test_a_hand_over_before_the_bet_was_placed_changes_nothing(world: World) -> None:
    story: list[Message] = [
        created(an_event()),
        handed_over(a_placement(user_id="bob")),
        placed(a_placement()),
    ]
    for number, message in enumerate(story):
        world.publish([CODEC.encode(replace(message, id=an_id(number)))])
    world.settle()
    assert violations(world) == {}


def test_an_event_that_is_told_again_in_a_later_log_began_in_the_earlier_one(world: World) -> None:
    event = world.create()
    kept = world.place(event.id, Market.DRAW)
    story = list(world.bus.read(EVENTS_TAXONOMY))
    world.log.recreate(EVENTS_TAXONOMY)
    # Somebody got no answer, and sent it all again.
    world.publish([NewRecord(EVENTS_TAXONOMY, each.key, each.value) for each in story])
    world.settle()
    world.place(event.id, Market.TEAM_1)
    world.update(event.id, KICK_OFF)
    assert world.bet(kept.id).position == kept.position
    assert violations(world) == {}
