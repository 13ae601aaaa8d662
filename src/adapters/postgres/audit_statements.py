# ruff: noqa: S608 - what is put into the statements are this file's own constants
"""The statements behind `PostgresAudit`: each asks of all rows at once, in one snapshot."""

# Whoever asks of all rows waits for the answer. It holds to the end of the transaction.
PATIENTLY = "SET LOCAL statement_timeout = '15min';"

# Counted first: the join then meets groups, not bets.
GROUPS_OF_BETS = """
WITH groups (event_id, market, state, event_version, bets) AS (
    SELECT event_id, market, state, event_version, count(*) FROM bets GROUP BY 1, 2, 3, 4
)
"""

KIND = """
    groups.market, groups.state, own.state, own.score, events.state, events.score,
    groups.event_version > events.version
FROM groups JOIN events ON events.id = groups.event_id
    LEFT JOIN event_versions AS own
        ON own.event_id = groups.event_id AND own.version = groups.event_version
"""

KINDS = f"{PATIENTLY}{GROUPS_OF_BETS}SELECT DISTINCT {KIND}"

# It is read to its end.
GROUPS = f"""{PATIENTLY}
SET LOCAL cursor_tuple_fraction = 1;
DECLARE groups NO SCROLL CURSOR FOR {GROUPS_OF_BETS}
SELECT groups.event_id, groups.event_version, groups.bets, {KIND}
"""

# Locked in the order in which the Bet Writer locks.
CORRECT = f"""{PATIENTLY}
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

IN_GROUP = """
SELECT id FROM bets
WHERE event_id = %(event_id)s::uuid AND market = %(market)s AND state = %(state)s
    AND event_version = %(event_version)s
ORDER BY id LIMIT %(most)s
"""

LATE = f"""{PATIENTLY}
WITH kick_offs AS (
    SELECT DISTINCT ON (event_id) event_id, generation, "offset"
    FROM event_versions JOIN logs USING (log_id)
    WHERE state <> 'created' ORDER BY event_id, version
), creations AS (
    SELECT event_id, generation, "offset" FROM event_versions JOIN logs USING (log_id)
    WHERE version = 1
), late AS (
    SELECT bets.id
    FROM bets JOIN logs AS place USING (log_id)
        LEFT JOIN creations AS creation USING (event_id)
        LEFT JOIN kick_offs AS kick_off USING (event_id)
    WHERE creation.event_id IS NULL
        OR (creation.generation, creation."offset") >= (place.generation, bets."offset")
        OR (kick_off.generation, kick_off."offset") <= (place.generation, bets."offset")
    UNION SELECT id FROM bets JOIN deletions USING (id)
    UNION SELECT bets.id FROM bets JOIN refusals ON refusals.subject = bets.id
        AND refusals.type = %(placed)s AND refusals.reason <> %(standing)s
)
SELECT id, count(*) OVER () FROM late ORDER BY id LIMIT %(most)s
"""

VERSION_FAULTS = f"""{PATIENTLY}
WITH told AS (
    SELECT event_id, version,
        (generation, "offset") <= lag((generation, "offset"))
            OVER (PARTITION BY event_id ORDER BY version) AS is_early
    FROM event_versions JOIN logs USING (log_id)
), stories AS (
    SELECT event_id, count(*) AS versions, min(version) AS first, max(version) AS last,
        coalesce(bool_or(is_early), false) AS is_disordered
    FROM told GROUP BY event_id
), faults AS (
    SELECT coalesce(events.id, stories.event_id) AS event_id
    FROM events FULL JOIN stories ON stories.event_id = events.id
        LEFT JOIN event_versions AS newest
            ON newest.event_id = events.id AND newest.version = events.version
    WHERE (stories.first, stories.last, stories.versions)
            IS DISTINCT FROM (1, events.version, events.version::bigint)
        OR (newest.state, newest.score) IS DISTINCT FROM (events.state, events.score)
        OR stories.is_disordered
    UNION SELECT id FROM events JOIN deletions USING (id)
)
SELECT event_id, count(*) OVER () FROM faults ORDER BY 1 LIMIT %(most)s
"""

BOOKS = f"""{PATIENTLY}
WITH read AS (
    SELECT log_id, topic, partition, sum(refused)::bigint AS refused,
        max(dead_lettered) AS dead_lettered, max(next_offset) AS verdicts_until,
        max(next_offset) FILTER (WHERE consumer = %(event_writer)s) AS versions_until,
        max(next_offset) FILTER (WHERE consumer = %(bet_writer)s) AS bets_until
    FROM positions GROUP BY 1, 2, 3
), refused AS (
    SELECT log_id, topic, partition, count(*) AS refusals, max("offset") AS last_refusal
    FROM refusals GROUP BY 1, 2, 3
), unread AS (
    SELECT log_id, topic, partition, count(*) AS letters, max("offset") AS last_letter
    FROM dead_letters GROUP BY 1, 2, 3
), versions AS (
    SELECT log_id, %(taxonomy)s::text AS topic, partition, max("offset") AS last_version
    FROM event_versions GROUP BY 1, 2, 3
), placed AS (
    SELECT log_id, %(taxonomy)s::text AS topic, partition, max("offset") AS last_bet
    FROM bets GROUP BY 1, 2, 3
)
SELECT topic, partition, log_id, coalesce(refusals, 0), coalesce(refused, 0),
    coalesce(letters, 0), coalesce(dead_lettered, 0), coalesce(last_version, -1),
    coalesce(versions_until, 0), coalesce(last_bet, -1), coalesce(bets_until, 0),
    coalesce(greatest(last_refusal, last_letter), -1), coalesce(verdicts_until, 0)
FROM read FULL JOIN refused USING (log_id, topic, partition)
    FULL JOIN unread USING (log_id, topic, partition)
    FULL JOIN versions USING (log_id, topic, partition)
    FULL JOIN placed USING (log_id, topic, partition)
"""

PLACED_IN = f"""{PATIENTLY}
DECLARE placed NO SCROLL CURSOR FOR
SELECT "offset", id, event_id, market, user_id, date_created FROM bets
WHERE log_id = %(log_id)s AND partition = %(partition)s AND "offset" < %(below)s
ORDER BY "offset", id
"""

MADE_IN = f"""{PATIENTLY}
DECLARE made NO SCROLL CURSOR FOR
SELECT event_id, version, state, score, at, message_id, "offset" FROM event_versions
WHERE log_id = %(log_id)s AND partition = %(partition)s AND "offset" < %(below)s
ORDER BY "offset"
"""
