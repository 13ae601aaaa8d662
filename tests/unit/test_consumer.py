"""The loop: effect and position together, everything counted once, wherever it is abandoned."""

import pytest

from adapters.memory.store import CommitFault
from domain.consumer import Step
from domain.errors import DatabaseUnavailable
from domain.log import BETS_STATE, EVENTS_TAXONOMY
from domain.messages import BET_KINDS, EVENT_KINDS
from domain.records import ConsumerName, RefusalReason, Tally
from domain.rulings import Fate, Ruling
from tests.samples import (
    MESSAGE,
    a_placement,
    a_slice,
    a_version,
    active,
    an_event,
    placed,
    updated,
)
from tests.unit.bench import (
    CODEC,
    JUNK,
    ON,
    Bench,
    Noting,
    a_message,
    junk,
    reading_of,
    started,
    turn,
    work,
)

EVENT_WRITER, BET_SCORER = ConsumerName.EVENT_WRITER, ConsumerName.BET_SCORER
POLLED, PUBLISHED, ACKNOWLEDGED, DECIDED, WRITTEN, COMMITTED = Step


@pytest.fixture
def bench() -> Bench:
    return Bench()


# One turn


def test_a_turn_without_records_takes_no_step(bench: Bench) -> None:
    handler = Noting()
    assert turn(bench.member(handler)) == [POLLED]
    assert handler.decided == []


def test_the_steps_of_a_turn(bench: Bench) -> None:
    member = started(bench, Noting())
    bench.append(a_message())
    assert turn(member) == [POLLED, DECIDED, WRITTEN, COMMITTED]


def test_the_steps_of_a_turn_that_publishes(bench: Bench) -> None:
    piece = a_slice(version=a_version(active(), at=0))
    member = started(bench, Noting(publishes=True, told=[[piece], [piece, piece]]))
    bench.append(a_message())
    assert turn(member) == [
        POLLED,
        PUBLISHED,
        PUBLISHED,
        ACKNOWLEDGED,
        DECIDED,
        WRITTEN,
        COMMITTED,
    ]
    assert len(list(bench.bus.read(BETS_STATE))) == 3


def test_records_are_decided_in_order_partition_by_partition(bench: Bench) -> None:
    handler = Noting()
    member = started(bench, handler)
    for _ in range(2):
        bench.append(*(a_message(partition) for partition in (2, 0, 1)))
    work(member)
    assert sorted(handler.decided[0]) == [(p, offset) for p in range(3) for offset in range(2)]
    for partition in range(3):
        assert [o for p, o in handler.decided[0] if p == partition] == [0, 1]
        assert bench.reached(handler, partition) == 2


def test_the_position_is_recorded_with_its_digest_and_told_to_lag_tools(bench: Bench) -> None:
    handler = Noting()
    member = started(bench, handler)
    bench.append(a_message(), a_message(), junk())
    work(member)
    position = bench.position(handler)
    last = list(bench.bus.read(EVENTS_TAXONOMY))[-1]
    assert (position.next_offset, position.last_record_digest) == (3, last.digest())
    told = {bench.source(0): 3, bench.source(1): 0, bench.source(2): 0}
    assert bench.log.committed(EVENT_WRITER) == told
    assert reading_of(member).tally == position.tally
    assert reading_of(member).lag == 0


def test_a_member_that_closes_leaves_the_group(bench: Bench) -> None:
    member = bench.member(Noting())
    assert len(bench.log.members(EVENT_WRITER)) == 1
    member.close()
    assert bench.log.members(EVENT_WRITER) == ()


def test_members_share_the_partitions(bench: Bench) -> None:
    handlers = [Noting(), Noting()]
    members = [bench.member(handler) for handler in handlers]
    for member in members * 2:
        turn(member)
    bench.append(*(a_message(partition) for partition in range(3)))
    for member in members:
        work(member)
    assert sorted(len(handler.offsets) for handler in handlers) == [1, 2]


# Everything is accounted for


def by_offset(*rulings: Ruling) -> Noting:
    return Noting(rule=lambda request: rulings[request.record.offset])


def test_every_record_is_counted_once(bench: Bench) -> None:
    handler = by_offset(
        Fate.APPLIED, Fate.UNCHANGED, RefusalReason.EVENT_CONFLICT, Fate.APPLIED, Fate.APPLIED
    )
    member = started(bench, handler)
    bench.append(a_message(), a_message(), a_message(), junk(), a_message())
    work(member)
    assert bench.tally(handler) == Tally(read=5, applied=2, unchanged=1, refused=1, dead_lettered=1)
    bench.append(junk())
    work(member)
    assert bench.tally(handler) == Tally(read=6, applied=2, unchanged=1, refused=1, dead_lettered=2)
    assert bench.tally(handler, 1) == Tally()


