"""Questions about all rows at once, for `touchline verify`: each is answered set-based."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from uuid import UUID

from adapters.postgres import audit_statements as statements
from adapters.postgres.arrays import uuids, words
from adapters.postgres.session import Parameters, Row, Session
from domain.bets import BetState, Market
from domain.events import EventState
from domain.log import EVENTS_TAXONOMY, LogPartition, LogPosition
from domain.messages import MESSAGE_TYPES, BetPlaced
from domain.records import (
    BetGroup,
    BetKind,
    Book,
    Cause,
    ConsumerName,
    Correction,
    EventVersion,
    Faults,
    PlacedBet,
    RefusalReason,
)
from domain.score import Score

PAGE = 5000
"""Rows of a stream that are fetched at once."""


class PostgresAudit:
    """An Audit."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def bets_by_state(self) -> Mapping[BetState, int]:
        rows = self._session.query("SELECT state, count(*) FROM bets GROUP BY state")
        return {BetState(state): count for state, count in rows}

    def groups(self, which: Callable[[BetKind], bool]) -> Sequence[tuple[BetGroup, BetKind]]:
        kind_of = cache(_kind)
        # Mostly there are none, and kinds are few.
        if not any(which(kind_of(row)) for row in self._session.query(statements.KINDS)):
            return []
        # Events and bets may have moved since then, and kinds with them: so all groups are asked
        # about anew, as this statement sees them.
        found = []
        for event_id, version, bets, *row in self._stream("groups", statements.GROUPS):
            kind = kind_of(tuple(row))
            if which(kind):
                group = BetGroup(event_id, kind.market, kind.state, version, bets)
                found.append((group, kind))
        return sorted(found, key=itemgetter(0))

    def correct(self, corrections: Sequence[Correction], *, most: int) -> Sequence[int]:
        wrong = [each.wrong for each in corrections]
        rows = self._session.query(
            statements.CORRECT,
            {
                "event_ids": uuids(group.event_id for group in wrong),
                "markets": words(group.market for group in wrong),
                "wrong_states": words(group.state for group in wrong),
                "wrong_versions": words(group.event_version for group in wrong),
                "states": words(each.state for each in corrections),
                "versions": words(each.event_version for each in corrections),
                "most": most,
            },
        )
        counts: dict[int, int] = dict(rows)
        return [counts.get(number, 0) for number in range(1, len(corrections) + 1)]

    def bets_in(self, group: BetGroup, *, most: int) -> Sequence[UUID]:
        parameters = group._asdict() | {"event_id": str(group.event_id), "most": most}
        return [bet_id for (bet_id,) in self._session.query(statements.IN_GROUP, parameters)]

    def late_bets(self, *, most: int) -> Faults:
        reasons = {
            "placed": MESSAGE_TYPES[BetPlaced],
            "standing": RefusalReason.IDEMPOTENCY_KEY_REUSED,
        }
        return self._faults(statements.LATE, {"most": most, **reasons})

    def version_faults(self, *, most: int) -> Faults:
        return self._faults(statements.VERSION_FAULTS, {"most": most})

    def books(self) -> Sequence[Book]:
        rows = self._session.query(
            statements.BOOKS,
            {
                "event_writer": ConsumerName.EVENT_WRITER,
                "bet_writer": ConsumerName.BET_WRITER,
                "taxonomy": EVENTS_TAXONOMY,
            },
        )
        return sorted(Book(LogPartition(*row[:3]), *row[3:]) for row in rows)

    def placed_in(self, source: LogPartition, *, below: int) -> Iterator[PlacedBet]:
        for offset, bet_id, event_id, market, user_id, date_created in self._stream(
            "placed", statements.PLACED_IN, _part(source, below)
        ):
            yield PlacedBet(offset, bet_id, event_id, Market(market), user_id, date_created)

    def made_in(self, source: LogPartition, *, below: int) -> Iterator[EventVersion]:
        for event_id, version, state, score, at, message_id, offset in self._stream(
            "made", statements.MADE_IN, _part(source, below)
        ):
            yield EventVersion(
                event_id=event_id,
                version=version,
                state=EventState(state),
                score=Score.parse(score),
                at=at,
                position=LogPosition(source.log_id, source.partition, offset),
                message_id=message_id,
            )

    def _faults(self, statement: str, parameters: Parameters) -> Faults:
        rows = self._session.query(statement, parameters)
        return Faults(rows[0][1] if rows else 0, [row[0] for row in rows])

    def _stream(
        self, cursor: str, statement: str, parameters: Parameters | None = None
    ) -> Iterator[Row]:
        self._session.execute(statement, parameters)
        while rows := self._session.query(f"FETCH {PAGE} FROM {cursor}"):
            yield from rows
        self._session.execute(f"CLOSE {cursor}")


def _part(source: LogPartition, below: int) -> Parameters:
    return {"log_id": str(source.log_id), "partition": source.partition, "below": below}


def _kind(row: Row) -> BetKind:
    market, state, own_state, own_score, now_state, now_score, is_ahead = row
    return BetKind(
        market=Market(market),
        state=BetState(state),
        own=None if own_state is None else _cause(own_state, own_score),
        now=_cause(now_state, now_score),
        is_ahead=is_ahead,
    )


def _cause(state: str, score: str) -> Cause:
    return Cause(EventState(state), Score.parse(score))
