"""`verify` is silent when all is well, whatever is under way; and what it says when it isn't."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from adapters.memory.audit import MemoryAudit
from adapters.memory.bus import MemoryBus
from domain.bets import BetState, Market
from domain.events import Event
from domain.log import (
    BETS_STATE,
    EVENTS_TAXONOMY,
    TOPICS,
    Bounds,
    LogPartition,
    NewRecord,
    Record,
)
from domain.records import (
    BetGroup,
    BetKind,
    ConsumerName,
    Correction,
    StateRange,
)
from domain.verification import mend, verify
from tests.unit.verifying import (
    a_match,
    bet_on,
    change,
    examples,
    report,
    violations,
)
from tests.world import FINISH, KICK_OFF, World, goal


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def event(world: World) -> Event:
    return a_match(world)


def test_all_is_well(world: World, event: Event) -> None:
    found = report(world)
    assert found.quiet
    assert found.holds
    assert [invariant.name for invariant in found.invariants] == [
        "bet-states",
        "standing-bets",
        "event-versions",
        "accounting",
        "fold",
        "positions-order",
    ]
    world.update(event.id, FINISH)
    assert report(world).holds


@pytest.mark.parametrize("working", [[], [ConsumerName.EVENT_WRITER], list(ConsumerName)[:2]])
def test_no_false_alarm_while_consumers_lag(
    world: World, event: Event, working: list[ConsumerName]
) -> None:
    world.submit(world.updating(event.id, goal("1-1")))
    world.submit(world.creating())
    world.settle(working)
    found = report(world)
    assert not found.quiet
    assert found.holds, found


def test_no_false_alarm_when_something_moves_under_the_checks(world: World, event: Event) -> None:
    class Moving(MemoryBus):
        """While it is read, a goal is scored."""

        def read(self, topic: str) -> Iterator[Record]:
            records = list(super().read(topic))
            if world.event(event.id).version == 3:
                world.update(event.id, goal("1-1"))
            return iter(records)

    found = verify(world.database, Moving(world.log), world.codec)
    assert found.holds, found
    assert not found.quiet


class Moving(MemoryBus):
    """Just after it was looked at for so many times, a goal is scored that no bet has heard of."""

    def __init__(self, world: World, event: Event, *, looks: int = 1) -> None:
        super().__init__(world.log)
        self._world = world
        self._event = event
        self._looks = looks

    def bounds(self, topic: str) -> Mapping[LogPartition, Bounds]:
        found = super().bounds(topic)
        self._looks -= topic == TOPICS[-1]
        if self._looks == 0 and self._world.event(self._event.id) == self._event:
            self._world.submit(self._world.updating(self._event.id, goal("1-1")))
            self._world.settle([ConsumerName.EVENT_WRITER])
        return found


def test_no_false_alarm_when_a_goal_is_scored_under_the_checks(world: World, event: Event) -> None:
    found = verify(world.database, Moving(world, event), world.codec)
    assert found.holds, found
    assert not found.quiet


def test_it_is_not_quiet_while_a_log_is_not_known_yet(world: World, event: Event) -> None:
    # What the Bet Scorer has told of a goal is lost, and nobody has noticed.
    world.submit(world.updating(event.id, goal("1-1")))
    world.settle([ConsumerName.EVENT_WRITER])
    while world.turn(ConsumerName.BET_WRITER):
        pass
    world.settle([ConsumerName.BET_SCORER])
    assert world.slices(event.id, Market.DRAW)[-1] is BetState.WINNING
    world.log.recreate(BETS_STATE)
    found = report(world)
    assert found.holds, found
    assert not found.quiet
    world.settle()
    assert report(world).quiet
    assert report(world).holds


def test_events_of_an_earlier_log_are_left_out_of_the_fold(world: World, event: Event) -> None:
    early = world.create()
    world.log.recreate(EVENTS_TAXONOMY)
    world.log.recreate(BETS_STATE)
    world.place(early.id, Market.DRAW)
    world.update(event.id, FINISH)
    assert report(world).quiet
    assert report(world).holds


def test_of_many_violations_some_are_shown_and_all_are_counted(world: World) -> None:
    event = world.create()
    bets = [world.place(event.id, Market.DRAW) for _ in range(12)]
    for bet in bets:
        change(world, lambda uow: uow.deletions.add(bet.id))  # noqa: B023 - used at once
    standing = report(world).invariants[1]
    assert standing.violations == 12
    assert standing.examples == [f"bet {bet.id} stands, but should not" for bet in bets[:10]]


def test_wrong_bets_are_named_group_by_group(world: World) -> None:
    event = world.create()
    bets = [world.place(event.id, Market.DRAW) for _ in range(4)]
    ids = [bet.id for bet in bets]
    shown = ", ".join(map(str, ids[:3]))
    wrong = StateRange(event.id, Market.DRAW, ids[0], ids[-1], BetState.LOSE, 9)
    change(world, lambda uow: uow.bets.write_states([wrong]))
    assert report(world).invariants[0].examples == [
        f"4 bets on draw of event {event.id} are lose by its version 9: {shown}, …"
    ]
    change(world, lambda uow: uow.bets.remove(ids[0]))
    assert examples(world)[0].endswith(f"by its version 9: {ids[1]}, {ids[2]}, {ids[3]}")


def test_bets_that_have_moved_since_they_were_counted_are_not_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = world.create()
    bet = world.place(event.id, Market.DRAW)
    wrong = StateRange(event.id, Market.DRAW, bet.id, bet.id, BetState.LOSE, 9)
    change(world, lambda uow: uow.bets.write_states([wrong]))
    groups = MemoryAudit.groups

    def moving(audit: MemoryAudit, which: Callable[[BetKind], bool]) -> Any:
        found = groups(audit, which)
        change(world, lambda uow: uow.bets.remove(bet.id))
        return found

    monkeypatch.setattr(MemoryAudit, "groups", moving)
    assert report(world).invariants[0].examples == [
        f"1 bets on draw of event {event.id} are lose by its version 9"
    ]


def test_of_many_groups_some_bets_are_named(world: World) -> None:
    event = world.create()
    bets = [world.place(event.id, Market.DRAW) for _ in range(12)]
    for version, bet in enumerate(bets, start=2):
        wrong = StateRange(event.id, Market.DRAW, bet.id, bet.id, BetState.LOSE, version)
        change(world, lambda uow: uow.bets.write_states([wrong]))  # noqa: B023 - used at once
    states = report(world).invariants[0]
    assert states.violations == 12
    assert [str(bet.id) in text for bet, text in zip(bets, states.examples, strict=False)] == (
        [True] * 10
    )


def test_the_fold_can_be_left_out(world: World, event: Event) -> None:
    class Unread(MemoryBus):
        """Nobody reads it."""

        def read(self, topic: str) -> Iterator[Record]:
            raise AssertionError(topic)

    found = verify(world.database, Unread(world.log), world.codec, with_fold=False)
    assert found.holds
    assert [each.name for each in found.invariants if each.name == "fold"] == []


# Between any two steps


def test_nothing_is_wrong_between_any_two_steps() -> None:
    world = World(members=2)
    event = world.create()
    bet = world.place(event.id, Market.DRAW, user_id="bob")
    steps: list[Callable[[], object]] = [
        lambda: world.submit(world.placing(event.id, Market.DRAW, key="a")),
        lambda: world.submit(world.placing(event.id, Market.TEAM_1)),
        lambda: world.publish([NewRecord(EVENTS_TAXONOMY, str(event.id).encode(), b"junk")]),
        lambda: world.delete_bet(bet.id),
        lambda: world.submit(world.updating(event.id, KICK_OFF)),
        lambda: world.submit(world.placing(event.id, Market.DRAW, user_id="eve")),
        lambda: world.submit(world.updating(event.id, goal("1-0"))),
        lambda: world.submit(world.creating()),
        lambda: world.log.recreate(BETS_STATE),
        lambda: world.submit(world.updating(event.id, FINISH)),
    ]
    for step, other in zip(steps[::2], steps[1::2], strict=True):
        step()
        other()
        walk(world)
    world.settle()
    assert report(world).quiet
    assert report(world).holds


def walk(world: World) -> None:
    """Let everybody take steps in turn, looking after each."""
    for _ in range(3):
        turns = [member.turn(idle=0) for members in world.consumers.values() for member in members]
        while turns:
            for turn in [*turns]:
                if next(turn, None) is None:
                    turns.remove(turn)
                found = report(world)
                assert found.holds, found
        world.pass_time(1)


# Mending


def test_nothing_to_mend(world: World, event: Event) -> None:
    assert mend(world.database, world.bus, dry_run=False) == (True, [])


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_lags_is_left_to_its_consumer(world: World, event: Event, *, dry_run: bool) -> None:
    world.submit(world.updating(event.id, goal("1-1")))
    world.settle([ConsumerName.EVENT_WRITER])
    before = bet_on(world, event, Market.DRAW)
    assert mend(world.database, world.bus, dry_run=dry_run) == (False, [])
    assert bet_on(world, event, Market.DRAW) == before


def test_what_is_wrong_once_quiet_is_mended(world: World, event: Event) -> None:
    # It names a version that makes it so; but another one is the newest.
    bet = bet_on(world, event, Market.DRAW)
    change(world, lambda uow: uow.bets.remove(bet.id))
    change(world, lambda uow: uow.bets.add([replace(bet, state=BetState.WINNING, event_version=2)]))
    assert violations(world) == {"bet-states": 1}
    quiet, would = mend(world.database, world.bus, dry_run=True)
    assert quiet
    assert violations(world) == {"bet-states": 1}
    assert mend(world.database, world.bus, dry_run=False) == (True, would)
    assert would == [
        Correction(
            BetGroup(event.id, Market.DRAW, BetState.WINNING, 2, 1), BetState.LOSING, event.version
        )
    ]
    assert report(world).holds


@pytest.mark.parametrize("dry_run", [True, False])
def test_nothing_is_mended_that_moves_meanwhile(
    world: World, event: Event, *, dry_run: bool
) -> None:
    assert mend(world.database, Moving(world, event), dry_run=dry_run) == (False, [])


def test_bets_that_only_lag_are_left_to_the_consumers(world: World, event: Event) -> None:
    moving = Moving(world, event, looks=2)
    assert mend(world.database, moving, dry_run=False) == (True, [])
    assert world.event(event.id).version == event.version + 1
