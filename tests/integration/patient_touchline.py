"""`touchline`, which gives nothing up because the machine stands still for a while: not before a
test would. In production a request waits for two or three seconds."""

import os
from typing import Any

from adapters.http import desk
from adapters.kafka.settings import KafkaSettings
from adapters.postgres import engine
from adapters.postgres.log_bus import PostgresLogBus
from entrypoints.settings import PREFIX

SECONDS = 30


def make_patient() -> None:
    """Before anything else of it is imported."""
    os.environ.setdefault(f"{PREFIX}ANSWER_WAIT_MS", str(SECONDS * 1000))
    desk.DATABASE_WAIT = SECONDS
    engine.CONNECT_TIMEOUT_SECONDS = engine.POOL_TIMEOUT_SECONDS = SECONDS
    _by_default(PostgresLogBus.__init__, delivery_timeout=SECONDS)
    _by_default(KafkaSettings.__init__, give_up_seconds=SECONDS)


def _by_default(function: Any, **values: float) -> None:
    defaults = function.__kwdefaults__
    assert values.keys() <= defaults.keys()
    defaults.update(values)


if __name__ == "__main__":
    make_patient()
    from entrypoints.main import main

    main()
