"""What the database suite drives a database with: rows made from small numbers, threads, waits."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast
from uuid import UUID

import pytest

from domain.bets import Bet, BetState, Market, Placement
from domain.events import Event, EventState
from domain.log import EVENTS_TAXONOMY, LogPartition, LogPosition, Record
from domain.ports import Database, UnitOfWork
from domain.records import (
    ConsumerName,
    DeadLetter,
    EventVersion,
    Position,
    Refusal,
    RefusalReason,
    StoredEvent,
)
from domain.score import Score

Result = TypeVar("Result")
Work = Callable[[UnitOfWork], Result]

DEADLINE = 30.0
"""Seconds until a condition that must come true is given up."""

LOG, LATER_LOG, OTHER_LOG = UUID(int=0xA2), UUID(int=0xA1), UUID(int=0xA3)
"""Log ids whose own order is not the order in which the suite registers them."""

LOWEST, HIGHEST = UUID(int=0), UUID(int=2**128 - 1)

TEXTS = (
    "it's",
    '"quoted"',
    "back\\slash\\",
    "{brace,comma}",
    "NULL",
    "%s %(x)s :name $1 ?",
    "--; DROP TABLE bets",
    "a\u00a0b\u2028c\u200dd",
    "ß ẞ ﬁ İ ǆ",
    "שלום مرحبا 你好 ไทย",
    "👨‍👩‍👧‍👦 \U0001f3f4\U0010ffff\uffff",
    "e\u0301 é",
    "x" * 64,
)
"""Texts that the domain allows and that careless SQL breaks."""


def at(seconds: float) -> datetime:
    """A moment of the suite's day."""
    return datetime(2026, 6, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds)


def source(partition: int = 0, *, topic: str = EVENTS_TAXONOMY, log_id: UUID = LOG) -> LogPartition:
    return LogPartition(topic, partition, log_id)


def stored_event(
    number: int,
    *,
    created: float | None = None,
    type: str = "football",
    team_1: str = "Argentina",
    team_2: str = "France",
    state: EventState = EventState.CREATED,
    score: str = "0-0",
    version: int = 1,
) -> StoredEvent:
    """Event `number`, created that many seconds into the day."""
    return StoredEvent(
        event=Event(
            id=UUID(int=number),
            type=type,
            team_1=team_1,
            team_2=team_2,
            event_date=at(3600.000001),
            score=Score.parse(score),
            state=state,
            version=version,
        ),
        created_at=at(number if created is None else created),
        origin=number.to_bytes(16),
    )


def event_version(
    event: int,
    version: int,
    *,
    state: EventState = EventState.CREATED,
    score: str = "0-0",
    log_id: UUID = LOG,
    partition: int = 0,
    offset: int | None = None,
) -> EventVersion:
    """By default at offset 100 x event + version."""
    place = 100 * event + version if offset is None else offset
    return EventVersion(
        event_id=UUID(int=event),
        version=version,
        state=state,
        score=Score.parse(score),
        at=at(version),
        position=LogPosition(log_id, partition, place),
        message_id=UUID(int=10_000 + place),
    )


def bet(
    number: int,
    *,
    event: int = 1,
    market: Market = Market.TEAM_1,
    user: str = "ann",
    created: float | None = None,
    state: BetState = BetState.NONE,
    version: int = 1,
) -> Bet:
    """Bet `number` of an event, placed that many seconds into the day."""
    return Bet(
        placement=Placement(
            id=UUID(int=number),
            date_created=at(number if created is None else created),
            user_id=user,
            event_id=UUID(int=event),
            market=market,
        ),
        position=LogPosition(LOG, 0, number),
        state=state,
        event_version=version,
    )


def position(next_offset: int, where: LogPartition, consumer: ConsumerName) -> Position:
    return Position(
        consumer=consumer,
        source=where,
        next_offset=next_offset,
        last_record_digest=next_offset.to_bytes(16),
    )


def refusal(
    offset: int,
    *,
    subject: int,
    where: LogPartition | None = None,
    message: int | None = None,
    type: str = "bet.placed",
    reason: RefusalReason = RefusalReason.EVENT_NOT_OPEN,
) -> Refusal:
    return Refusal(
        source=where or source(),
        offset=offset,
        message_id=UUID(int=20_000 + offset if message is None else message),
        type=type,
        subject=UUID(int=subject),
        reason=reason,
    )


def dead_letter(offset: int, *, value: bytes | None = b"{", reason: str = "not JSON") -> DeadLetter:
    return DeadLetter(record=Record(source(), offset, b"key", value), reason=reason)


def run(database: Database, work: Work[Result]) -> Result:
    """Do the work in a transaction of its own, and commit it."""
    with database.transaction() as uow:
        result = work(uow)
        uow.commit()
        return result


def alone(database: Database) -> UnitOfWork:
    """Each call on it is a transaction of its own, committed."""
    return cast(UnitOfWork, _Alone(database))


class _Alone:
    def __init__(self, database: Database) -> None:
        self._database = database

    def __getattr__(self, repository: str) -> "_Calls":
        return _Calls(self._database, repository)


class _Calls:
    def __init__(self, database: Database, repository: str) -> None:
        self._database = database
        self._repository = repository

    def __getattr__(self, method: str) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            with self._database.transaction() as uow:
                result: object = getattr(getattr(uow, self._repository), method)(*args, **kwargs)
                uow.commit()
                return result

        return call


class DatabaseCases:
    """What every part of the suite has. An adapter's test gives `database` and `waiting`."""

    @pytest.fixture
    def database(self) -> Iterator[Database]:
        """A database without any row; closed afterwards."""
        raise NotImplementedError

    def waiting(self, database: Database) -> int:
        """How many transactions wait for a lock right now."""
        raise NotImplementedError

    @pytest.fixture
    def threads(self) -> Iterator[ThreadPoolExecutor]:
        with ThreadPoolExecutor(max_workers=8) as executor:
            yield executor

    def await_waiting(self, database: Database, *others: "Future[Result]") -> None:
        """Return once all these transactions of other threads wait for a lock."""
        deadline = time.monotonic() + DEADLINE
        while self.waiting(database) != len(others):
            assert not any(other.done() for other in others), "it did not wait"
            assert time.monotonic() < deadline, "neither waits nor ends"
            time.sleep(0.001)


def add_event(database: Database, *numbers: int) -> None:
    alone(database).events.write([stored_event(number) for number in numbers])


def add_bets(database: Database, bets: Sequence[Bet]) -> None:
    """Add bets, and their events first."""
    add_event(database, *{bet.event_id.int for bet in bets})
    alone(database).bets.add(bets)
