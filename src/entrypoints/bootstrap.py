"""The composition root: the only place that knows all parts and wires them, by plain calls.

Heavy parts are imported where they are wired, so that each process loads only what it runs.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from adapters.cloudevents import CloudEventsCodec
from adapters.postgres.database import PostgresDatabase
from domain.bet_scorer import BetScorer
from domain.bet_writer import BetWriter
from domain.consumer import Consumer
from domain.errors import Misconfigured
from domain.event_writer import EventWriter
from domain.log import PARTITIONS, TOPICS
from domain.ports import Codec, Listener, MessageBus
from domain.records import ConsumerName
from entrypoints.health import STUCK_SECONDS, Dependencies, Liveness
from entrypoints.runner import ConsumerRunner
from entrypoints.settings import PREFIX, Settings

if TYPE_CHECKING:
    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry

    from adapters.http.app import Protection
    from adapters.http.connections import Connection
    from adapters.http.feed import Feed
    from adapters.http.tokens import JsonWebTokens
    from adapters.kafka.settings import KafkaSettings
    from adapters.telemetry.measures import Measures
    from adapters.telemetry.verification import VerificationMetrics

HANDLERS: dict[ConsumerName, type[EventWriter | BetWriter | BetScorer]] = {
    ConsumerName.EVENT_WRITER: EventWriter,
    ConsumerName.BET_WRITER: BetWriter,
    ConsumerName.BET_SCORER: BetScorer,
}
CONSUMER_CONNECTIONS = 4
BETS_API = "bets-api"


@contextmanager
def database_url(settings: Settings, *, is_there: bool = False) -> Iterator[str]:
    """The configured database's URL; the embedded one is started, and stopped by its last user.
    Misconfigured where it should be there already, and isn't."""
    if settings.database_url:
        yield settings.database_url
        return
    from adapters.postgres.embedded import EmbeddedPostgres

    embedded = EmbeddedPostgres(settings.data)
    if is_there and not embedded.exists:
        raise Misconfigured(
            f"there is no database in {settings.data.resolve()} (`touchline up` makes one), and"
            f" {PREFIX}DATABASE_URL names no other"
        )
    try:
        yield embedded.start()
    finally:
        embedded.stop()


def open_database(url: str, *, connections: int, name: str) -> PostgresDatabase:
    return PostgresDatabase(url, pool_size=connections, application_name=f"touchline {name}")


@contextmanager
def database(url: str, *, name: str) -> Iterator[PostgresDatabase]:
    """The database, for one command."""
    opened = open_database(url, connections=2, name=name)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def connected(
    settings: Settings, url: str, *, name: str
) -> Iterator[tuple[PostgresDatabase, MessageBus]]:
    """The database and the bus, for one command."""
    with database(url, name=name) as opened:
        bus = open_bus(settings, opened)
        try:
            yield opened, bus
        finally:
            bus.close()


def codec() -> Codec:
    return CloudEventsCodec()


def open_bus(settings: Settings, database: PostgresDatabase) -> MessageBus:
    """The configured bus; on PostgreSQL it lives in the same database."""
    if settings.bus == "kafka":
        from adapters.kafka.bus import KafkaBus

        return KafkaBus(kafka_settings(settings))
    from adapters.postgres.log_bus import PostgresLogBus

    return PostgresLogBus(database.engine)


def kafka_settings(settings: Settings) -> "KafkaSettings":
    from adapters.kafka.security import KafkaSecurity
    from adapters.kafka.settings import KafkaSettings

    security = KafkaSecurity(
        protocol=settings.kafka_security_protocol,
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_sasl_username,
        password=settings.kafka_sasl_password.get_secret_value(),
        ca_file=settings.kafka_ssl_ca_file,
        cert_file=settings.kafka_ssl_cert_file,
        key_file=settings.kafka_ssl_key_file,
    )
    return KafkaSettings(bootstrap_servers=settings.kafka_bootstrap_servers, security=security)


def migrate(url: str) -> bool:
    """Bring the schema to head; tell whether there was anything to do."""
    from adapters.postgres.migrate import migrate as to_head

    with database(url, name="migrate") as opened:
        return to_head(opened.engine)


