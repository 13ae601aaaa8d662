"""Each invariant can be violated, and `verify` names how."""

from dataclasses import replace

import pytest

from domain.bets import Bet, BetState, Market
from domain.events import Event
from domain.log import (
    EVENTS_TAXONOMY,
    LogPosition,
)
from domain.ports import UnitOfWork
from domain.records import (
    ConsumerName,
    DeadLetter,
    Refusal,
    RefusalReason,
    StateRange,
    StoredEvent,
    Tally,
)
from tests.unit.verifying import (
    a_match,
    bet_on,
    change,
    examples,
    move,
    position_of,
    positions,
    report,
    violations,
)
from tests.world import World, goal


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def event(world: World) -> Event:
    return a_match(world)


def test_a_wrong_state_is_named(world: World, event: Event) -> None:
    bet = bet_on(world, event, Market.DRAW)
    wrong = StateRange(event.id, Market.DRAW, bet.id, bet.id, BetState.WINNING, 99)
    change(world, lambda uow: uow.bets.write_states([wrong]))
    assert violations(world) == {"bet-states": 1}
    assert any(str(bet.id) in text for i in report(world).invariants for text in i.examples)


def test_a_bet_that_came_late_is_named(world: World, event: Event) -> None:
    bet = bet_on(world, event, Market.DRAW)
    late = replace(
        bet,
        placement=replace(bet.placement, id=world.new_id()),
        position=replace_offset(bet, 1000),
    )
    change(world, lambda uow: uow.bets.add([late]))
    assert violations(world)["standing-bets"] == 1


def replace_offset(bet: Bet, more: int) -> LogPosition:
    return bet.position._replace(offset=bet.position.offset + more)


def test_a_deleted_bet_that_came_back_is_named(world: World, event: Event) -> None:
    bet = bet_on(world, event, Market.DRAW)
    change(world, lambda uow: uow.deletions.add(bet.id))
    assert violations(world)["standing-bets"] == 1


def test_a_lost_bet_is_named(world: World, event: Event) -> None:
    bet = bet_on(world, event, Market.DRAW)
    change(world, lambda uow: uow.bets.remove(bet.id))
    assert violations(world) == {"fold": 1}


def test_an_event_with_another_score_is_named(world: World, event: Event) -> None:
    def write(uow: UnitOfWork) -> None:
        stored = uow.events.among([event.id])[event.id]
        wrong: StoredEvent = replace(stored, event=replace(event, team_1="Brazil", version=9))
        uow.events.write([wrong])

    change(world, write)
    assert {"event-versions", "fold"} <= violations(world).keys()


def test_a_record_that_nobody_accounts_for_is_named(world: World, event: Event) -> None:
    def write(uow: UnitOfWork) -> None:
        position = next(p for p in uow.positions.all() if p.next_offset)
        uow.positions.save([replace(position, tally=Tally(read=position.tally.read))])

    change(world, write)
    assert violations(world)["accounting"] == 1


@pytest.mark.parametrize("consumer", ConsumerName)
def test_a_record_that_was_skipped_is_named(
    world: World, event: Event, consumer: ConsumerName
) -> None:
    last = position_of(world, consumer)
    skipped = last.tally.plus(Tally(read=-1, unchanged=-1))
    change(world, lambda uow: uow.positions.save([replace(last, tally=skipped)]))
    assert violations(world) == {"accounting": 1}
    records = last.next_offset
    assert f"but {records} records lie below" in examples(world, "accounting")[0]
    # Also when nobody is quiet, and when more was read since.
    world.submit(world.updating(event.id, goal("1-1")))
    world.settle([ConsumerName.EVENT_WRITER])
    assert violations(world) == {"accounting": 1}
    world.settle()
    assert violations(world) == {"accounting": 1}


def test_a_record_that_was_counted_twice_is_named(world: World, event: Event) -> None:
    def write(uow: UnitOfWork) -> None:
        position = next(p for p in uow.positions.all() if p.next_offset)
        twice = position.tally.plus(Tally(read=99, applied=99))
        uow.positions.save([replace(position, tally=twice)])

    change(world, write)
    assert violations(world) == {"accounting": 1}


