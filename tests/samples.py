"""Small things that tests are made of. Each builder fills in what the test does not care about.

Below the builders are hypothesis' strategies for the same things.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from adapters.memory.database import MemoryDatabase
from domain.bets import LONGEST_USER_ID, Bet, BetColumns, BetState, Market, Placement
from domain.evaluator import evaluate
from domain.events import LONGEST_TEAM, LONGEST_TYPE, Event, EventState
from domain.identity import origin_of, slice_message_id
from domain.log import BETS_STATE, EVENTS_TAXONOMY, LogPartition, LogPosition, Record
from domain.messages import (
    BetPlaced,
    BetsStateChanged,
    BetUpdated,
    EventCreated,
    EventUpdated,
    Message,
    slice_key,
)
from domain.ports import UnitOfWork
from domain.records import EventVersion, Refusal, RefusalReason, StoredEvent
from domain.rulings import Request
from domain.score import GOALLESS, Score
from domain.text import fold

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KICK_OFF_TIME = datetime(2022, 12, 18, 15, tzinfo=UTC)


def an_id(number: int) -> UUID:
    """A UUID of version 7. A higher number sorts later."""
    return UUID(int=number * 2**64 + (7 << 76) + (2 << 62))


EVENT, OTHER_EVENT = an_id(1001), an_id(1002)
BET, OTHER_BET = an_id(2001), an_id(2002)
MESSAGE = an_id(3001)
LOG, LATER_LOG = an_id(4001), an_id(4002)
LARGEST_VERSION = 2**31 - 1
"""What fits into PostgreSQL's integer."""
GENERATIONS = {LOG: 1, LATER_LOG: 2}
SOURCE = LogPartition(EVENTS_TAXONOMY, 0, LOG)
STATES_SOURCE = LogPartition(BETS_STATE, 0, LOG)


def score(text: str) -> Score:
    return Score.parse(text)


def an_event(**fields: Any) -> Event:
    """An event that was just created."""
    event = Event(
        id=EVENT,
        type="football",
        team_1="Argentina",
        team_2="France",
        event_date=KICK_OFF_TIME,
    )
    return replace(event, **fields)


def active(goals: str = "0-0", **fields: Any) -> Event:
    """An event under way, at version 2 unless said otherwise."""
    return an_event(**{"state": EventState.ACTIVE, "score": score(goals), "version": 2} | fields)


def finished(goals: str = "0-0", **fields: Any) -> Event:
    """An event that is over, at version 3 unless said otherwise."""
    return an_event(**{"state": EventState.FINISHED, "score": score(goals), "version": 3} | fields)


IN_STATE = {
    EventState.CREATED: an_event(),
    EventState.ACTIVE: active(),
    EventState.FINISHED: finished(),
}
"""An event in each state, goalless."""


def stored(event: Event, **fields: Any) -> StoredEvent:
    """The event as the table holds it; created with what it now says."""
    return replace(StoredEvent(event=event, created_at=NOW, origin=origin_of(event)), **fields)


def a_position(offset: int = 0, *, log: UUID = LOG) -> LogPosition:
    return LogPosition(log, 0, offset)


def a_version(event: Event, *, at: int, log: UUID = LOG) -> EventVersion:
    """The version that the record at offset `at` made."""
    return EventVersion(
        event_id=event.id,
        version=event.version,
        state=event.state,
        score=event.score,
        at=NOW,
        position=a_position(at, log=log),
        message_id=MESSAGE,
    )


def a_placement(**fields: Any) -> Placement:
    placement = Placement(
        id=BET, date_created=NOW, user_id="ann", event_id=EVENT, market=Market.DRAW
    )
    return replace(placement, **fields)


def a_bet(*, at: int = 1, event_version: int = 1, **fields: Any) -> Bet:
    """A bet that stands in `none`; `fields` are those of its placement."""
    return Bet(
        placement=a_placement(**fields), position=a_position(at), event_version=event_version
    )


def created(event: Event, *, message_id: UUID = MESSAGE) -> EventCreated:
    return EventCreated(id=message_id, time=NOW, event=event)


def updated(event: Event, *, message_id: UUID = MESSAGE) -> EventUpdated:
    return EventUpdated(id=message_id, time=NOW, event=event)


def placed(placement: Placement, *, message_id: UUID = MESSAGE) -> BetPlaced:
    return BetPlaced(id=message_id, time=NOW, placement=placement)


def handed_over(placement: Placement, *, message_id: UUID = MESSAGE) -> BetUpdated:
    """A request to give the bet the user that `placement` names."""
    return BetUpdated(id=message_id, time=NOW, placement=placement)


def a_slice(
    bets: Sequence[UUID] = (BET,),
    *,
    version: EventVersion,
    market: Market = Market.DRAW,
    state: BetState | None = None,
    number: int = 0,
) -> BetsStateChanged:
    """What `version` makes of these bets, or `state` against the rules."""
    key = slice_key(version.event_id, market, number)
    return BetsStateChanged(
        id=slice_message_id(event_id=version.event_id, version=version.version, key=key),
        time=version.at,
        event_id=version.event_id,
        event_version=version.version,
        market=market,
        state=state or evaluate(market, version.state, version.score),
        number=number,
        bets=BetColumns.of((bet_id, "ann") for bet_id in bets),
        cause=version.message_id,
    )


