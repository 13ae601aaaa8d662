"""What TLS and SASL need, from files and settings, without a broker."""

import ssl
from pathlib import Path

import pytest

from adapters.kafka.security import KafkaSecurity
from adapters.kafka.settings import KafkaSettings
from domain.errors import Misconfigured
from entrypoints.bootstrap import kafka_settings
from entrypoints.settings import Settings
from tests.kafka.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_who_the_broker_is_is_always_checked(authority: Authority) -> None:
    for ca_file in (None, authority.ca_file):
        config = KafkaSecurity(protocol="SSL", ca_file=ca_file).client_config()
        tls = config["ssl_context"]
        assert tls.verify_mode is ssl.CERT_REQUIRED
        assert tls.check_hostname
        assert tls.minimum_version == ssl.TLSVersion.TLSv1_2


def test_without_tls_no_file_is_read(tmp_path: Path) -> None:
    config = KafkaSecurity(ca_file=tmp_path / "missing").client_config()
    assert config == {"security_protocol": "PLAINTEXT"}


def test_a_file_without_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(Misconfigured, match=f"no certificates in .*{name}"):
            KafkaSecurity(protocol="SSL", ca_file=tmp_path / name).client_config()


def test_a_key_that_is_not_the_certificates(authority: Authority) -> None:
    certificate, _ = authority.sign("one")
    _, key = authority.sign("other")
    with pytest.raises(Misconfigured, match=r"no certificate with its key in .*one\.pem"):
        KafkaSecurity(protocol="SSL", cert_file=certificate, key_file=key).client_config()


def test_an_encrypted_key_asks_nobody_at_a_terminal(authority: Authority) -> None:
    certificate, key = authority.sign("one", password=b"secret")
    with pytest.raises(Misconfigured, match="must not be encrypted"):
        KafkaSecurity(protocol="SSL", cert_file=certificate, key_file=key).client_config()


@pytest.mark.parametrize(
    ("mechanism", "sent"), [("PLAIN", "a=b,c"), ("SCRAM-SHA-256", "a=3Db=2Cc")]
)
def test_scram_quotes_names(mechanism: str, sent: str) -> None:
    security = KafkaSecurity(
        protocol="SASL_PLAINTEXT",
        mechanism=mechanism,  # type: ignore[arg-type]
        username="a=b,c",
        password="secret",
    )
    assert security.client_config()["sasl_plain_username"] == sent
    assert security.client_config()["sasl_plain_password"] == "secret"


def test_every_setting_gets_there(authority: Authority) -> None:
    certificate, key = authority.sign("one")
    settings = Settings.model_validate(
        {
            "kafka_bootstrap_servers": "kafka:9093",
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_sasl_username": "touchline",
            "kafka_sasl_password": "secret",
            "kafka_ssl_ca_file": authority.ca_file,
            "kafka_ssl_cert_file": certificate,
            "kafka_ssl_key_file": key,
        }
    )
    security = KafkaSecurity(
        protocol="SASL_SSL",
        mechanism="PLAIN",
        username="touchline",
        password="secret",
        ca_file=authority.ca_file,
        cert_file=certificate,
        key_file=key,
    )
    found = kafka_settings(settings)
    assert found == KafkaSettings(bootstrap_servers="kafka:9093", security=security)
    assert "secret" not in repr(found)
