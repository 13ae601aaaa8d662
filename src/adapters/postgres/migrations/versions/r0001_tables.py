"""Everything that the first release needs. There is no way down: a backup is."""

from alembic import op

from adapters.postgres.log_schema import create_log_tables

revision = "0001"
down_revision = None

STATEMENTS = (
    "CREATE TYPE market AS ENUM ('team_1', 'draw', 'team_2')",
    "CREATE TYPE bet_state AS ENUM ('none', 'winning', 'losing', 'win', 'lose')",
    "CREATE TYPE event_state AS ENUM ('created', 'active', 'finished')",
    """
    CREATE TABLE logs (
        log_id uuid PRIMARY KEY,
        topic text NOT NULL,
        generation integer NOT NULL UNIQUE
    )
    """,
    """
    CREATE TABLE positions (
        consumer text,
        topic text,
        partition integer,
        log_id uuid,
        next_offset bigint NOT NULL DEFAULT 0,
        last_record_digest bytea,
        caught_up_at timestamptz,
        read bigint NOT NULL DEFAULT 0,
        applied bigint NOT NULL DEFAULT 0,
        unchanged bigint NOT NULL DEFAULT 0,
        duplicate bigint NOT NULL DEFAULT 0,
        refused bigint NOT NULL DEFAULT 0,
        dead_lettered bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (consumer, topic, partition, log_id)
    ) WITH (fillfactor = 20)
    """,
    """
    CREATE TABLE events (
        id uuid PRIMARY KEY,
        created_at timestamptz NOT NULL,
        event_date timestamptz NOT NULL,
        version integer NOT NULL,
        state event_state NOT NULL,
        score text NOT NULL,
        type text NOT NULL,
        team_1 text NOT NULL,
        team_2 text NOT NULL,
        team_1_folded text NOT NULL,
        team_2_folded text NOT NULL,
        origin bytea NOT NULL
    ) WITH (fillfactor = 60)
    """,
    "CREATE INDEX events_by_creation ON events (created_at, id)",
    "CREATE INDEX events_by_team_1 ON events (team_1_folded)",
    "CREATE INDEX events_by_team_2 ON events (team_2_folded)",
    """
    CREATE TABLE event_versions (
        event_id uuid,
        version integer,
        state event_state NOT NULL,
        score text NOT NULL,
        at timestamptz NOT NULL,
        log_id uuid NOT NULL,
        partition integer NOT NULL,
        "offset" bigint NOT NULL,
        message_id uuid NOT NULL,
        PRIMARY KEY (event_id, version),
        UNIQUE (log_id, partition, "offset")
    )
    """,
    # Pages keep room for one more version of most rows, and no index holds the state: a new state
    # is a HOT update.
    """
    CREATE TABLE bets (
        id uuid PRIMARY KEY,
        event_id uuid NOT NULL REFERENCES events,
        date_created timestamptz NOT NULL,
        "offset" bigint NOT NULL,
        log_id uuid NOT NULL,
        partition integer NOT NULL,
        event_version integer NOT NULL,
        market market NOT NULL,
        state bet_state NOT NULL,
        user_id text NOT NULL
    ) WITH (fillfactor = 60)
    """,
    "CREATE INDEX bets_by_market ON bets (event_id, market, id)",
    "CREATE INDEX bets_by_date ON bets (date_created, id)",
    "CREATE INDEX bets_by_event ON bets (event_id, date_created, id)",
    "CREATE INDEX bets_by_user ON bets (user_id, date_created, id)",
    """
    CREATE TABLE refusals (
        log_id uuid,
        topic text,
        partition integer,
        "offset" bigint,
        message_id uuid NOT NULL,
        type text NOT NULL,
        subject uuid NOT NULL,
        reason text NOT NULL,
        PRIMARY KEY (log_id, topic, partition, "offset")
    )
    """,
    "CREATE INDEX refusals_by_subject ON refusals (subject)",
    "CREATE INDEX refusals_by_message ON refusals (message_id)",
    """
    CREATE TABLE deletions (
        id uuid PRIMARY KEY,
        deleted_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE dead_letters (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        log_id uuid NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        "offset" bigint NOT NULL,
        key bytea,
        value bytea,
        headers bytea NOT NULL,
        reason text NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT now(),
        requeued_at timestamptz,
        UNIQUE (log_id, topic, partition, "offset")
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    create_log_tables(op.get_bind())
