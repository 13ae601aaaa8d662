"""Members that both believe they own a partition, and databases that go back in time."""

import pytest

from domain.bets import Bet, Market
from domain.consumer import Step
from domain.events import Event
from domain.log import EVENTS_TAXONOMY
from domain.records import ConsumerName, Tally
from domain.rulings import Lane
from tests.unit.bench import (
    Bench,
    Noting,
    a_message,
    junk,
    reading_of,
    started,
    turn,
    work,
)
from tests.world import FINISH, KICK_OFF, World, goal

EVENT_WRITER, BET_WRITER, BET_SCORER = ConsumerName


@pytest.fixture
def bench() -> Bench:
    return Bench()


def expire_first(bench: Bench, handler: Noting, *, unaware_polls: int = 99) -> None:
    """The group takes its first member for dead; the member itself doesn't know."""
    bench.log.expire(bench.log.members(handler.name)[0], unaware_polls=unaware_polls)


# Two members, one partition


@pytest.mark.parametrize("publishes", [False, True])
def test_what_another_member_did_is_counted_as_duplicate(bench: Bench, publishes: bool) -> None:
    zombie, heir = Noting(publishes=publishes), Noting(publishes=publishes)
    old = started(bench, zombie)
    bench.append(a_message(), junk(), a_message())
    old.keep_alive()
    expire_first(bench, zombie)
    work(bench.member(heir))
    assert heir.offsets == [0, 2]
    work(old)
    assert zombie.offsets == []
    assert bench.tally(heir) == Tally(read=6, applied=2, duplicate=3, dead_lettered=1)
    assert bench.reached(heir) == 3
    assert not reading_of(old).buffer
    assert reading_of(old).next_offset == 3


@pytest.mark.parametrize("publishes", [False, True])
def test_a_batch_that_is_partly_done_is_done_from_there(bench: Bench, publishes: bool) -> None:
    zombie, heir = Noting(publishes=publishes), Noting(publishes=publishes)
    old = started(bench, zombie)
    bench.append(a_message(), a_message())
    old.keep_alive()
    expire_first(bench, zombie)
    work(bench.member(heir))
    bench.append(a_message(), a_message())
    work(old)
    assert zombie.offsets == [2, 3]
    assert bench.tally(heir) == Tally(read=6, applied=4, duplicate=2)


def test_a_crowd_of_duplicates_is_no_dead_end(bench: Bench) -> None:
    # More duplicates than a batch takes, at a member that publishes.
    lanes = [Lane(EVENTS_TAXONOMY, 2)]
    zombie, heir = Noting(publishes=True, lanes=lanes), Noting(publishes=True, lanes=lanes)
    old = started(bench, zombie)
    bench.append(*(a_message() for _ in range(4)))
    for _ in range(9):
        old.keep_alive()
    expire_first(bench, zombie)
    work(bench.member(heir), turns=9)
    assert reading_of(old).buffer
    work(old, turns=9)
    assert not reading_of(old).buffer
    bench.append(a_message())
    work(old, turns=9)
    assert zombie.offsets == [4]
    # What others had done long ago is nobody's duplicate: it goes on behind it.
    assert bench.tally(heir) == Tally(read=5, applied=5)


@pytest.mark.parametrize("step", list(Step)[:3])
def test_one_of_two_wins_at_the_position(bench: Bench, step: Step) -> None:
    first, second = Noting(publishes=True), Noting(publishes=True)
    old = started(bench, first)
    bench.append(a_message(), a_message())
    steps = old.turn(idle=0)
    while next(steps) is not Step.POLLED:
        pass
    if step is not Step.POLLED:
        assert next(steps) is Step.ACKNOWLEDGED
    expire_first(bench, first)
    work(bench.member(second))
    list(steps)
    assert (first.offsets, second.offsets) == ([], [0, 1])
    assert bench.tally(first) == Tally(read=4, applied=2, duplicate=2)


