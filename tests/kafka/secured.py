"""A real broker that speaks TLS and SASL, each way at a listener of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from kafka import KafkaAdminClient
from kafka.admin import UserScramCredentialDeletion, UserScramCredentialUpsertion

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

PASSING_USER = "for a while"
"""One that may be removed."""

REAUTHENTICATION_SECONDS = 2
"""How long who came by SCRAM-SHA-512 may stay until the broker asks again."""

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
            listeners=dict(LISTENERS.items()),
            properties=self._properties(),
            scram=[
                f"{mechanism}=[name={user},password={PASSWORD}]"
                for mechanism in SCRAM
                for user in (SCRAM_USER, PASSING_USER)
            ],
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

    def remove(self, user: str) -> None:
        """Let nobody in under this name any more, by SCRAM."""
        with KafkaAdminClient(bootstrap_servers=self.broker.bootstrap) as admin:
            for each in SCRAM:
                told = admin.alter_user_scram_credentials([UserScramCredentialDeletion(user, each)])
                assert told == {user: None}, told

    def let_in(self, user: str) -> None:
        """Undo `remove`."""
        with KafkaAdminClient(bootstrap_servers=self.broker.bootstrap) as admin:
            for each in SCRAM:
                upsertion = UserScramCredentialUpsertion(user, each, PASSWORD)
                assert admin.alter_user_scram_credentials([upsertion]) == {user: None}

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
            # By default it makes who is refused wait: nobody must rely on that.
            "connection.failed.authentication.delay.ms": "0",
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.plain.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.plain.plain.sasl.jaas.config": login,
            "listener.name.scram.sasl.enabled.mechanisms": ",".join(SCRAM),
            "listener.name.scram.scram-sha-512.connections.max.reauth.ms": str(
                REAUTHENTICATION_SECONDS * 1000
            ),
        } | {
            f"listener.name.scram.{each.lower()}.sasl.jaas.config": (
                f"{_MODULE}.scram.ScramLoginModule required;"
            )
            for each in SCRAM
        }
