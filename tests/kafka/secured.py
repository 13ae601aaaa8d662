"""A real broker that speaks TLS and SASL, each way at a listener of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from adapters.kafka.security import KafkaSecurity, Mechanism, Protocol
from adapters.kafka.settings import KafkaSettings
from tests.kafka.broker import KafkaBroker
from tests.kafka.certificates import Authority

Listener = Literal["TLS", "MUTUAL", "SCRAM", "PLAIN"]

LISTENERS: Mapping[Listener, Protocol] = {
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "SCRAM": "SASL_SSL",
    "PLAIN": "SASL_PLAINTEXT",
}
"""MUTUAL wants a certificate of its clients."""

USER = "touchline"
SCRAM_USER = "touch=line"
"""What SCRAM gives a meaning has to be quoted."""

PASSWORD = "kick off at 15:00"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_MODULE = "org.apache.kafka.common.security"


@dataclass
class SecuredKafka:
    """A broker, and how to be let in."""

    folder: Path
    authority: Authority = field(init=False)
    broker: KafkaBroker = field(init=False)

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder / "authority")
        self.broker = KafkaBroker(
            self.folder / "broker",
            listeners={**LISTENERS},
            properties=self._properties(),
            scram=[f"{each}=[name={SCRAM_USER},password={PASSWORD}]" for each in SCRAM],
        )

    def settings(self, listener: Listener, mechanism: Mechanism = "PLAIN") -> KafkaSettings:
        """What lets a client in at this listener."""
        security = KafkaSecurity(
            protocol=LISTENERS[listener],
            mechanism=mechanism,
            username=SCRAM_USER if listener == "SCRAM" else USER,
            password=PASSWORD,
            ca_file=self.authority.ca_file,
        )
        if listener == "MUTUAL":
            certificate, key = self.authority.sign("touchline")
            security = replace(security, cert_file=certificate, key_file=key)
        return KafkaSettings(bootstrap_servers=self.broker.address(listener), security=security)

    def _properties(self) -> dict[str, str]:
        certificate, key = self.authority.sign("broker", host="localhost")
        both = self.folder / "broker-with-key.pem"
        both.write_bytes(key.read_bytes() + certificate.read_bytes())
        login = f'{_MODULE}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.ca_file),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.plain.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.plain.plain.sasl.jaas.config": login,
            "listener.name.scram.sasl.enabled.mechanisms": ",".join(SCRAM),
        } | {
            f"listener.name.scram.{each.lower()}.sasl.jaas.config": (
                f"{_MODULE}.scram.ScramLoginModule required;"
            )
            for each in SCRAM
        }
