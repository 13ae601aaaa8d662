"""The tables, as the migrations leave them (a test compares the two)."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM

from domain.bets import BetState, Market
from domain.events import EventState

metadata = MetaData()

MOMENT = DateTime(timezone=True)
MARKET = ENUM(*Market, name="market", create_type=False)
BET_STATE = ENUM(*BetState, name="bet_state", create_type=False)
EVENT_STATE = ENUM(*EventState, name="event_state", create_type=False)

logs = Table(
    "logs",
    metadata,
    Column("log_id", Uuid, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("generation", Integer, nullable=False, unique=True),
)

positions = Table(
    "positions",
    metadata,
    Column("consumer", Text),
    Column("topic", Text),
    Column("partition", Integer),
    Column("log_id", Uuid),
    Column("next_offset", BigInteger, nullable=False, server_default=text("0")),
    Column("last_record_digest", LargeBinary),
    Column("caught_up_at", MOMENT),
    *(
        Column(name, BigInteger, nullable=False, server_default=text("0"))
        for name in ("read", "applied", "unchanged", "duplicate", "refused", "dead_lettered")
    ),
    PrimaryKeyConstraint("consumer", "topic", "partition", "log_id"),
)

events = Table(
    "events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("created_at", MOMENT, nullable=False),
    Column("event_date", MOMENT, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", EVENT_STATE, nullable=False),
    Column("score", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("team_1", Text, nullable=False),
    Column("team_2", Text, nullable=False),
    Column("team_1_folded", Text, nullable=False),
    Column("team_2_folded", Text, nullable=False),
    Column("origin", LargeBinary, nullable=False),
    Index("events_by_creation", "created_at", "id"),
    Index("events_by_team_1", "team_1_folded"),
    Index("events_by_team_2", "team_2_folded"),
)

event_versions = Table(
    "event_versions",
    metadata,
    Column("event_id", Uuid),
    Column("version", Integer),
    Column("state", EVENT_STATE, nullable=False),
    Column("score", Text, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("log_id", Uuid, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("message_id", Uuid, nullable=False),
    PrimaryKeyConstraint("event_id", "version"),
    UniqueConstraint("log_id", "partition", "offset"),
)

# No index holds the state, and pages keep room: a new state is a HOT update.
bets = Table(
    "bets",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("event_id", Uuid, ForeignKey("events.id"), nullable=False),
    Column("date_created", MOMENT, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("log_id", Uuid, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("event_version", Integer, nullable=False),
    Column("market", MARKET, nullable=False),
    Column("state", BET_STATE, nullable=False),
    Column("user_id", Text, nullable=False),
    Index("bets_by_market", "event_id", "market", "id"),
    Index("bets_by_date", "date_created", "id"),
    Index("bets_by_event", "event_id", "date_created", "id"),
    Index("bets_by_user", "user_id", "date_created", "id"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("log_id", Uuid),
    Column("topic", Text),
    Column("partition", Integer),
    Column("offset", BigInteger),
    Column("message_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Uuid, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("log_id", "topic", "partition", "offset"),
    Index("refusals_by_subject", "subject"),
    Index("refusals_by_message", "message_id"),
)

deletions = Table(
    "deletions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("deleted_at", MOMENT, nullable=False, server_default=func.now()),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("log_id", Uuid, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("seen_at", MOMENT, nullable=False, server_default=func.now()),
    Column("requeued_at", MOMENT),
    UniqueConstraint("log_id", "topic", "partition", "offset"),
)