def create_topics(settings: Settings, url: str) -> Mapping[str, bool]:
    """Make the topics; tell for each whether it was new. Misconfigured when one is otherwise. On
    Kafka no database is needed, whatever its `url`."""
    if settings.bus == "kafka":
        from adapters.kafka.topics import create_topics as on_kafka

        return on_kafka(
            kafka_settings(settings),
            TOPICS,
            partitions=PARTITIONS,
            replication_factor=settings.kafka_replication_factor,
            min_insync_replicas=settings.kafka_min_insync_replicas,
        )
    from adapters.postgres.log_schema import create_log_topics

    with database(url, name="topics") as opened, opened.engine.begin() as connection:
        return create_log_topics(connection, TOPICS, PARTITIONS)


def new_id() -> UUID:
    """A time-ordered id, version 7."""
    from uuid_utils.compat import uuid7

    return uuid7()


def new_measures() -> "Measures":
    """What the consumers of one process are measured by."""
    from adapters.telemetry.measures import Measures

    return Measures()


def consumer_runner(
    name: ConsumerName,
    settings: Settings,
    url: str,
    stop: threading.Event,
    *,
    measures: "Measures | None" = None,
) -> ConsumerRunner:
    """One member of a consumer group, ready to run in a thread or process of its own. Without
    `measures` nothing is measured: nobody could see it."""
    from adapters.telemetry.goals import LastBets
    from adapters.telemetry.observation import Observation

    opened = open_database(url, connections=CONSUMER_CONNECTIONS, name=name)
    bus = open_bus(settings, opened)

    last_bets = None
    if name is ConsumerName.BET_SCORER and measures is not None:
        last_bets = LastBets(
            opened, measures, now=lambda: datetime.now(UTC), monotonic=time.monotonic
        )
    observation = Observation(name, measures=measures, last_bets=last_bets)

    def make() -> Consumer:
        opened.check()
        return Consumer(
            HANDLERS[name](),
            bus=bus,
            codec=codec(),
            database=opened,
            monotonic=time.monotonic,
            observer=observation,
        )

    def close() -> None:
        if last_bets is not None:
            last_bets.close()
        bus.close()
        opened.close()

    def listen() -> Listener:
        behind = HANDLERS[name].behind
        return opened.listen([] if behind is None else [behind])

    return ConsumerRunner(name, make=make, listen=listen, stop=stop, close=close)


def consumer_health(
    runner: ConsumerRunner,
    settings: Settings,
    url: str,
    *,
    measures: "Measures | None" = None,
    stuck_seconds: float = STUCK_SECONDS,
) -> "FastAPI":
    """`/livez`, `/readyz` and `/metrics` of a consumer process."""
    from prometheus_client import CollectorRegistry

    from adapters.http.app import health_app
    from adapters.http.metrics import ConsumerMetrics

    # `/readyz` and `/livez` ask at once.
    opened = open_database(url, connections=2, name="health")
    bus = open_bus(settings, opened)
    registry = CollectorRegistry()
    registry.register(ConsumerMetrics([runner]))
    if measures is not None:
        registry.register(measures)
    dependencies = Dependencies(opened, bus)
    alive = Liveness([runner], opened, bus, stuck_seconds=stuck_seconds)

    def health() -> dict[str, str]:
        stuck = alive().get(runner.name)
        return dependencies() | runner.health() | ({"consumer": stuck} if stuck else {})

    return health_app(f"Touchline {runner.name}", health=health, registry=registry, alive=alive)


def verification_health(settings: Settings, url: str) -> "tuple[FastAPI, VerificationMetrics]":
    """The same of a process that verifies again and again, and where it notes what it finds."""
    from prometheus_client import CollectorRegistry

    from adapters.http.app import health_app
    from adapters.telemetry.verification import VerificationMetrics

    opened = open_database(url, connections=1, name="health")
    registry = CollectorRegistry()
    metrics = VerificationMetrics(registry)
    dependencies = Dependencies(opened, open_bus(settings, opened))
    return health_app("Touchline verify", health=dependencies, registry=registry), metrics


def events_api(
    settings: Settings,
    url: str,
    *,
    beside: Sequence[ConsumerRunner] = (),
    measures: "Measures | None" = None,
) -> "FastAPI":
    from adapters.http.events_api import create_events_api

    return _api(create_events_api, "events-api", settings, url, beside=beside, measures=measures)


