"""Settings: read once from the environment and `.env`; every problem is named at the start."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from entrypoints.settings import PREFIX, SECRETS, Settings, WrongSettings, load_settings

TOUCHLINE = Path(sys.executable).with_name("touchline")

WRONG = {
    "DATABASE_URL": "mysql://localhost/touchline",
    "BUS": "rabbit",
    "KAFKA_REPLICATION_FACTOR": "0",
    "KAFKA_MIN_INSYNC_REPLICAS": "0",
    "KAFKA_SECURITY_PROTOCOL": "TLS",
    "KAFKA_SASL_MECHANISM": "GSSAPI",
    "KAFKA_SSL_CA_FILE": "nowhere.pem",
    "KAFKA_SSL_CERT_FILE": "nowhere.pem",
    "ANSWER_WAIT_MS": "soon",
    "REQUEST_LIMIT_MS": "0",
    "AUTH": "basic",
    "AUTH_SECRET": "a secret of 31 bytes, too short",
    "AUTH_PUBLIC_KEY_FILE": "nowhere.pem",
    "ALLOW_UNAUTHENTICATED": "perhaps",
    "RATE_LIMIT": "-1",
    "CORS_ORIGINS": "example.com",
    "LOG_LEVEL": "LOUD",
    "LOG_FORMAT": "xml",
}
"""A wrong value for each setting that can have one."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to start in, and no setting from outside."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> "Given":
    return Given(monkeypatch)


