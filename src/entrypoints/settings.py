"""Configuration: read once, typed, from the environment and `.env`; units stand in the names."""

import os
import re
import sys
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "TOUCHLINE_"
ENV_FILE = ".env"


LAST_PORT = 65535


class Settings(BaseSettings):
    """Every TOUCHLINE_… variable, its default and what it means."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, extra="ignore", validate_default=True
    )

    database_url: str = Field(
        default="", description="SQLAlchemy URL of PostgreSQL; empty = the embedded one"
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
    data: Path = Field(default=Path(".touchline"), description="folder of the embedded PostgreSQL")
    answer_wait_ms: int = Field(
        default=2000,
        ge=0,
        le=60_000,
        description="how long a request waits for its decision before it is answered with 202",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`"
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="`console` for people, `json` for collectors"
    )

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


def _is_address(text: str) -> bool:
    """Whether it is `host:port`."""
    host, _, port = text.rpartition(":")
    return bool(re.fullmatch(r"[^\s,]+", host) and re.fullmatch(r"[0-9]{1,5}", port)) and (
        1 <= int(port) <= LAST_PORT
    )


class WrongSettings(Exception):
    """All problems with the settings, one a line."""


def load_settings() -> Settings:
    """The settings; raise WrongSettings with all problems, warn of unknown variables."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    try:
        named = {*os.environ, *dotenv_values(ENV_FILE)}
    except UnicodeDecodeError as error:
        raise WrongSettings(f"{ENV_FILE}: must be UTF-8 ({error})") from error
    for name in sorted(name for name in named if name.upper().startswith(PREFIX)):
        if name.upper() not in known:
            print(f"warning: unknown setting {name}", file=sys.stderr)  # noqa: T201
    try:
        return Settings()
    except ValidationError as invalid:
        raise WrongSettings("\n".join(map(_problem, invalid.errors()))) from invalid


def _problem(error: object) -> str:
    loc, msg = error["loc"], error["msg"].removeprefix("Value error, ")  # type: ignore[index]
    if loc[0] == "database_url":
        return f"{PREFIX}DATABASE_URL: {msg}"  # and not what it is: it may hold a password
    return f"{PREFIX}{str(loc[0]).upper()}: {msg} (it is {error['input']!r})"  # type: ignore[index]
