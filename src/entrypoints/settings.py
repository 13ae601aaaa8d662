"""Configuration: read once, typed, from the environment and `.env`; units stand in the names."""

import os
import re
import sys
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from domain.errors import TouchlineError

PREFIX = "TOUCHLINE_"
ENV_FILE = ".env"
OF_FILE = "_FILE"
"""TOUCHLINE_…_FILE names the file that holds a secret."""

SECRETS = ("database_url", "kafka_sasl_password", "auth_secret", "token")
"""What is never shown, and may be in a file instead."""

LEAST_SECRET = 32
"""Bytes: as many as HS256's digest has (RFC 7518)."""

LEAST_RATE = 0.001
"""Requests a second: one in a quarter of an hour."""

LAST_PORT = 65535


class Settings(BaseSettings):
    """Every TOUCHLINE_… variable, its default and what it means."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, extra="ignore", validate_default=True
    )

    database_url: str = Field(
        default="",
        description="SQLAlchemy URL of PostgreSQL, of a database in UTF8; empty = the embedded one",
    )
    bus: Literal["postgres", "kafka"] = Field(
        default="postgres", description="what carries the messages: `postgres` or `kafka`"
    )
    kafka_bootstrap_servers: str = Field(
        default="", description="`host:port`, several separated by commas; needed with `kafka`"
    )
    kafka_replication_factor: int = Field(
        default=1, ge=1, le=100, description="copies of each partition when topics are made"
    )
    kafka_min_insync_replicas: int = Field(
        default=1,
        ge=1,
        le=100,
        description="copies that must have a record before it counts, when topics are made",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`"
    )
    kafka_sasl_username: str = Field(default="", description="who Touchline is to Kafka, with SASL")
    kafka_sasl_password: SecretStr = Field(
        default=SecretStr(""), description="its password, with SASL"
    )
    kafka_ssl_ca_file: Path | None = Field(
        default=None,
        description="PEM of who signed the brokers' certificates; empty = the system's",
    )
    kafka_ssl_cert_file: Path | None = Field(
        default=None, description="PEM of Touchline's own certificate, where brokers ask for one"
    )
    kafka_ssl_key_file: Path | None = Field(
        default=None, description="PEM of that certificate's private key"
    )
    data: Path = Field(default=Path(".touchline"), description="folder of the embedded PostgreSQL")
    answer_wait_ms: int = Field(
        default=2000,
        ge=0,
        le=60_000,
        description="how long a request waits for its decision before it is answered with 202",
    )
    request_limit_ms: int = Field(
        default=10_000,
        ge=100,
        le=600_000,
        description="how long a request may take beside that wait; then it is answered with 503",
    )
    auth: Literal["off", "jwt"] = Field(
        default="off", description="`jwt`: only who has a token may use the APIs and pages"
    )
    auth_secret: SecretStr = Field(
        default=SecretStr(""), description="what signs tokens (HS256), at least 32 bytes"
    )
    auth_public_key_file: Path | None = Field(
        default=None, description="PEM of the public key of who signs tokens instead (RS256)"
    )
    auth_issuer: str = Field(default="touchline", description="the tokens' `iss`")
    auth_audience: str = Field(default="touchline", description="the tokens' `aud`")
    token: SecretStr = Field(
        default=SecretStr(""), description="what the commands show to servers that ask for one"
    )
    allow_unauthenticated: bool = Field(
        default=False,
        description="`1`: without tokens listen on more than the loopback address, too",
    )
    rate_limit: float = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="requests a second of one user and of one address, to each server; 0 = any",
    )
    cors_origins: str = Field(
        default="",
        description="origins whose pages may use the APIs, such as `https://example.com`;"
        " several separated by commas",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`"
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="`console` for people, `json` for collectors"
    )

    @field_validator("allow_unauthenticated", mode="before")
    @classmethod
    def _is_0_or_1(cls, value: object) -> object:
        if value not in {"0", "1", False, True}:
            raise ValueError("must be 0 or 1")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: str) -> str:
        if not value:
            return value
        try:
            driver = make_url(value).drivername
        except (ArgumentError, ValueError) as unreadable:
            raise ValueError("must be empty or a URL that SQLAlchemy reads") from unreadable
        if driver not in {"postgresql", "postgresql+psycopg2"}:
            raise ValueError("must be empty or begin with postgresql+psycopg2://")
        return value

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _kafka_is_named(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("bus") == "kafka" and not value:
            raise ValueError(f"must be set with {PREFIX}BUS=kafka")
        if value and not all(map(_is_address, value.split(","))):
            raise ValueError("must be host:port, or several separated by commas")
        return value

    @field_validator("kafka_min_insync_replicas")
    @classmethod
    def _there_are_as_many(cls, value: int, info: ValidationInfo) -> int:
        copies = info.data.get("kafka_replication_factor")
        if copies is not None and value > copies:
            raise ValueError(f"must not be more than {PREFIX}KAFKA_REPLICATION_FACTOR")
        return value

    @field_validator("kafka_sasl_password")
    @classmethod
    def _sasl_has_both(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        protocol = info.data.get("kafka_security_protocol", "")
        user = info.data.get("kafka_sasl_username")
        if protocol.startswith("SASL") and not (user and value.get_secret_value()):
            raise ValueError(f"must be set, with {PREFIX}KAFKA_SASL_USERNAME, for {protocol}")
        return value

    @field_validator("data", mode="before")
    @classmethod
    def _empty_is_default(cls, value: object) -> object:
        return value or cls.model_fields["data"].default

    @field_validator(
        "kafka_ssl_ca_file",
        "kafka_ssl_cert_file",
        "kafka_ssl_key_file",
        "auth_public_key_file",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator(
        "kafka_ssl_ca_file", "kafka_ssl_cert_file", "kafka_ssl_key_file", "auth_public_key_file"
    )
    @classmethod
    def _is_a_file(cls, value: Path | None) -> Path | None:
        if value is not None and not (value.is_file() and os.access(value, os.R_OK)):
            raise ValueError("must be a file that can be read")
        return value

    @field_validator("kafka_ssl_key_file")
    @classmethod
    def _key_and_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) is not (info.data.get("kafka_ssl_cert_file") is None):
            raise ValueError(f"must be set together with {PREFIX}KAFKA_SSL_CERT_FILE")
        return value

    @field_validator("auth_public_key_file")
    @classmethod
    def _one_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        secret = info.data.get("auth_secret")
        if secret is None or info.data.get("auth") != "jwt":
            return value
        if bool(secret.get_secret_value()) is (value is not None):
            raise ValueError(f"either it or {PREFIX}AUTH_SECRET must be set with {PREFIX}AUTH=jwt")
        return value

    @field_validator("auth_secret")
    @classmethod
    def _is_long(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value().encode()) < LEAST_SECRET:
            raise ValueError(f"must have at least {LEAST_SECRET} bytes")
        return value

    @field_validator("token")
    @classmethod
    def _is_a_token(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[!-~]*", value.get_secret_value()):
            raise ValueError("must be visible ASCII characters without blanks")
        return value

    @field_validator("rate_limit")
    @classmethod
    def _is_no_crumb(cls, value: float) -> float:
        if 0 < value < LEAST_RATE:
            raise ValueError(f"must be 0, or at least {LEAST_RATE}")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        if value and not all(map(_ORIGIN.fullmatch, value.split(","))):
            raise ValueError("must be scheme://host or scheme://host:port, separated by commas")
        return value


_ORIGIN = re.compile(r"https?://[^\s/,*]+")


def _is_address(text: str) -> bool:
    """Whether it is `host:port`."""
    host, _, port = text.rpartition(":")
    return bool(re.fullmatch(r"[^\s,]+", host) and re.fullmatch(r"[0-9]{1,5}", port)) and (
        1 <= int(port) <= LAST_PORT
    )


class WrongSettings(TouchlineError):
    """All problems with the settings, one a line."""

    def __str__(self) -> str:
        return "wrong settings:\n" + "\n".join(self.args)


def load_settings() -> Settings:
    """The settings; raise WrongSettings with all problems, warn of unknown variables."""
    fields = {PREFIX + name.upper() for name in Settings.model_fields}
    files = {PREFIX + name.upper() + OF_FILE: name for name in SECRETS}
    try:
        given = {**dotenv_values(ENV_FILE), **os.environ}
    except UnicodeDecodeError as error:
        raise WrongSettings(f"{ENV_FILE}: must be UTF-8 ({error})") from error
    named = {name.upper(): value for name, value in given.items()}
    for name in sorted(name for name in given if name.upper().startswith(PREFIX)):
        if name.upper() not in fields | files.keys():
            print(f"warning: unknown setting {name}", file=sys.stderr)  # noqa: T201
    secrets: dict[str, str] = {}
    problems: list[str] = []
    for variable, name in files.items():
        if path := named.get(variable):
            try:
                secrets[name] = _secret(path, beside=named.get(variable.removesuffix(OF_FILE)))
            except ValueError as wrong:
                problems.append(f"{variable}: {wrong}")
    try:
        settings = Settings(**secrets)  # type: ignore[arg-type]
    except ValidationError as invalid:
        problems += map(_problem, invalid.errors())
    if problems:
        raise WrongSettings(*problems)
    return settings


def _secret(path: str, *, beside: str | None) -> str:
    """The content of a file without the line's end that editors leave."""
    if beside:
        raise ValueError("set either it or the variable without _FILE, not both")
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"can't be read: {error}") from error


def _problem(error: object) -> str:
    loc, msg = error["loc"], error["msg"].removeprefix("Value error, ")  # type: ignore[index]
    name = str(loc[0])
    if name in SECRETS:
        return f"{PREFIX}{name.upper()}: {msg}"  # and not what it is
    return f"{PREFIX}{name.upper()}: {msg} (it is {error['input']!r})"  # type: ignore[index]