class Given:
    """Sets variables, named without their prefix."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, **values: str) -> None:
        for name, value in values.items():
            self._monkeypatch.setenv(PREFIX + name, value)


def problems() -> list[str]:
    with pytest.raises(WrongSettings) as wrong:
        load_settings()
    return list(wrong.value.args)


def test_the_defaults_run_everything_embedded() -> None:
    settings = load_settings()
    assert settings.model_dump() == {
        "database_url": "",
        "bus": "postgres",
        "kafka_bootstrap_servers": "",
        "kafka_replication_factor": 1,
        "kafka_min_insync_replicas": 1,
        "kafka_security_protocol": "PLAINTEXT",
        "kafka_sasl_mechanism": "SCRAM-SHA-512",
        "kafka_sasl_username": "",
        "kafka_sasl_password": SecretStr(""),
        "kafka_ssl_ca_file": None,
        "kafka_ssl_cert_file": None,
        "kafka_ssl_key_file": None,
        "data": Path(".touchline"),
        "answer_wait_ms": 2000,
        "request_limit_ms": 10_000,
        "auth": "off",
        "auth_secret": SecretStr(""),
        "auth_public_key_file": None,
        "auth_issuer": "touchline",
        "auth_audience": "touchline",
        "token": SecretStr(""),
        "allow_unauthenticated": False,
        "rate_limit": 0,
        "cors_origins": "",
        "log_level": "INFO",
        "log_format": "console",
    }


def test_the_environment_is_read(given: Given) -> None:
    given(
        DATABASE_URL="postgresql+psycopg2://ann:secret@db:5432/touchline",
        BUS="kafka",
        KAFKA_BOOTSTRAP_SERVERS="one:9092,two:9092",
        KAFKA_REPLICATION_FACTOR="3",
        DATA="elsewhere",
        ANSWER_WAIT_MS="0",
        LOG_LEVEL="debug",
        LOG_FORMAT="json",
    )
    assert load_settings() == Settings(
        database_url="postgresql+psycopg2://ann:secret@db:5432/touchline",
        bus="kafka",
        kafka_bootstrap_servers="one:9092,two:9092",
        kafka_replication_factor=3,
        data=Path("elsewhere"),
        answer_wait_ms=0,
        log_level="DEBUG",
        log_format="json",
    )


def test_a_file_is_read_and_the_environment_comes_first(folder: Path, given: Given) -> None:
    (folder / ".env").write_text(
        "TOUCHLINE_ANSWER_WAIT_MS=5\nTOUCHLINE_DATA=of-the-file\nOTHER=1\n"
    )
    given(DATA="of-the-environment")
    settings = load_settings()
    assert (settings.answer_wait_ms, settings.data) == (5, Path("of-the-environment"))


def test_an_empty_folder_is_no_folder(given: Given) -> None:
    """The working directory would be one."""
    given(DATA="")
    assert load_settings().data == Path(".touchline")


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named(given: Given, name: str) -> None:
    given(**{name: WRONG[name]})
    (problem,) = problems()
    assert problem.startswith(f"{PREFIX}{name}: ")
    assert (WRONG[name] in problem) == (name.lower() not in SECRETS)


PASSWORD = "a-password-of-more-than-thirty-two-bytes"


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_comes_from_a_file(folder: Path, given: Given, name: str) -> None:
    secret = PASSWORD if name != "database_url" else f"postgresql://ann:{PASSWORD}@db/touchline"
    (folder / "secret").write_text(secret + "\n")
    given(**{f"{name.upper()}_FILE": "secret"})
    found = getattr(load_settings(), name)
    assert (found if isinstance(found, str) else found.get_secret_value()) == secret
    if name != "database_url":
        assert PASSWORD not in repr(load_settings())


def test_a_file_of_a_secret_may_be_named_in_the_file(folder: Path) -> None:
    (folder / "secret").write_text(PASSWORD)
    (folder / ".env").write_text("TOUCHLINE_AUTH_SECRET_FILE=secret\n")
    assert load_settings().auth_secret.get_secret_value() == PASSWORD


@pytest.mark.parametrize("name", SECRETS)
def test_a_file_of_a_secret_that_is_not_there(given: Given, name: str) -> None:
    given(**{f"{name.upper()}_FILE": "nowhere", "BUS": "rabbit"})
    file, bus = problems()
    assert file.startswith(f"{PREFIX}{name.upper()}_FILE: can't be read: ")
    assert bus.startswith(f"{PREFIX}BUS: ")


def test_a_secret_is_given_once(folder: Path, given: Given) -> None:
    (folder / "secret").write_text(PASSWORD)
    given(AUTH_SECRET=PASSWORD, AUTH_SECRET_FILE="secret")
    (problem,) = problems()
    assert problem.startswith(f"{PREFIX}AUTH_SECRET_FILE: set either")
    assert PASSWORD not in problem


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"AUTH": "jwt"}, "AUTH_PUBLIC_KEY_FILE"),
        ({"AUTH": "jwt", "AUTH_SECRET": PASSWORD, "AUTH_PUBLIC_KEY_FILE": "key"}, None),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_PASSWORD"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "ann"},
            "KAFKA_SASL_PASSWORD",
        ),
        ({"KAFKA_SSL_CERT_FILE": "key"}, "KAFKA_SSL_KEY_FILE"),
        ({"KAFKA_SSL_KEY_FILE": "key"}, "KAFKA_SSL_KEY_FILE"),
        ({"KAFKA_MIN_INSYNC_REPLICAS": "2"}, "KAFKA_MIN_INSYNC_REPLICAS"),
    ],
)
def test_what_belongs_together(
    folder: Path, given: Given, values: dict[str, str], named: str | None
) -> None:
    (folder / "key").write_text("a key")
    given(**values)
    (problem,) = problems()
    assert problem.startswith(f"{PREFIX}{named or 'AUTH_PUBLIC_KEY_FILE'}: ")


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ("https://example.com", True),
        ("https://example.com:8443,http://localhost:3000", True),
        ("https://example.com/", False),
        ("*", False),
        ("https://*.example.com", False),
    ],
)
def test_origins(given: Given, value: str, is_right: bool) -> None:
    given(CORS_ORIGINS=value)
    if is_right:
        assert load_settings().cors_origins == value
    else:
        assert problems()[0].startswith(f"{PREFIX}CORS_ORIGINS: must be scheme://host")


def test_a_password_is_not_shown(given: Given) -> None:
    given(DATABASE_URL="postgres://ann:secret@db/touchline")
    assert "secret" not in "".join(problems())


def test_every_wrong_value_is_named_at_once(given: Given) -> None:
    given(**WRONG)
    assert [problem.partition(":")[0] for problem in problems()] == [PREFIX + n for n in WRONG]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANSWER_WAIT_MS", "-1"),
        ("ANSWER_WAIT_MS", "60001"),
        ("ANSWER_WAIT_MS", "1.5"),
        ("ANSWER_WAIT_MS", ""),
        ("KAFKA_REPLICATION_FACTOR", "101"),
        ("BUS", ""),
        ("DATABASE_URL", "postgres://localhost/touchline"),
        ("DATABASE_URL", "postgresql+asyncpg://localhost/touchline"),
        ("DATABASE_URL", "sqlite:///touchline.db"),
        ("DATABASE_URL", "postgresql://ann:secret@db:none/touchline"),
        ("DATABASE_URL", "no URL"),
    ],
)
def test_other_wrong_values(given: Given, name: str, value: str) -> None:
    given(**{name: value})
    assert len(problems()) == 1


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2"])
def test_the_database_is_postgresql(given: Given, scheme: str) -> None:
    given(DATABASE_URL=f"{scheme}://localhost/touchline")
    assert load_settings().database_url == f"{scheme}://localhost/touchline"


def test_kafka_needs_servers(given: Given) -> None:
    given(BUS="kafka", LOG_LEVEL="LOUD")
    servers, level = problems()
    assert servers.startswith("TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS: must be set")
    assert level.startswith("TOUCHLINE_LOG_LEVEL")


def test_an_unknown_setting_warns(given: Given, capsys: pytest.CaptureFixture[str]) -> None:
    given(BUSS="kafka", data="lower case is known")
    load_settings()
    assert capsys.readouterr().err == "warning: unknown setting TOUCHLINE_BUSS\n"


def test_an_unknown_setting_in_the_file_warns(
    folder: Path, given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given()
    (folder / ".env").write_text("TOUCHLINE_BUSS=kafka\nTOUCHLINE_LOG_LEVEL=DEBUG\nOTHER=1\n")
    assert load_settings().log_level == "DEBUG"
    assert capsys.readouterr().err == "warning: unknown setting TOUCHLINE_BUSS\n"


def test_a_file_that_is_no_text(folder: Path, given: Given) -> None:
    given()
    (folder / ".env").write_bytes(b"TOUCHLINE_LOG_LEVEL=\xff\n")
    with pytest.raises(WrongSettings, match="must be UTF-8"):
        load_settings()


@pytest.mark.parametrize(
    "servers",
    ["kafka", "kafka:", ":9092", "kafka:port", "kafka:0", "kafka:65536", "a:1,", "a:1 b:2"],
)
@pytest.mark.parametrize("bus", ["kafka", "postgres"])
def test_addresses_of_kafka_are_looked_at_at_once(given: Given, servers: str, bus: str) -> None:
    given(BUS=bus, KAFKA_BOOTSTRAP_SERVERS=servers, ANSWER_WAIT_MS="-3")
    named = [line.partition(":")[0] for line in problems()]
    assert named == ["TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS", "TOUCHLINE_ANSWER_WAIT_MS"]


def test_a_process_with_wrong_settings_does_not_start(folder: Path) -> None:
    environment: Mapping[str, str] = os.environ | {PREFIX + n: value for n, value in WRONG.items()}
    done = subprocess.run(
        [TOUCHLINE, "migrate"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    first, *problems = done.stderr.splitlines()
    assert (done.returncode, done.stdout, first) == (2, "", "error: wrong settings:")
    assert [problem.partition(":")[0] for problem in problems] == [PREFIX + name for name in WRONG]
    assert list(folder.iterdir()) == []
