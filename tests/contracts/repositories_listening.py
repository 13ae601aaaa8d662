"""Waking who waits for positions, on every Database."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event

from domain.ports import Database
from domain.records import ConsumerName
from tests.contracts.repositories_samples import (
    DEADLINE,
    DatabaseCases,
    add_event,
    alone,
    position,
    source,
)

MOMENT = 0.05
"""Seconds in which nothing must come."""


def move(database: Database, next_offset: int = 1) -> None:
    alone(database).positions.save([position(next_offset, source(), ConsumerName.BET_WRITER)])


class ListeningContract(DatabaseCases):
    """A listener wakes when positions move, and not without need."""

    def test_a_commit_before_the_wait_is_not_lost(self, database: Database) -> None:
        with closing(database.listen()) as listener:
            move(database)
            assert listener.wait(DEADLINE)
            assert not listener.wait(MOMENT)
            move(database, 2)
            assert listener.wait(DEADLINE)

    def test_a_commit_during_the_wait_ends_it(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        with closing(database.listen()) as listener:
            begun = Event()

            def wait() -> bool:
                begun.set()
                return listener.wait(DEADLINE)

            waiting = threads.submit(wait)
            begun.wait(DEADLINE)
            move(database)
            assert waiting.result(DEADLINE)

    def test_every_listener_wakes(self, database: Database) -> None:
        with closing(database.listen()) as one, closing(database.listen()) as other:
            move(database)
            assert one.wait(DEADLINE)
            assert other.wait(DEADLINE)

    def test_without_a_move_the_timeout_is_waited_out(self, database: Database) -> None:
        move(database)
        with closing(database.listen()) as listener:
            begun = time.monotonic()
            assert not listener.wait(MOMENT)
            assert time.monotonic() - begun >= MOMENT
            assert not listener.wait(0)

    def test_what_is_not_committed_wakes_nobody(self, database: Database) -> None:
        with closing(database.listen()) as listener:
            with database.transaction() as uow:
                uow.positions.save([position(1, source(), ConsumerName.BET_WRITER)])
                assert not listener.wait(MOMENT)
            assert not listener.wait(MOMENT)

    def test_other_writes_wake_nobody(self, database: Database) -> None:
        with closing(database.listen()) as listener:
            add_event(database, 1)
            alone(database).positions.save([])
            assert not listener.wait(MOMENT)

    def test_who_is_listened_to_is_heard(self, database: Database) -> None:
        with closing(database.listen([ConsumerName.BET_WRITER])) as listener:
            move(database)
            assert listener.wait(DEADLINE)

    def test_several_moves_of_one_transaction_wake_once(self, database: Database) -> None:
        with closing(database.listen()) as listener:
            with database.transaction() as uow:
                for number in (1, 2, 3):
                    uow.positions.save([position(number, source(), ConsumerName.BET_WRITER)])
                uow.commit()
            assert listener.wait(DEADLINE)
            assert not listener.wait(MOMENT)

    def test_a_wait_can_be_ended_from_another_thread(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        with closing(database.listen()) as listener:
            waiting = threads.submit(listener.wait, DEADLINE)
            listener.wake()
            assert waiting.result(DEADLINE)
            listener.wake()
            listener.wake()
            assert listener.wait(DEADLINE)
            assert not listener.wait(MOMENT)

    def test_closing_twice_is_harmless(self, database: Database) -> None:
        listener = database.listen()
        listener.close()
        listener.close()
