"""Questions about all rows at once, on every Database."""

from dataclasses import replace
from uuid import UUID

from domain.bets import Bet, BetState
from domain.events import EventState
from domain.log import BETS_STATE, EVENTS_TAXONOMY, LogPartition, LogPosition, Record
from domain.ports import Database, UnitOfWork
from domain.records import (
    Book,
    ConsumerName,
    EventVersion,
    Faults,
    PlacedBet,
    Position,
    RefusalReason,
    Tally,
)
from tests.contracts.repositories_samples import (
    LATER_LOG,
    LOG,
    DatabaseCases,
    add_bets,
    alone,
    bet,
    dead_letter,
    event_version,
    position,
    refusal,
    run,
    source,
    stored_event,
)

ONE, TWO = UUID(int=1), UUID(int=2)


def placed(number: int, offset: int, *, log_id: UUID = LOG, event: int = 1) -> Bet:
    return replace(bet(number, event=event), position=LogPosition(log_id, 0, offset))


class AuditContract(DatabaseCases):
    """What `verify` asks."""

    def test_an_empty_database_has_nothing_to_say(self, database: Database) -> None:
        assert alone(database).audit.groups(lambda kind: True) == []
        assert alone(database).audit.bets_by_state() == {}
        assert alone(database).audit.late_bets(most=9) == Faults(0, [])
        assert alone(database).audit.version_faults(most=9) == Faults(0, [])
        assert alone(database).audit.books() == []
        assert run(database, lambda uow: list(uow.audit.placed_in(source(), below=9))) == []
        assert run(database, lambda uow: list(uow.audit.made_in(source(), below=9))) == []

    def test_bets_are_counted_by_state(self, database: Database) -> None:
        states = [BetState.NONE, BetState.WINNING, BetState.WINNING, BetState.LOSE]
        bets = [replace(placed(n, n), state=state) for n, state in enumerate(states, start=1)]
        add_bets(database, bets)
        assert alone(database).audit.bets_by_state() == {
            BetState.NONE: 1,
            BetState.WINNING: 2,
            BetState.LOSE: 1,
        }

    def test_a_bet_stands_between_creation_and_kick_off(self, database: Database) -> None:
        for log_id in (LOG, LATER_LOG):
            alone(database).logs.register(EVENTS_TAXONOMY, log_id)
        bets = [placed(1, 9), placed(2, 11), placed(3, 500), placed(4, 1, log_id=LATER_LOG)]
        bets += [placed(5, 6, log_id=LATER_LOG), placed(6, 3, event=2), placed(7, 12)]
        add_bets(database, bets)
        alone(database).event_versions.add(
            [
                event_version(1, 1, offset=10),
                event_version(1, 2, state=EventState.ACTIVE, offset=5, log_id=LATER_LOG),
                event_version(1, 3, state=EventState.FINISHED, offset=9, log_id=LATER_LOG),
            ]
        )
        alone(database).deletions.add(UUID(int=7))
        # One before its event, one after kick-off, one of an event that never began, one deleted.
        late = [UUID(int=number) for number in (1, 5, 6, 7)]
        assert alone(database).audit.late_bets(most=9) == Faults(4, late)
        assert alone(database).audit.late_bets(most=2) == Faults(4, late[:2])

    def test_a_bet_that_was_refused_does_not_stand(self, database: Database) -> None:
        alone(database).logs.register(EVENTS_TAXONOMY, LOG)
        add_bets(database, [placed(number, 10 + number) for number in range(1, 6)])
        alone(database).event_versions.add([event_version(1, 1, offset=1)])
        alone(database).refusals.add(
            [
                refusal(2, subject=1, reason=RefusalReason.EVENT_NOT_FOUND),
                refusal(3, subject=2),
                refusal(20, subject=3, reason=RefusalReason.IDEMPOTENCY_KEY_REUSED),
                refusal(21, subject=4, type="bet.updated"),
            ]
        )
        assert alone(database).audit.late_bets(most=9) == Faults(2, [ONE, TWO])

    def test_versions_have_no_gap_and_end_in_the_event(self, database: Database) -> None:
        active = EventState.ACTIVE
        alone(database).events.write(
            [
                stored_event(1),
                stored_event(2, state=active, score="1-0", version=2),
                stored_event(3, state=active, version=3),
                stored_event(4, state=active, version=2),
                stored_event(5, state=active, score="1-0", version=2),
                stored_event(6),
                stored_event(7),
                stored_event(9, version=3),
                stored_event(10, version=2),
            ]
        )
        for log_id in (LOG, LATER_LOG):
            alone(database).logs.register(EVENTS_TAXONOMY, log_id)
        alone(database).event_versions.add(
            [
                event_version(1, 1),
                event_version(2, 1),
                event_version(2, 2, state=active, score="1-0"),
                event_version(3, 1),
                event_version(3, 3, state=active),
                event_version(4, 1),
                event_version(4, 2),
                event_version(5, 1),
                event_version(5, 2, state=active, score="0-1"),
                event_version(7, 1),
                event_version(7, 2),
                event_version(8, 1),
                event_version(9, 1),
                event_version(9, 2, offset=1, log_id=LATER_LOG),
                event_version(9, 3, offset=2, log_id=LATER_LOG),
                event_version(10, 1, offset=8),
                event_version(10, 2, offset=7),
            ]
        )
        faults = [UUID(int=number) for number in (3, 4, 5, 6, 7, 8, 10)]
        assert alone(database).audit.version_faults(most=9) == Faults(7, faults)
        assert alone(database).audit.version_faults(most=3) == Faults(7, faults[:3])

    def test_a_deleted_event_that_is_there(self, database: Database) -> None:
        alone(database).logs.register(EVENTS_TAXONOMY, LOG)
        alone(database).events.write([stored_event(1)])
        alone(database).event_versions.add([event_version(1, 1)])
        assert alone(database).audit.version_faults(most=9) == Faults(0, [])
        alone(database).deletions.add(UUID(int=1))
        assert alone(database).audit.version_faults(most=9) == Faults(1, [UUID(int=1)])

    def test_the_books_tell_what_is_kept_and_what_was_read(self, database: Database) -> None:
        here, there, states = source(1), source(0, log_id=LATER_LOG), source(1, topic=BETS_STATE)
        ew, bw = ConsumerName.EVENT_WRITER, ConsumerName.BET_WRITER

        def read(until: int, where: LogPartition, consumer: ConsumerName, **tally: int) -> Position:
            return replace(position(until, where, consumer), tally=Tally(**tally))

        alone(database).positions.save(
            [
                read(50, here, ew, refused=3, dead_lettered=2),
                read(40, here, bw, refused=4, dead_lettered=1),
                read(30, here, ConsumerName.BET_SCORER),
                read(20, states, bw, refused=1),
            ]
        )
        alone(database).refusals.add(
            [refusal(at, subject=1, where=here) for at in (1, 45)]
            + [refusal(7, subject=1, where=states)]
        )
        letter = dead_letter(0)
        kept = [Record(there, at, b"k", b"{") for at in (3, 9)]
        alone(database).dead_letters.add([replace(letter, record=record) for record in kept])
        add_bets(database, [replace(bet(1), position=LogPosition(LOG, 1, 41))])
        alone(database).event_versions.add(
            [
                event_version(1, 1, partition=1, offset=12),
                event_version(2, 1, partition=1, offset=11),
                event_version(3, 1, log_id=LATER_LOG, offset=5),
            ]
        )
        nothing = Book(
            source=here,
            refusals=0,
            refused=0,
            dead_letters=0,
            dead_lettered=0,
            last_version=-1,
            versions_until=0,
            last_bet=-1,
            bets_until=0,
            last_verdict=-1,
            verdicts_until=0,
        )
        assert alone(database).audit.books() == [
            nothing._replace(
                source=states,
                refusals=1,
                refused=1,
                bets_until=20,
                last_verdict=7,
                verdicts_until=20,
            ),
            nothing._replace(source=there, dead_letters=2, last_version=5, last_verdict=9),
            nothing._replace(
                refusals=2,
                refused=7,
                dead_lettered=2,
                last_version=12,
                versions_until=50,
                last_bet=41,
                bets_until=40,
                last_verdict=45,
                verdicts_until=50,
            ),
        ]

    def test_bets_come_in_the_order_of_their_places(self, database: Database) -> None:
        elsewhere = [placed(90, 1, log_id=LATER_LOG), placed(91, 60)]
        other_partition = replace(bet(92), position=LogPosition(LOG, 1, 1))
        bets = [placed(number, 50 - number) for number in range(1, 30)]
        add_bets(database, [*bets, *elsewhere, other_partition])
        with database.transaction() as uow:
            stream = uow.audit.placed_in(source(), below=50)
            first = next(stream)
            # Deleted meanwhile, and others asked: the stream goes on as it began.
            run(database, lambda uow: uow.bets.remove(ONE))
            assert uow.bets.among([ONE]) == {}
            rest = list(stream)
        assert [first, *rest] == [
            PlacedBet(
                offset=each.position.offset,
                id=each.id,
                event_id=each.event_id,
                market=each.placement.market,
                user_id=each.placement.user_id,
                date_created=each.placement.date_created,
            )
            for each in reversed(bets)
        ]
        empty = run(database, lambda uow: list(uow.audit.placed_in(source(2), below=50)))
        assert empty == []

    def test_versions_come_in_the_order_of_their_places(self, database: Database) -> None:
        versions = [
            event_version(1, 1, offset=3),
            event_version(2, 1, offset=4),
            event_version(1, 2, offset=8, state=EventState.ACTIVE, score="2-1"),
        ]
        others = [
            event_version(3, 1, offset=9),
            event_version(4, 1, offset=1, partition=1),
            event_version(5, 1, offset=1, log_id=LATER_LOG),
        ]
        alone(database).event_versions.add([*others, *reversed(versions)])

        def told(uow: UnitOfWork) -> list[tuple[EventVersion, list[PlacedBet]]]:
            made = uow.audit.made_in(source(), below=9)
            # Both streams at once.
            return [(each, list(uow.audit.placed_in(source(), below=9))) for each in made]

        assert run(database, told) == [(each, []) for each in versions]
