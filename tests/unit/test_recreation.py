"""A topic that is another log than before: what was lost with the earlier one is made good."""

from collections import defaultdict
from uuid import UUID

import pytest

from adapters.memory.transaction import Transaction
from domain.bets import BetState, Market
from domain.consumer import Step
from domain.events import EventState
from domain.log import BETS_STATE, EVENTS_TAXONOMY, TOPICS
from domain.ports import EventLock
from domain.records import ConsumerName
from domain.recreation import register
from tests.world import KICK_OFF, World, goal

EVENT_WRITER, BET_WRITER, BET_SCORER = ConsumerName


def a_goal_that_nobody_told(market: Market = Market.TEAM_1) -> tuple[World, UUID]:
    """An event at 1-0, as only the Event Writer knows, with a bet on this market."""
    world = World()
    event_id = world.create().id
    world.place(event_id, market)
    world.update(event_id, KICK_OFF)
    world.submit(world.updating(event_id, goal("1-0")))
    world.settle([EVENT_WRITER])
    return world, event_id


@pytest.mark.parametrize("behind", [(), (BET_SCORER,), (BET_SCORER, BET_WRITER)])
def test_what_the_scorer_had_not_told_yet(behind: tuple[ConsumerName, ...]) -> None:
    world = World()
    event_id = world.create().id
    for market in Market:
        world.place(event_id, market)
    world.update(event_id, KICK_OFF)
    world.submit(world.updating(event_id, goal("1-0")))
    world.settle([name for name in ConsumerName if name not in behind])
    world.log.recreate(EVENTS_TAXONOMY)
    world.settle()
    assert world.states(event_id) == {
        Market.TEAM_1: {BetState.WINNING},
        Market.DRAW: {BetState.LOSING},
        Market.TEAM_2: {BetState.LOSING},
    }


def test_who_watches_is_told_of_what_is_made_good() -> None:
    world = World()
    event_id, other_id = world.create().id, world.create().id
    world.place(event_id, Market.TEAM_1)
    world.place(other_id, Market.TEAM_1)
    world.update(event_id, KICK_OFF)
    world.submit(world.updating(event_id, goal("1-0")))
    world.settle([EVENT_WRITER, BET_WRITER])
    watcher = world.database.watch()
    world.log.recreate(EVENTS_TAXONOMY)
    world.settle()
    assert world.states(event_id) == {Market.TEAM_1: {BetState.WINNING}}
    assert watcher.wait(0) == frozenset({event_id})


def test_what_was_told_and_not_read() -> None:
    world, event_id = a_goal_that_nobody_told()
    # Only events.taxonomy is read: the slices stay in the topic that is deleted.
    for step in world.consumers[BET_WRITER][0].turn(idle=0):
        if step is Step.COMMITTED:
            break
    world.settle([BET_SCORER])
    assert world.slices(event_id, Market.TEAM_1) == [BetState.LOSING, BetState.WINNING]
    world.log.recreate(BETS_STATE)
    world.settle()
    assert world.states(event_id) == {Market.TEAM_1: {BetState.WINNING}}


def test_what_is_told_of_an_earlier_step_comes_too_late() -> None:
    """1-0 and back to 0-0: the bet stands as it did, but the first step's slice is under way."""
    world, event_id = a_goal_that_nobody_told(Market.DRAW)
    for step in world.consumers[BET_WRITER][0].turn(idle=0):
        if step is Step.COMMITTED:
            break
    world.settle([BET_SCORER])
    world.submit(world.updating(event_id, goal("0-0")))
    world.settle([EVENT_WRITER])
    assert world.states(event_id) == {Market.DRAW: {BetState.WINNING}}
    world.log.recreate(EVENTS_TAXONOMY)
    world.settle()
    assert world.slices(event_id, Market.DRAW)[-1] is BetState.LOSING
    assert world.states(event_id) == {Market.DRAW: {BetState.WINNING}}


@pytest.mark.parametrize("first", ConsumerName)
def test_positions_are_locked_before_events_and_bets(
    first: ConsumerName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when both topics are others: two who lock in another order can wait for each other."""
    world, event_id = a_goal_that_nobody_told()
    for topic in TOPICS:
        world.log.recreate(topic)
    held: dict[Transaction, list[str]] = defaultdict(list)
    hold = Transaction.hold

    def noted(transaction: Transaction, *row: str, mode: EventLock = EventLock.DELETE) -> None:
        held[transaction].append(row[0])
        hold(transaction, *row, mode=mode)

    monkeypatch.setattr(Transaction, "hold", noted)
    world.settle([first, *ConsumerName])
    assert world.states(event_id) == {Market.TEAM_1: {BetState.WINNING}}
    catching_up = [tables for tables in held.values() if "events" in tables]
    assert any("positions" in tables for tables in catching_up)
    assert all("positions" not in tables[tables.index("events") :] for tables in catching_up)


def test_records_of_the_earlier_log_are_not_applied_any_more() -> None:
    world = World(members=2)
    event_id = world.create().id
    world.submit(world.updating(event_id, KICK_OFF))
    slow = next(
        turn
        for member in world.consumers[EVENT_WRITER]
        for turn in [member.turn(idle=0)]
        if next(turn) is Step.POLLED and any(reading.buffer for reading in member.readings)
    )
    world.log.recreate(EVENTS_TAXONOMY)
    with world.database.transaction() as uow:
        for source in world.log.sources(EVENTS_TAXONOMY):
            register(uow, source)
        uow.commit()
    assert Step.COMMITTED not in list(slow)
    world.settle()
    assert world.event(event_id).state is EventState.CREATED


def test_a_log_that_was_registered_late_is_not_the_newest_for_long() -> None:
    world = World()
    event_id = world.create().id
    (earlier, *_) = world.log.sources(EVENTS_TAXONOMY)
    world.log.recreate(EVENTS_TAXONOMY)
    with world.database.transaction() as uow:
        for source in world.log.sources(EVENTS_TAXONOMY):
            register(uow, source)
        uow.logs.register(EVENTS_TAXONOMY, earlier.log_id)
        uow.commit()
    assert world.update(event_id, KICK_OFF).state is EventState.ACTIVE


def test_two_that_find_the_new_log_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.create()
    world.log.recreate(EVENTS_TAXONOMY)
    (source, *_) = world.log.sources(EVENTS_TAXONOMY)
    caught_up: list[object] = []
    monkeypatch.setattr("domain.recreation._catch_up", caught_up.append)
    with world.database.transaction() as uow:
        # Whoever held the positions had found it, too.
        monkeypatch.setattr(
            uow.positions, "lock", lambda *_: uow.logs.register(source.topic, source.log_id)
        )
        register(uow, source)
        assert uow.logs.incarnations(source.topic)[-1] == source.log_id
    assert caught_up == []