def test_what_it_does_not_decide_on_is_counted_all_the_same(bench: Bench) -> None:
    bet = CODEC.encode(placed(a_placement(event_id=ON[0])))
    handlers = [
        Noting(name=ConsumerName.EVENT_WRITER, kinds=EVENT_KINDS),
        Noting(name=ConsumerName.BET_WRITER, kinds=BET_KINDS),
        Noting(name=BET_SCORER, kinds=frozenset()),
    ]
    members = [started(bench, handler) for handler in handlers]
    bench.append(bet, a_message(), junk(), a_message())
    for member in members:
        work(member)
    assert [handler.decided for handler in handlers] == [[[(0, 1), (0, 3)]], [[(0, 0)]], [[]]]
    assert [bench.tally(handler) for handler in handlers] == [
        Tally(read=4, applied=2, unchanged=1, dead_lettered=1),
        Tally(read=4, applied=1, unchanged=2, dead_lettered=1),
        Tally(read=4, unchanged=3, dead_lettered=1),
    ]


def test_a_poison_record_never_sinks_its_neighbours(bench: Bench) -> None:
    handler = Noting()
    member = started(bench, handler)
    bench.append(junk(), a_message(), junk(), junk(), a_message(), junk())
    work(member)
    assert handler.decided == [[(0, 1), (0, 4)]]
    with bench.database.transaction() as uow:
        letters = uow.dead_letters.page(after=None, most=9)
    assert [letter.record.offset for letter in letters] == [0, 2, 3, 5]
    assert {letter.record.value for letter in letters} == {JUNK}
    assert {letter.record.key for letter in letters} == {str(ON[0]).encode()}
    assert all(letter.reason.startswith("not JSON in UTF-8: ") for letter in letters)
    assert bench.reached(handler) == 6


def test_only_poison_still_moves_the_position(bench: Bench) -> None:
    for handler in (Noting(), Noting(name=BET_SCORER, publishes=True)):
        member = started(bench, handler)
        bench.append(junk())
        work(member)
        assert bench.reached(handler) == len(list(bench.bus.read(EVENTS_TAXONOMY)))
        assert handler.offsets == []


def test_a_refusal_says_what_was_refused_and_where(bench: Bench) -> None:
    handler = by_offset(Fate.APPLIED, RefusalReason.EVENT_NOT_OPEN)
    member = started(bench, handler)
    refused = updated(an_event(id=ON[0], version=2))
    bench.append(a_message(), CODEC.encode(refused))
    work(member)
    with bench.database.transaction() as uow:
        (refusal,) = uow.refusals.of_messages([MESSAGE]).values()
    assert (refusal.source, refusal.offset) == (bench.source(), 1)
    assert (refusal.type, refusal.subject) == ("event.updated", ON[0])
    assert (refusal.message_id, refusal.reason) == (refused.id, RefusalReason.EVENT_NOT_OPEN)


# Abandoned or failing at any step


@pytest.mark.parametrize("publishes", [True, False])
@pytest.mark.parametrize("last", list(Step))
def test_abandoned_after_any_step_it_is_done_exactly_once(
    bench: Bench, last: Step, publishes: bool
) -> None:
    told = [[a_slice(version=a_version(active(), at=0))]] if publishes else []
    handler = Noting(publishes=publishes, told=told)
    member = started(bench, handler)
    bench.append(a_message(), junk(), a_message())
    steps = member.turn(idle=0)
    for step in steps:
        if step is last:
            break
    steps.close()
    done = last in {WRITTEN, COMMITTED}
    if publishes or last not in {PUBLISHED, ACKNOWLEDGED}:
        assert bench.reached(handler) == (3 if done else 0)
    bench.log.expire(bench.log.members(EVENT_WRITER)[0])
    work(bench.member(handler))
    assert bench.tally(handler) == Tally(read=3, applied=2, dead_lettered=1)


@pytest.mark.parametrize("fault", CommitFault)
def test_a_commit_whose_outcome_is_unknown(bench: Bench, fault: CommitFault) -> None:
    handler = Noting()
    member = started(bench, handler)
    bench.append(a_message(), a_message())
    bench.database.fail_next_commit(fault)
    with pytest.raises(DatabaseUnavailable):
        turn(member)
    assert bench.reached(handler) == (2 if fault is CommitFault.AFTER else 0)
    member.restart()
    work(member)
    assert bench.tally(handler) == Tally(read=2, applied=2)


def test_after_a_restart_it_goes_on_from_the_stored_position(bench: Bench) -> None:
    handler = Noting()
    member = started(bench, handler)
    bench.append(a_message(), a_message())
    work(member)
    bench.append(a_message())
    member.keep_alive()
    member.restart()
    assert list(member.readings) == []
    work(member)
    assert handler.offsets == [0, 1, 2]
    assert bench.tally(handler) == Tally(read=3, applied=3)