def a_record(offset: int = 0, *, source: LogPartition = SOURCE) -> Record:
    """A record whose bytes don't matter."""
    return Record(source, offset, b"key", b"value")


def request(message: Message, *, at: int = 0, source: LogPartition = SOURCE) -> Request:
    return Request(a_record(at, source=source), message)


Fill = Callable[[UnitOfWork], object]
"""Writes that fill a database before a test begins."""


class MustWait(Exception):
    """Raised instead of waiting for another transaction."""


def a_database(*filled: Fill) -> MemoryDatabase:
    """A database that knows both logs, with these writes committed. Nobody ever waits in it."""

    def must_wait(_: Callable[[], bool]) -> None:
        raise MustWait

    database = MemoryDatabase(now=lambda: NOW, wait=must_wait)
    with database.transaction() as uow:
        for log_id in GENERATIONS:
            uow.logs.register(EVENTS_TAXONOMY, log_id)
        for fill in filled:
            fill(uow)
        uow.commit()
    return database


def holding(event: Event) -> Fill:
    """The table holds this event, which was created under the first name."""
    return lambda uow: uow.events.write([stored(event, origin=origin_of(an_event()))])


def with_bets(*stand: Bet) -> Fill:
    return lambda uow: uow.bets.add(stand)


def having_deleted(gone: UUID) -> Fill:
    return lambda uow: uow.deletions.add(gone)


def having_refused(reason: RefusalReason = RefusalReason.EVENT_NOT_OPEN) -> Fill:
    refusal = Refusal(
        source=SOURCE, offset=3, message_id=MESSAGE, type="bet.placed", subject=BET, reason=reason
    )
    return lambda uow: uow.refusals.add([refusal])


class Spy:
    """A unit of work that remembers what was called, as `events.lock`."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.calls: list[str] = []
        self._uow = uow

    def __getattr__(self, name: str) -> "_SpiedRepository":
        return _SpiedRepository(name, getattr(self._uow, name), self.calls)


class _SpiedRepository:
    def __init__(self, name: str, repository: object, calls: list[str]) -> None:
        self._name = name
        self._repository = repository
        self._calls = calls

    def __getattr__(self, name: str) -> object:
        self._calls.append(f"{self._name}.{name}")
        return getattr(self._repository, name)


# Strategies

scores = st.builds(Score, home=st.integers(0, 999), away=st.integers(0, 999))
close_scores = st.builds(Score, home=st.integers(0, 2), away=st.integers(0, 2))
"""Scores among which the leader often changes."""

times = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the time zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.builds(
        timezone, st.integers(-1439, 1439).map(lambda minutes: timedelta(minutes=minutes))
    ),
)


def texts(longest: int) -> st.SearchStrategy[str]:
    """Text that is allowed."""
    characters = st.characters(exclude_categories=["Cc", "Cs"])
    return st.text(characters, min_size=1, max_size=longest).filter(lambda t: t == t.strip())


def _has_two_teams(fields: dict[str, Any]) -> bool:
    return fold(fields["team_1"]) != fold(fields["team_2"])


def events_in(state: EventState) -> st.SearchStrategy[Event]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        "id": st.uuids(),
        "type": texts(LONGEST_TYPE),
        "team_1": texts(LONGEST_TEAM),
        "team_2": texts(LONGEST_TEAM),
        "event_date": times,
        "score": st.just(GOALLESS) if state is EventState.CREATED else scores,
        "state": st.just(state),
        "version": st.integers(1, LARGEST_VERSION),
    }
    return st.fixed_dictionaries(fields).filter(_has_two_teams).map(lambda f: Event(**f))


events = st.sampled_from(EventState).flatmap(events_in)
placements = st.builds(
    Placement,
    id=st.uuids(),
    date_created=times,
    user_id=texts(LONGEST_USER_ID),
    event_id=st.uuids(),
    market=st.sampled_from(Market),
)
sliced_bets = st.lists(
    st.tuples(st.uuids(), texts(LONGEST_USER_ID)),
    min_size=1,
    max_size=5,
    unique_by=lambda bet: bet[0],
).map(lambda bets: BetColumns.of(sorted(bets)))
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(EventCreated, id=st.uuids(), time=times, event=events),
    st.builds(EventUpdated, id=st.uuids(), time=times, event=events),
    st.builds(BetPlaced, id=st.uuids(), time=times, placement=placements),
    st.builds(BetUpdated, id=st.uuids(), time=times, placement=placements),
    st.builds(
        BetsStateChanged,
        id=st.uuids(),
        time=times,
        event_id=st.uuids(),
        event_version=st.integers(1, LARGEST_VERSION),
        market=st.sampled_from(Market),
        state=st.sampled_from(BetState),
        number=st.integers(0, 999_999_999),
        bets=sliced_bets,
    ),
)
