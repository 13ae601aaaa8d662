"""Questions about all rows at once, for `touchline verify`: each is one query."""

from collections.abc import Sequence
from uuid import UUID

from adapters.postgres.session import Session
from domain.bets import BetState, Market
from domain.records import BetGroup

_GROUPS = """
SELECT event_id, market, state, event_version, count(*) FROM bets GROUP BY 1, 2, 3, 4
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

    def bets_in(self, group: BetGroup, *, most: int) -> Sequence[UUID]:
        parameters = group._asdict() | {"event_id": str(group.event_id), "most": most}
        return [bet_id for (bet_id,) in self._session.query(_IN_GROUP, parameters)]

    def late_bets(self) -> Sequence[UUID]:
        return [bet_id for (bet_id,) in self._session.query(_LATE)]

    def version_faults(self) -> Sequence[UUID]:
        return [event_id for (event_id,) in self._session.query(_VERSION_FAULTS)]
