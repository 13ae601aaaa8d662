# ruff: noqa: S608 - what is put into the statements are this file's own constants
"""Questions about all rows at once, for `touchline verify`: each is one query."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from adapters.postgres.arrays import uuids, words
from adapters.postgres.session import Session
from domain.bets import BetState, Market
from domain.events import EventState
from domain.records import BetGroup, BetKind, Cause, Correction
from domain.score import Score

_GROUPS = """
SELECT event_id, market, state, event_version, count(*) FROM bets GROUP BY 1, 2, 3, 4
"""

# Counted first: the join then meets groups, not bets.
_JUDGED = f"""
WITH groups (event_id, market, state, event_version, bets) AS ({_GROUPS}), judged AS (
    SELECT groups.*, own.state AS own_state, own.score AS own_score,
        events.state AS now_state, events.score AS now_score,
        groups.event_version > events.version AS is_ahead
    FROM groups JOIN events ON events.id = groups.event_id
        LEFT JOIN event_versions AS own
            ON own.event_id = groups.event_id AND own.version = groups.event_version
)
"""

_KINDS = f"""{_JUDGED}
SELECT market, state, own_state, own_score, now_state, now_score, is_ahead, sum(bets)::bigint
FROM judged GROUP BY 1, 2, 3, 4, 5, 6, 7
"""

_OF_KINDS = f"""{_JUDGED}
SELECT event_id, market, state, event_version, bets FROM judged
WHERE EXISTS (
    SELECT FROM unnest(
        %(markets)s::market[], %(states)s::bet_state[], %(own_states)s::event_state[],
        %(own_scores)s::text[], %(now_states)s::event_state[], %(now_scores)s::text[],
        %(ahead)s::bool[]
    ) AS wanted
    WHERE wanted IS NOT DISTINCT FROM
        (market, state, own_state, own_score, now_state, now_score, is_ahead)
)
"""

# Locked in the order in which the Bet Writer locks.
_CORRECT = """
WITH wanted AS (
    SELECT * FROM unnest(
        %(event_ids)s::uuid[], %(markets)s::market[], %(wrong_states)s::bet_state[],
        %(wrong_versions)s::int[], %(states)s::bet_state[], %(versions)s::int[]
    ) WITH ORDINALITY
        AS wanted (event_id, market, wrong_state, wrong_version, state, event_version, number)
), held AS MATERIALIZED (
    SELECT bets.id, wanted.state, wanted.event_version, wanted.number
    FROM bets JOIN wanted ON bets.event_id = wanted.event_id AND bets.market = wanted.market
        AND bets.state = wanted.wrong_state AND bets.event_version = wanted.wrong_version
    ORDER BY bets.event_id, bets.market::text, bets.id LIMIT %(most)s
    FOR NO KEY UPDATE OF bets
), changed AS (
    UPDATE bets SET state = held.state, event_version = held.event_version
    FROM held WHERE bets.id = held.id RETURNING held.number
)
SELECT number, count(*) FROM changed GROUP BY number
"""

_IN_GROUP = """
SELECT id FROM bets
WHERE event_id = %(event_id)s::uuid AND market = %(market)s AND state = %(state)s
    AND event_version = %(event_version)s
ORDER BY id LIMIT %(most)s
"""

_LATE = """
WITH kick_offs AS (
    SELECT DISTINCT ON (event_id) event_id, generation, "offset"
    FROM event_versions JOIN logs USING (log_id)
    WHERE state <> 'created' ORDER BY event_id, version
), creations AS (
    SELECT event_id, generation, "offset" FROM event_versions JOIN logs USING (log_id)
    WHERE version = 1
)
SELECT bets.id
FROM bets JOIN logs AS place USING (log_id)
    LEFT JOIN creations AS creation USING (event_id)
    LEFT JOIN kick_offs AS kick_off USING (event_id)
WHERE creation.event_id IS NULL
    OR (creation.generation, creation."offset") >= (place.generation, bets."offset")
    OR (kick_off.generation, kick_off."offset") <= (place.generation, bets."offset")
    OR EXISTS (SELECT FROM deletions WHERE deletions.id = bets.id)
ORDER BY bets.id
"""

_VERSION_FAULTS = """
WITH stories AS (
    SELECT event_id, count(*) AS versions, min(version) AS first, max(version) AS last
    FROM event_versions GROUP BY event_id
)
SELECT coalesce(events.id, stories.event_id) AS event_id
FROM events FULL JOIN stories ON stories.event_id = events.id
    LEFT JOIN event_versions AS newest
        ON newest.event_id = events.id AND newest.version = events.version
WHERE (stories.first, stories.last, stories.versions)
        IS DISTINCT FROM (1, events.version, events.version::bigint)
    OR (newest.state, newest.score) IS DISTINCT FROM (events.state, events.score)
ORDER BY 1
"""


class PostgresAudit:
    """An Audit."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def bet_groups(self) -> Sequence[BetGroup]:
        return [
            BetGroup(event_id, Market(market), BetState(state), event_version, bets)
            for event_id, market, state, event_version, bets in self._session.query(_GROUPS)
        ]

    def bet_kinds(self) -> Mapping[BetKind, int]:
        return {
            BetKind(
                market=Market(market),
                state=BetState(state),
                own=None if own_state is None else _cause(own_state, own_score),
                now=_cause(now_state, now_score),
                is_ahead=is_ahead,
            ): bets
            for market, state, own_state, own_score, now_state, now_score, is_ahead, bets in (
                self._session.query(_KINDS)
            )
        }

    def groups_of(self, kinds: Collection[BetKind]) -> Sequence[BetGroup]:
        rows = self._session.query(
            _OF_KINDS,
            {
                "markets": words(kind.market for kind in kinds),
                "states": words(kind.state for kind in kinds),
                "own_states": words("NULL" if k.own is None else k.own.state for k in kinds),
                "own_scores": words("NULL" if k.own is None else k.own.score for k in kinds),
                "now_states": words(kind.now.state for kind in kinds),
                "now_scores": words(kind.now.score for kind in kinds),
                "ahead": words(kind.is_ahead for kind in kinds),
            },
        )
        return sorted(
            BetGroup(event_id, Market(market), BetState(state), event_version, bets)
            for event_id, market, state, event_version, bets in rows
        )

    def correct(self, corrections: Sequence[Correction], *, most: int) -> Sequence[int]:
        wrong = [each.wrong for each in corrections]
        rows = self._session.query(
            _CORRECT,
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
        return [bet_id for (bet_id,) in self._session.query(_IN_GROUP, parameters)]

    def late_bets(self) -> Sequence[UUID]:
        return [bet_id for (bet_id,) in self._session.query(_LATE)]

    def version_faults(self) -> Sequence[UUID]:
        return [event_id for (event_id,) in self._session.query(_VERSION_FAULTS)]


def _cause(state: str, score: str) -> Cause:
    return Cause(EventState(state), Score.parse(score))
