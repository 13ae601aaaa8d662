"""What TLS and SASL need: made of files, checked as soon as they are read."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from domain.errors import Misconfigured

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSecurity:
    """How to prove who one is to the brokers, and how they prove who they are."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    """Who signed the brokers' certificates; None is whom the system trusts."""
    cert_file: Path | None = None
    key_file: Path | None = None

    def client_config(self) -> dict[str, Any]:
        """kafka-python's settings. The files are read now. Raises Misconfigured."""
        config: dict[str, Any] = {"security_protocol": self.protocol}
        if self.protocol in {"SSL", "SASL_SSL"}:
            config["ssl_context"] = self._tls()
        if self.protocol.startswith("SASL"):
            config |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self._name(),
                "sasl_plain_password": self.password,
            }
        return config

    def _tls(self) -> ssl.SSLContext:
        """TLS 1.2 or newer, with certificate and host name checked."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is None:
            tls.load_default_certs()
        else:
            try:
                tls.load_verify_locations(self.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise _unusable(f"no certificates in {self.ca_file}", error) from error
        if self.cert_file is not None:
            try:
                tls.load_cert_chain(self.cert_file, self.key_file, password=_no_terminal)
            except (OSError, ssl.SSLError, ValueError) as error:
                files = f"{self.cert_file} and {self.key_file}"
                raise _unusable(f"no certificate with its key in {files}", error) from error
        return tls

    def _name(self) -> str:
        """kafka-python does not quote what SCRAM gives a meaning (RFC 5802, `saslname`)."""
        if self.mechanism == "PLAIN":
            return self.username
        return self.username.replace("=", "=3D").replace(",", "=2C")


def _no_terminal() -> NoReturn:
    """OpenSSL would ask for a passphrase, and wait."""
    raise ValueError("the key must not be encrypted")


def _unusable(what: str, error: Exception) -> Misconfigured:
    return Misconfigured(f"Kafka: {what}: {error}")