def test_a_consumer_that_passed_the_one_before_is_named(world: World, event: Event) -> None:
    world.submit(world.updating(event.id, goal("1-1")))
    world.settle([ConsumerName.EVENT_WRITER])
    scorer = position_of(world, ConsumerName.BET_SCORER)
    move(world, scorer, scorer.next_offset + 1)
    assert violations(world)["positions-order"] == 1
    assert any("it has passed bet-writer" in text for text in examples(world))


def test_a_log_that_lost_its_tail_is_named(world: World, event: Event) -> None:
    end = position_of(world, ConsumerName.EVENT_WRITER)
    world.log.truncate(EVENTS_TAXONOMY, end.source.partition, end=end.next_offset - 1)
    assert violations(world)["positions-order"] == 3
    found = report(world)
    assert not found.quiet
    assert any("its tail was lost" in text for text in examples(world))
    assert f"version 3 of event {event.id} is there, but not told" in examples(world)


def test_a_bet_that_was_told_in_a_lost_tail_is_named(world: World) -> None:
    bet = world.place(world.create().id, Market.DRAW)
    world.log.truncate(EVENTS_TAXONOMY, bet.position.partition, end=bet.position.offset)
    assert f"bet {bet.id} is there, but not told" in examples(world)


def test_a_log_that_lost_what_nobody_has_read_is_named(world: World, event: Event) -> None:
    world.submit(world.updating(event.id, goal("1-1")))
    world.settle([ConsumerName.EVENT_WRITER])
    last = position_of(world, ConsumerName.EVENT_WRITER)
    world.log.drop_head(EVENTS_TAXONOMY, last.source.partition, start=last.next_offset)
    assert violations(world) == {"positions-order": 2}
    assert "unread records are gone" in examples(world)[0]


def test_a_log_that_lost_what_everybody_has_read_is_right(world: World, event: Event) -> None:
    last = position_of(world, ConsumerName.EVENT_WRITER)
    world.log.drop_head(EVENTS_TAXONOMY, last.source.partition, start=last.next_offset - 1)
    assert report(world).quiet
    assert report(world).holds


def test_a_refusal_that_nobody_counted_is_named(world: World, event: Event) -> None:
    last = position_of(world, ConsumerName.EVENT_WRITER)
    refusal = Refusal(
        source=last.source,
        offset=0,
        message_id=world.new_id(),
        type="bet.placed",
        subject=world.new_id(),
        reason=RefusalReason.EVENT_NOT_OPEN,
    )
    change(world, lambda uow: uow.refusals.add([refusal]))
    assert violations(world) == {"accounting": 1}
    unread = replace(refusal, offset=last.next_offset)
    change(world, lambda uow: uow.refusals.add([unread]))
    assert violations(world) == {"accounting": 2}
    assert any("a refusal or dead letter of offset" in text for text in examples(world))


def test_a_dead_letter_that_nobody_counted_is_named(world: World, event: Event) -> None:
    record = next(iter(world.bus.read(EVENTS_TAXONOMY)))
    change(world, lambda uow: uow.dead_letters.add([DeadLetter(record=record, reason="?")]))
    assert violations(world) == {"accounting": 1}
    assert "dead-lettered" in examples(world)[0]


@pytest.mark.parametrize("consumer", [ConsumerName.EVENT_WRITER, ConsumerName.BET_WRITER])
def test_an_effect_above_its_position_is_named(
    world: World, event: Event, consumer: ConsumerName
) -> None:
    # As if the effect had been committed without its position.
    late = world.create()
    world.place(late.id, Market.DRAW)
    last = max(positions(world, consumer), key=lambda each: each.source.partition)
    for each in positions(world, consumer):
        if each.next_offset:
            last = each
            move(world, each, 0)
    assert last.next_offset
    assert violations(world)["accounting"] >= 1
    what = "an event's version" if consumer is ConsumerName.EVENT_WRITER else "a bet"
    assert any(f": {what} of offset" in text for text in examples(world))


def test_a_bet_that_stands_although_it_was_refused_is_named(world: World, event: Event) -> None:
    bet = bet_on(world, event, Market.DRAW)
    refusal = Refusal(
        source=position_of(world, ConsumerName.BET_WRITER).source,
        offset=0,
        message_id=world.new_id(),
        type="bet.placed",
        subject=bet.id,
        reason=RefusalReason.EVENT_NOT_FOUND,
    )
    change(world, lambda uow: uow.refusals.add([refusal]))
    assert violations(world) == {"standing-bets": 1, "accounting": 1}
    assert f"bet {bet.id} stands, but should not" in examples(world)
