"""Who waits for whom, and what is seen after the wait, on every Database."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from domain.bets import BetState, Market
from domain.events import EventState
from domain.ports import Database, EventLock, UnitOfWork
from domain.records import ConsumerName, RefusalReason, StateRange
from tests.contracts.repositories_samples import (
    DEADLINE,
    DatabaseCases,
    Work,
    add_bets,
    add_event,
    alone,
    at,
    bet,
    dead_letter,
    position,
    refusal,
    run,
    source,
    stored_event,
)

WRITER, SCORER = ConsumerName.EVENT_WRITER, ConsumerName.BET_SCORER
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
REFERENCE, CHANGE, DELETE = EventLock.REFERENCE, EventLock.CHANGE, EventLock.DELETE

TOGETHER = [(REFERENCE, REFERENCE), (REFERENCE, CHANGE), (CHANGE, REFERENCE)]
APART = [(CHANGE, CHANGE), *((DELETE, how) for how in EventLock)]
APART += [(REFERENCE, DELETE), (CHANGE, DELETE)]

In = Callable[[UnitOfWork, Sequence[int]], object]
"""Writes or locks the rows of these numbers, in one call."""

IN_ONE_ORDER: dict[str, In] = {
    "positions.lock": lambda uow, ns: uow.positions.lock(SCORER, [source(n) for n in ns]),
    "positions.lock, new": lambda uow, ns: uow.positions.lock(WRITER, [source(n) for n in ns]),
    "positions.save": lambda uow, ns: uow.positions.save(
        [position(1, source(n), WRITER) for n in ns]
    ),
    "positions.mark_caught_up": lambda uow, ns: uow.positions.mark_caught_up(
        WRITER, [source(n) for n in ns], ago=at(1) - at(0)
    ),
    "events.lock": lambda uow, ns: uow.events.lock([UUID(int=n) for n in ns], CHANGE),
    "events.write": lambda uow, ns: uow.events.write([stored_event(n) for n in ns]),
    "bets.add": lambda uow, ns: uow.bets.add([bet(1000 + n) for n in ns]),
    "bets.change_users": lambda uow, ns: uow.bets.change_users({UUID(int=n): "new" for n in ns}),
    "bets.write_states": lambda uow, ns: uow.bets.write_states(
        [StateRange(ONE, Market.TEAM_1, UUID(int=n), UUID(int=n), BetState.WINNING, 2) for n in ns]
    ),
    "refusals.add": lambda uow, ns: uow.refusals.add([refusal(n, subject=n) for n in ns]),
    "dead_letters.add": lambda uow, ns: uow.dead_letters.add([dead_letter(n) for n in ns]),
}


class LocksContract(DatabaseCases):
    """Locks are held to the end of the transaction, and what is seen after a wait is new."""

    def test_a_position_is_locked_until_the_end(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        alone(database).positions.lock(WRITER, [source()])
        with database.transaction() as uow:
            uow.positions.lock(WRITER, [source()])
            other = threads.submit(
                run, database, lambda o: o.positions.lock(WRITER, [source(), source(1)])
            )
            self.await_waiting(database, other)
            uow.positions.save([position(7, source(), WRITER)])
            assert alone(database).positions.read(WRITER, [source()])
            uow.commit()
        assert other.result(DEADLINE)[source()] == position(7, source(), WRITER)

    def test_other_positions_are_free(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        with database.transaction() as uow:
            uow.positions.lock(WRITER, [source()])
            for work in (
                lambda o: o.positions.lock(ConsumerName.BET_WRITER, [source()]),
                lambda o: o.positions.lock(WRITER, [source(1)]),
            ):
                threads.submit(run, database, work).result(DEADLINE)

    @pytest.mark.parametrize("committed", [True, False])
    def test_a_position_that_begins_is_locked_too(
        self, database: Database, threads: ThreadPoolExecutor, *, committed: bool
    ) -> None:
        with database.transaction() as uow:
            uow.positions.lock(WRITER, [source()])
            uow.positions.save([position(7, source(), WRITER)])
            other = threads.submit(run, database, lambda o: o.positions.lock(WRITER, [source()]))
            self.await_waiting(database, other)
            if committed:
                uow.commit()
        assert other.result(DEADLINE)[source()].next_offset == (7 if committed else 0)

    @pytest.mark.parametrize(("first", "second"), TOGETHER)
    def test_an_event_is_held_by_both(
        self, database: Database, threads: ThreadPoolExecutor, first: EventLock, second: EventLock
    ) -> None:
        add_event(database, 1)
        with database.transaction() as uow:
            uow.events.lock([ONE], first)
            other = threads.submit(run, database, lambda o: o.events.lock([ONE], second))
            assert other.result(DEADLINE).keys() == {ONE}

    @pytest.mark.parametrize(("first", "second"), APART)
    def test_an_event_is_held_by_one(
        self, database: Database, threads: ThreadPoolExecutor, first: EventLock, second: EventLock
    ) -> None:
        add_event(database, 1, 2)
        after = stored_event(1, state=EventState.ACTIVE, version=2)
        with database.transaction() as uow:
            uow.events.lock([ONE], first)
            other = threads.submit(run, database, lambda o: o.events.lock([TWO, ONE], second))
            self.await_waiting(database, other)
            if first is not REFERENCE:
                uow.events.write([after])
            uow.commit()
        expected = stored_event(1) if first is REFERENCE else after
        assert other.result(DEADLINE) == {ONE: expected, TWO: stored_event(2)}

    def test_a_weaker_lock_does_not_weaken_a_stronger_one(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        add_event(database, 1)
        with database.transaction() as uow:
            for how in (REFERENCE, DELETE, CHANGE, REFERENCE):
                uow.events.lock([ONE], how)
            other = threads.submit(run, database, lambda o: o.events.lock([ONE], REFERENCE))
            self.await_waiting(database, other)
        assert other.result(DEADLINE).keys() == {ONE}

    @pytest.mark.parametrize("how", EventLock)
    def test_an_event_removed_meanwhile_is_left_out(
        self, database: Database, threads: ThreadPoolExecutor, how: EventLock
    ) -> None:
        add_event(database, 1, 2)
        with database.transaction() as uow:
            uow.events.remove(ONE)
            other = threads.submit(run, database, lambda o: o.events.lock([ONE, TWO], how))
            self.await_waiting(database, other)
            uow.commit()
        assert other.result(DEADLINE).keys() == {TWO}

    def test_an_event_that_is_not_committed_is_not_there(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        with database.transaction() as uow:
            uow.events.write([stored_event(1)])
            other = threads.submit(run, database, lambda o: o.events.lock([ONE], CHANGE))
            assert other.result(DEADLINE) == {}

    def test_writing_an_event_changes_it_and_does_not_delete_it(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        add_event(database, 1)
        with database.transaction() as uow:
            uow.events.write([stored_event(1, version=2)])
            reference = threads.submit(run, database, lambda o: o.events.lock([ONE], REFERENCE))
            assert reference.result(DEADLINE) == {ONE: stored_event(1)}
            change = threads.submit(run, database, lambda o: o.events.lock([ONE], CHANGE))
            self.await_waiting(database, change)
            uow.commit()
        assert change.result(DEADLINE) == {ONE: stored_event(1, version=2)}

    def test_adding_a_bet_holds_its_event(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        add_event(database, 1)
        with database.transaction() as uow:
            uow.bets.add([bet(1)])
            change = threads.submit(run, database, lambda o: o.events.lock([ONE], CHANGE))
            assert change.result(DEADLINE).keys() == {ONE}
            delete = threads.submit(run, database, lambda o: o.events.lock([ONE], DELETE))
            self.await_waiting(database, delete)
            uow.commit()
        assert delete.result(DEADLINE).keys() == {ONE}

    def test_a_bet_that_is_changed_waits_for_its_other_writer(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        add_bets(database, [bet(1), bet(2)])
        newer, older = (
            StateRange(ONE, Market.TEAM_1, ONE, TWO, state, version)
            for state, version in ((BetState.WIN, 3), (BetState.LOSING, 2))
        )
        with database.transaction() as uow:
            assert uow.bets.write_states([newer]) == 2
            other = threads.submit(run, database, lambda o: o.bets.write_states([older]))
            self.await_waiting(database, other)
            uow.commit()
        assert other.result(DEADLINE) == 0
        found = alone(database).bets.among([ONE, TWO])
        assert {(each.state, each.event_version) for each in found.values()} == {(BetState.WIN, 3)}

    def test_a_dead_letter_is_locked_until_the_end(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        alone(database).dead_letters.add([dead_letter(1)])
        (letter,) = alone(database).dead_letters.page(after=None, most=9)
        letter_id = letter.id or 0
        with database.transaction() as uow:
            uow.dead_letters.lock(letter_id)
            other = threads.submit(run, database, lambda o: o.dead_letters.lock(letter_id))
            self.await_waiting(database, other)
            uow.dead_letters.mark_requeued(letter_id, at(1))
            uow.commit()
        locked = other.result(DEADLINE)
        assert locked is not None
        assert locked.requeued_at == at(1)

    @pytest.mark.parametrize("committed", [True, False])
    def test_of_two_that_add_the_same_the_first_committed_stays(
        self, database: Database, threads: ThreadPoolExecutor, *, committed: bool
    ) -> None:
        add_event(database, 1)
        first, second = bet(1, user="first"), bet(1, user="second")
        adds: list[tuple[Work[object], Work[object]]] = [
            (lambda uow: uow.bets.add([first]), lambda uow: uow.bets.add([second])),
            (
                lambda uow: uow.refusals.add([refusal(1, subject=1)]),
                lambda uow: uow.refusals.add(
                    [refusal(1, subject=1, reason=RefusalReason.BET_DELETED)]
                ),
            ),
            (
                lambda uow: uow.dead_letters.add([dead_letter(1, reason="first")]),
                lambda uow: uow.dead_letters.add([dead_letter(1, reason="second")]),
            ),
            (lambda uow: uow.deletions.add(TWO), lambda uow: uow.deletions.add(TWO)),
        ]
        for add, add_again in adds:
            with database.transaction() as uow:
                add(uow)
                other = threads.submit(run, database, add_again)
                self.await_waiting(database, other)
                if committed:
                    uow.commit()
            other.result(DEADLINE)
        user = alone(database).bets.among([ONE])[ONE].placement.user_id
        assert user == ("first" if committed else "second")
        reason = alone(database).refusals.of_subjects([ONE])[ONE].reason
        assert (reason is RefusalReason.BET_DELETED) is not committed
        (letter,) = alone(database).dead_letters.page(after=None, most=9)
        assert letter.reason == user
        assert alone(database).deletions.among([TWO]) == {TWO}

    @pytest.mark.parametrize("name", IN_ONE_ORDER)
    def test_rows_are_locked_in_one_order_whatever_order_they_are_given_in(
        self, database: Database, threads: ThreadPoolExecutor, name: str
    ) -> None:
        work, count, middle = IN_ONE_ORDER[name], 40, 21
        add_bets(database, [bet(number) for number in range(count)])
        add_event(database, *range(0, count, 3))
        alone(database).positions.lock(SCORER, [source(number) for number in range(count)])
        with database.transaction() as uow:
            work(uow, [middle])
            upwards, downwards = (
                threads.submit(run, database, lambda other, ns=ns: work(other, ns))
                for ns in (list(range(count)), list(range(count))[::-1])
            )
            self.await_waiting(database, upwards, downwards)
            uow.commit()
        upwards.result(DEADLINE)
        downwards.result(DEADLINE)