def bets_api(
    settings: Settings,
    url: str,
    *,
    beside: Sequence[ConsumerRunner] = (),
    measures: "Measures | None" = None,
) -> "FastAPI":
    from adapters.http.bets_api import create_bets_api

    return _api(create_bets_api, BETS_API, settings, url, beside=beside, measures=measures)


def _api(
    create: Callable[..., "FastAPI"],
    name: str,
    settings: Settings,
    url: str,
    *,
    beside: Sequence[ConsumerRunner],
    measures: "Measures | None",
) -> "FastAPI":
    """One server; its metrics and `/livez` tell of the consumers beside it in this process, too."""
    from adapters.http.desk import THREADS, Desk
    from adapters.http.feed import Feed

    # Some more connections, shared by what asks beside them and is quick: the desk's questions and
    # verdicts, the feed's look and its check, health and metrics.
    opened = open_database(url, connections=THREADS + 4, name=name)
    bus = open_bus(settings, opened)
    desk = Desk(
        database=opened,
        bus=bus,
        codec=codec(),
        answer_wait=settings.answer_wait_ms / 1000,
        new_id=new_id,
        now=lambda: datetime.now(UTC),
    )
    feed = Feed(opened)
    registry = _api_registry(feed, opened if name == BETS_API else None, beside, measures)
    return create(
        desk,
        feed,
        health=Dependencies(opened, bus),
        registry=registry,
        protection=protection(settings),
        alive=Liveness(beside, opened, bus),
    )


def _api_registry(
    feed: "Feed",
    bets: PostgresDatabase | None,
    beside: Sequence[ConsumerRunner],
    measures: "Measures | None",
) -> "CollectorRegistry":
    """What one server is measured by, beside its requests."""
    from prometheus_client import CollectorRegistry, Gauge

    from adapters.http.bets_by_state import BetsByState
    from adapters.http.metrics import ConsumerMetrics

    registry = CollectorRegistry()
    streams = Gauge("touchline_open_streams", "Streams that are open now.", registry=registry)
    streams.set_function(lambda: feed.open_streams)
    if bets is not None:
        registry.register(BetsByState(bets))
    if beside:
        registry.register(ConsumerMetrics(beside))
    if measures is not None:
        registry.register(measures)
    return registry


def http_connection() -> "type[Connection]":
    """What the servers make of each connection."""
    from adapters.http.connections import Connection

    return Connection


def protection(settings: Settings) -> "Protection":
    """What the servers are kept from."""
    from adapters.http.app import Protection

    return Protection(
        tokens=tokens(settings) if settings.auth == "jwt" else None,
        rate_limit=settings.rate_limit,
        request_seconds=(settings.answer_wait_ms + settings.request_limit_ms) / 1000,
        origins=settings.cors_origins.split(",") if settings.cors_origins else (),
    )


def sign_token(
    settings: Settings,
    subject: str,
    *,
    role: str,
    now: datetime,
    lifetime: timedelta,
    private_key: Path | None = None,
) -> str:
    """A token, signed with the secret or the private key of the public one. Raises InvalidValue for
    a subject that can't be a user, Misconfigured without a key."""
    from adapters.http.access import Role

    secret = settings.auth_secret.get_secret_value().encode()
    if private_key is not None:
        signer = _tokens(settings, _pem(private_key), "RS256")
    elif secret:
        signer = _tokens(settings, secret, "HS256")
    else:
        raise Misconfigured(f"what signs it must be in {PREFIX}AUTH_SECRET, or in a file of --key")
    return signer.sign(subject, Role(role), now=now, lifetime=lifetime)


def tokens(settings: Settings) -> "JsonWebTokens":
    """What reads tokens. Raises Misconfigured for a key that is none."""
    if settings.auth_public_key_file is not None:
        return _tokens(settings, _pem(settings.auth_public_key_file), "RS256")
    return _tokens(settings, settings.auth_secret.get_secret_value().encode(), "HS256")


def _tokens(settings: Settings, key: bytes, algorithm: str) -> "JsonWebTokens":
    from adapters.http.tokens import JsonWebTokens

    return JsonWebTokens(
        key=key,
        algorithm=algorithm,
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
    )


def _pem(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{path} can't be read: {error.strerror}") from error
