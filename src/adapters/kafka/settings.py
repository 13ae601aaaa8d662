"""How patient the bus is, and what every Kafka client of it is told."""

import re
from dataclasses import dataclass, field
from typing import Any

from adapters.kafka.connections import DIRECT
from adapters.kafka.security import KafkaSecurity
from domain.errors import Misconfigured

ADDRESSES = re.compile(r"[^\s,]+:[0-9]+(,[^\s,]+:[0-9]+)*")

METADATA_SECONDS = 5
"""How old a client's picture of the cluster may get: a recreated topic is noticed by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Where the cluster is, and how long to wait for it."""

    bootstrap_servers: str
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    give_up_seconds: float = 2.5
    """A record that is not acknowledged by then is given up."""
    answer_seconds: float = 2.0
    """How long one question to the cluster may take."""
    session_seconds: float = 10.0
    """A member that has not been heard of for so long is taken for dead."""
    work_seconds: float = 60.0
    """A member that has not polled for so long gives its partitions up."""

    def __post_init__(self) -> None:
        if not ADDRESSES.fullmatch(self.bootstrap_servers):
            raise Misconfigured(
                f"Kafka's address must be host:port, or several separated by commas, "
                f"not {self.bootstrap_servers!r}"
            )

    def client_config(self) -> dict[str, Any]:
        """kafka-python's settings that all clients share. Raises Misconfigured."""
        return self.security.client_config() | {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": "touchline",
            "metadata_max_age_ms": METADATA_SECONDS * 1000,
            "proxy_url": f"{DIRECT}://",
            "reconnect_backoff_ms": 50,
            "reconnect_backoff_max_ms": 500,
        }