def test_who_notices_that_it_was_expired_forgets_what_it_read(bench: Bench) -> None:
    zombie, heir = Noting(), Noting()
    old = started(bench, zombie)
    bench.append(a_message(), a_message())
    old.keep_alive()
    expire_first(bench, zombie, unaware_polls=0)
    new = bench.member(heir)
    for _ in range(3):
        work(new)
        work(old)
    assert sorted(zombie.offsets + heir.offsets) == [0, 1]
    assert bench.tally(heir) == Tally(read=2, applied=2)


def test_a_partition_lost_while_publishing_is_not_recorded(bench: Bench) -> None:
    handler = Noting(publishes=True)
    member = started(bench, handler)
    bench.append(a_message())
    for step in member.turn(idle=0):
        if step is Step.ACKNOWLEDGED:
            expire_first(bench, handler, unaware_polls=0)
            member.keep_alive()
    assert handler.offsets == []
    work(member)
    assert handler.offsets == [0]


def test_a_partition_lost_while_committing_is_simply_gone(bench: Bench) -> None:
    handler = Noting()
    member = started(bench, handler)
    bench.append(a_message())
    for step in member.turn(idle=0):
        if step is Step.WRITTEN:
            expire_first(bench, handler, unaware_polls=0)
            member.keep_alive()
    work(member)
    assert bench.tally(handler) == Tally(read=1, applied=1)


# A database restored from a backup


def test_a_batch_above_the_position_seeks_back(bench: Bench) -> None:
    handler = Noting()
    member = started(bench, handler)
    bench.append(a_message(), a_message(1))
    work(member)
    backup = bench.database.snapshot()
    bench.append(a_message(), junk())
    work(member)
    bench.database.restore(backup)
    bench.append(a_message(), a_message(1))
    work(member)
    assert handler.decided[2:] == [[(1, 1)], [(0, 1), (0, 3)]]
    assert bench.tally(handler) == Tally(read=4, applied=3, dead_lettered=1)


def test_it_is_noticed_though_nothing_more_is_said(bench: Bench) -> None:
    handler = Noting()
    backup = bench.database.snapshot()
    member = started(bench, handler)
    bench.append(a_message(), a_message())
    work(member)
    bench.database.restore(backup)
    for _ in range(3):
        bench.seconds += 1
        turn(member)
        with bench.database.transaction() as uow:
            marks = uow.positions.caught_up_ago(handler.name, EVENTS_TAXONOMY)
        # Nobody says that it stands at the end as long as the tables don't.
        assert bench.reached(handler) == 2 or 0 not in marks
    assert bench.tally(handler) == Tally(read=2, applied=2)
    assert handler.offsets == [0, 1, 0, 1]


Content = tuple[Event, list[Bet], dict[ConsumerName, Tally]]


def content(world: World, event: Event) -> Content:
    with world.database.transaction() as uow:
        bets = list(uow.bets.page(event_id=event.id, most=99))
    return world.event(event.id), bets, {name: world.tally(name) for name in ConsumerName}


def told_a_match(world: World, until: int) -> Event:
    event = world.create()
    for n, market in enumerate([*Market] * 2):
        world.place(event.id, market, user_id=f"user-{n}")
    for patch in [KICK_OFF, goal("1-0"), goal("1-1"), FINISH][:until]:
        world.update(event.id, patch)
    return event


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("before", range(4))
def test_a_restored_database_ends_where_it_was(members: int, before: int) -> None:
    world = World(members=members)
    backup = world.database.snapshot()
    event = told_a_match(world, until=before)
    if before:
        backup = world.database.snapshot()
    for patch in [KICK_OFF, goal("1-0"), goal("1-1"), FINISH][before:]:
        world.update(event.id, patch)
    late = content(world, event)
    world.database.restore(backup)
    for _ in ConsumerName:  # each notices within a second
        world.settle()
    event_now, bets, tallies = content(world, event)
    assert (event_now, bets) == late[:2]
    assert all(tally.read == sum(tally[1:]) for tally in tallies.values())
