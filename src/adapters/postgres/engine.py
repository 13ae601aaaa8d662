"""How Touchline connects to PostgreSQL: short timeouts, and no dead connection out of the pool."""

import select
from typing import Any

import psycopg2
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import NullPool

CONNECT_TIMEOUT_SECONDS = 2
"""The least that libpq takes."""

POOL_TIMEOUT_SECONDS = 2

STATEMENT_TIMEOUT_SECONDS = 60
"""Generous: ends only what nobody waits for any more."""

IDLE_IN_TRANSACTION_SECONDS = 30
"""A process that was stopped in the midst of a transaction must not hold its locks for ever."""

_SESSION = {
    "timezone": "UTC",
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
    # Plans are for SSDs and caches, and for statements that take milliseconds.
    "random_page_cost": "1.1",
    "jit": "off",
}

# A host that vanished is noticed in two to three seconds, also by who only waits for an answer.
_TCP = {
    "keepalives": 1,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 2000,
}


def pooled_engine(url: str, *, pool_size: int, application_name: str) -> Engine:
    """An engine whose connections were not closed by PostgreSQL when they leave the pool."""
    engine = create_engine(
        _with_our_driver(url),
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args=_connect_args(url, application_name),
    )
    event.listen(engine, "checkout", _refuse_dead_connection)
    return engine


def unpooled_engine(url: str, *, application_name: str) -> Engine:
    """An engine for connections that one part keeps for itself, in autocommit mode."""
    return create_engine(
        _with_our_driver(url),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=_connect_args(url, application_name),
    )


def _with_our_driver(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+psycopg2")


def _connect_args(url: str, application_name: str) -> dict[str, object]:
    theirs = make_url(url).query.get("options", "")
    ours = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    return {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": application_name,
        # Not what the database, a service file or PGCLIENTENCODING says: texts hold any character.
        "client_encoding": "utf8",
        "options": f"{ours} {theirs if isinstance(theirs, str) else ' '.join(theirs)}",
        **_TCP,
    }


def _refuse_dead_connection(connection: Any, record: object, proxy: object) -> None:
    """An idle connection has nothing to say, unless it has ended. Looking costs no round trip."""
    try:
        readiness = select.poll()
        readiness.register(connection.fileno(), select.POLLIN)
        has_ended = bool(readiness.poll(0))
    except psycopg2.InterfaceError as closed:
        raise DisconnectionError from closed
    if has_ended:
        raise DisconnectionError
