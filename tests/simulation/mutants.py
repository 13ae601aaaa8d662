"""Touchline with one deliberate fault: each must be found, or the simulation sees nothing.

The faults are patched in from here; nothing in the product can switch them on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import NAMESPACE_DNS, UUID, uuid5

from adapters.memory.bets import MemoryBets
from adapters.memory.bookkeeping import MemoryDeletions, MemoryRefusals
from adapters.memory.events import MemoryEvents
from domain import bet_scorer
from domain.bet_scorer import BetScorer, SliceCutter
from domain.bet_writer import BetWriter
from domain.bets import Bet, Market
from domain.consumer import Consumer, Step
from domain.evaluator import evaluate
from domain.log import Bounds, LogPartition, LogPosition
from domain.messages import BetUpdated, EventCreated, EventUpdated, Message
from domain.ports import Database, EventLock, UnitOfWork
from domain.reader import Reader
from domain.records import ConsumerName, EventVersion, MarketOfEvent, Position, RefusalReason
from domain.rulings import Request
from domain.verdicts import Publication, refusal_error

Mutant = Callable[[], AbstractContextManager[None]]
MUTANTS: dict[str, Mutant] = {}


def _mutant(*patches: Any) -> Callable[[Callable[[], None]], None]:
    """Register what these patches make, under the name of the function."""

    def register(named: Callable[[], None]) -> None:
        @contextmanager
        def mutate() -> Iterator[None]:
            with ExitStack() as stack:
                for each in patches:
                    stack.enter_context(each)
                yield

        MUTANTS[named.__name__.replace("_", " ").strip()] = mutate

    return register


# Versions and outcomes


def _write_unguarded(self: MemoryBets, ranges: Collection[Any]) -> int:
    for each in ranges:
        for bet in list(self._transaction.bets.rows()):
            if (bet.event_id, bet.placement.market) == (
                each.event_id,
                each.market,
            ) and each.first <= bet.id <= each.last:
                after = replace(bet, state=each.state, event_version=each.event_version)
                self._transaction.bets.put(bet.id, after)
    return 0


@_mutant(patch.object(MemoryBets, "write_states", _write_unguarded))
def version_guard_dropped() -> None: ...


def _net_causes(
    versions: Mapping[UUID, Sequence[EventVersion]],
) -> dict[MarketOfEvent, EventVersion]:
    return {
        MarketOfEvent(event_id, market): steps[-1]
        for event_id, steps in versions.items()
        for market in Market
        for before, after in [(steps[0], steps[-1])]
        if evaluate(market, before.state, before.score)
        is not evaluate(market, after.state, after.score)
    }


@_mutant(patch("domain.bet_scorer.causes_of", _net_causes))
def net_difference_instead_of_the_union() -> None: ...


def _compare_with_stored(
    self: BetScorer,
    database: Database,
    requests: Sequence[Request],
) -> Iterator[list[Message]]:
    versions = bet_scorer._accepted_versions(database, requests)
    with database.transaction() as uow:
        causes = {
            MarketOfEvent(event_id, market): steps[-1]
            for event_id, steps in versions.items()
            for market, state in uow.bets.tallies([event_id])[event_id]
            if state is not evaluate(market, steps[-1].state, steps[-1].score)
        }
        page = uow.bets.runs(sorted(causes), after=None, most=1000)
    yield list(SliceCutter(causes).cut(page, more=False))


@_mutant(patch.object(BetScorer, "outputs", _compare_with_stored))
def comparing_with_stored_states() -> None: ...


def _versions_as_asked_for(
    database: Database, requests: Sequence[Request]
) -> Mapping[UUID, list[EventVersion]]:
    """What the requests say, judged or not."""
    asked = [
        EventVersion(
            event_id=message.event.id,
            version=message.event.version,
            state=message.event.state,
            score=message.event.score,
            at=message.time,
            position=record.position,
            message_id=message.id,
        )
        for record, message in requests
        if isinstance(message, EventUpdated)
    ]
    with database.transaction() as uow:
        first = {each.event_id: (each.version - 1, each.version - 1) for each in reversed(asked)}
        found = {k: list(v) for k, v in uow.event_versions.between(first).items()} if first else {}
    for each in asked:
        found.setdefault(each.event_id, []).append(each)
    return found


@_mutant(patch("domain.bet_scorer._accepted_versions", _versions_as_asked_for))
def refused_update_scored() -> None: ...


_cut = SliceCutter.cut


def _cut_and_forget(self: SliceCutter, page: Sequence[Any], *, more: bool) -> Iterator[Any]:
    self._ids = self._user_ids = ()
    return _cut(self, page, more=more)


@_mutant(
    patch.object(SliceCutter, "cut", _cut_and_forget),
    patch("tests.simulation.judging.PAGE", 3),
)
def slice_boundary_lost() -> None: ...


# Positions


def _publish_and_forget(self: Consumer, requests: Sequence[Request]) -> Iterator[Step]:
    for messages in self.handler.outputs(self._database, requests):
        self._bus.publish([self._codec.encode(message) for message in messages])
        yield Step.PUBLISHED


@_mutant(patch.object(Consumer, "_publish", _publish_and_forget))
def offset_committed_before_output_acknowledged() -> None: ...


_record = Consumer._record


def _effect_then_position(
    self: Consumer, uow: UnitOfWork, admitted: Any, rulings: Any
) -> list[Position]:
    saved: list[Position] = []

    class Apart:
        """The unit of work, but positions are saved in a transaction of their own."""

        positions: Any = type("", (), {"save": lambda _, positions: saved.extend(positions)})()

        def __getattr__(self, name: str) -> Any:
            return getattr(uow, name)

    positions = _record(self, Apart(), admitted, rulings)
    uow.commit()
    with self._database.transaction() as later:
        later.positions.save(saved)
        later.commit()
    return positions


@_mutant(patch.object(Consumer, "_record", _effect_then_position))
def position_outside_the_transaction() -> None: ...


_admit = Consumer._admit


def _admit_again(self: Consumer, *arguments: Any) -> Any:
    admitted = _admit(self, *arguments)
    for source, number in admitted.duplicates.items():
        admitted.fresh[source] = [
            *admitted.taken[source][:number],
            *admitted.fresh.get(source, ()),
        ]
    admitted.duplicates.clear()
    return admitted


@_mutant(patch.object(Consumer, "_admit", _admit_again))
def redelivery_not_skipped() -> None: ...


_readers = Reader._readers


def _from_committed(
    self: Reader, uow: UnitOfWork, sources: Sequence[LogPartition]
) -> Mapping[LogPartition, list[Position]]:
    readers = dict(_readers(self, uow, sources))
    if self._name is not ConsumerName.BET_SCORER:
        return readers
    subscription: Any = self._subscription
    committed = subscription.inner._log.committed(self._name)
    for source, positions in readers.items():
        there = committed.get(source, 0)
        if there > positions[-1].next_offset:
            positions[-1] = replace(positions[-1], next_offset=there, last_record_digest=None)
            uow.positions.save(positions[-1:])
    return readers


@_mutant(patch.object(Reader, "_readers", _from_committed))
def scorer_starting_at_its_committed_offset() -> None: ...


# Waiting for each other


@_mutant(patch.object(BetScorer, "behind", ConsumerName.EVENT_WRITER))
def no_waiting_for_the_bet_writer() -> None: ...


@_mutant(patch.object(BetWriter, "behind", None))
def no_waiting_for_the_event_writer() -> None: ...


_ahead = Consumer._ahead


def _predecessors_only(
    self: Consumer, uow: UnitOfWork, sources: Sequence[LogPartition]
) -> Mapping[LogPartition, Position]:
    return {
        source: replace(position, next_offset=position.next_offset + 1)
        for source, position in _ahead(self, uow, sources).items()
    }


@_mutant(
    patch.object(Consumer, "_ahead", _predecessors_only),
    patch.object(Reader, "compare", lambda *_: None),
)
def waiting_only_for_a_records_predecessors() -> None: ...


def _last_version(versions: Sequence[EventVersion], *_: object) -> EventVersion | None:
    return versions[-1] if versions else None


@_mutant(patch("domain.bet_writer.version_at", _last_version))
def judging_a_bet_by_the_events_state_now() -> None: ...


# What clients are told


def _granted_anyhow(kind: type[EventUpdated] | type[BetUpdated]) -> Any:
    def granted(reason: RefusalReason, publication: Publication | None = None) -> Any:
        message = None if publication is None else publication.message
        if not isinstance(message, kind):
            return refusal_error(reason, publication)
        if isinstance(message, EventUpdated):
            return message.event
        position = LogPosition(UUID(int=0), 0, 0)
        return Bet(placement=message.placement, position=position, event_version=1)

    return granted


@_mutant(patch("domain.verdicts.refusal_error", _granted_anyhow(EventUpdated)))
def refused_update_answered_200() -> None: ...


@_mutant(patch("domain.verdicts.refusal_error", _granted_anyhow(BetUpdated)))
def refused_hand_over_answered_200() -> None: ...


def _as_asked(_: UnitOfWork, messages: Sequence[EventCreated | EventUpdated]) -> Any:
    return {message.id: message.event for message in messages}


@_mutant(patch("domain.verdicts._unchanged", _as_asked))
def unchanged_update_answered_as_a_new_version() -> None: ...


@_mutant(patch("domain.requests._is_judged_until_kick_off", lambda *_: True))
def retry_turned_away_before_the_first_is_judged() -> None: ...


@_mutant(patch("domain.requests.FRESH_ENOUGH", timedelta.max))
def mark_not_looked_at_when_a_bet_is_deleted() -> None: ...


@_mutant(patch("domain.requests.LATELY", timedelta.max))
def mark_not_looked_at_when_an_event_is_deleted() -> None: ...


# Ids, locks and deletions


def _key_without_event(*, user_id: str, event_id: UUID, key: str) -> UUID:
    return uuid5(NAMESPACE_DNS, f"{user_id} {key}")


@_mutant(patch("domain.identity.bet_id_of_key", _key_without_event))
def key_without_the_event_in_it() -> None: ...


_lock = MemoryEvents.lock


def _without_lock(mode: EventLock) -> Any:
    def lock(self: MemoryEvents, ids: Collection[UUID], how: EventLock) -> Any:
        return self.among(ids) if how is mode else _lock(self, ids, how)

    return lock


@_mutant(
    patch.object(MemoryEvents, "lock", _without_lock(EventLock.DELETE)),
)
def events_lock_left_out_at_a_delete() -> None: ...


@_mutant(patch.object(MemoryDeletions, "among", lambda *_: frozenset()))
def deletions_ignored() -> None: ...


@_mutant(patch.object(MemoryRefusals, "of_subjects", lambda *_: {}))
def refusals_forgotten() -> None: ...


# A log that is not what it was


@_mutant(
    patch("domain.history.precedes", lambda one, other, _: one.offset < other.offset),
)
def log_identity_ignored() -> None: ...


@_mutant(patch("domain.consumer.superseded", lambda *_: set()))
def records_of_an_earlier_log_applied_late() -> None: ...


@_mutant(patch("domain.recreation._catch_up", lambda _: None))
def outcomes_lost_with_an_earlier_log() -> None: ...


def _begin_anyhow(self: Reader, readers: Sequence[Position], bounds: Any) -> None:
    position = readers[-1]
    next_offset = min(max(position.next_offset, bounds.start), bounds.end)
    _begin(self, [replace(position, next_offset=next_offset, last_record_digest=None)], bounds)


_begin = Reader._begin


def _begin_at_its_own_end(self: Reader, readers: Sequence[Position], bounds: Bounds) -> None:
    """Only the consumer's own position is held to the log's end."""
    if readers[-1].next_offset <= bounds.end < readers[0].next_offset:
        bounds_then = bounds._replace(end=readers[0].next_offset)
        _begin(self, readers, bounds_then)
        self._readings[readers[-1].source].end = bounds.end
    else:
        _begin(self, readers, bounds)


@_mutant(
    patch.object(Reader, "_begin", _begin_anyhow),
    patch.object(Reader, "_check_tail", lambda *_: None),
)
def lost_tail_not_noticed() -> None: ...


def _only_its_own(
    self: Reader, uow: UnitOfWork, sources: Sequence[LogPartition]
) -> Mapping[LogPartition, list[Position]]:
    return {s: positions[-1:] for s, positions in _readers(self, uow, sources).items()}


@_mutant(
    patch.object(Reader, "_readers", _only_its_own),
    patch.object(Reader, "compare", lambda *_: None),
)
def log_not_compared_with_the_consumer_before() -> None: ...


@_mutant(patch.object(Reader, "_begin", _begin_at_its_own_end))
def log_end_not_compared_with_the_consumer_before() -> None: ...


FOUND_BY = {
    "version guard dropped": 7,
    "net difference instead of the union": 62,
    "comparing with stored states": 30,
    "refused update scored": 28,
    "slice boundary lost": 7,
    "offset committed before output acknowledged": 23,
    "position outside the transaction": 3,
    "redelivery not skipped": 2,
    "scorer starting at its committed offset": 7,
    "no waiting for the bet writer": 0,
    "no waiting for the event writer": 4,
    "waiting only for a records predecessors": 0,
    "judging a bet by the events state now": 0,
    "refused update answered 200": 11,
    "refused hand over answered 200": 22,
    "unchanged update answered as a new version": 79,
    "retry turned away before the first is judged": 26,
    "mark not looked at when a bet is deleted": 33,
    "mark not looked at when an event is deleted": 49,
    "key without the event in it": 24,
    "events lock left out at a delete": 74,
    "deletions ignored": 0,
    "refusals forgotten": 332,
    "log identity ignored": 48,
    "records of an earlier log applied late": 3657,
    "outcomes lost with an earlier log": 399,
    "lost tail not noticed": 7,
    "log not compared with the consumer before": 83,
    "log end not compared with the consumer before": 83,
}
"""The first seed that finds each of them, as `python -m tests.simulation --mutants
--seeds 4000` tells."""
