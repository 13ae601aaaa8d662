"""`.env.example` is what docker-compose.yml fills in, no more and no less, and hurts nobody."""

import os
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from entrypoints.settings import PREFIX, Settings, load_settings
from tests.compose.breaking import Check
from tests.compose.checks import CHECKS
from tests.compose.document import COMPOSE_FILE, ROOT, load, services, substituted

EXAMPLE = ROOT / ".env.example"

COMPOSES_OWN = re.compile(r"COMPOSE_|DOCKER_")
"""Names that mean something to Compose itself."""

OTHERS = {
    "EVENTS_API_PORT": "20001",
    "BETS_API_PORT": "20002",
    "KAFKA_PORT": "20004",
    "POSTGRES_PORT": "20005",
    "POSTGRES_PASSWORD": "another",
    "TOUCHLINE_LOG_LEVEL": "DEBUG",
    "TOUCHLINE_AUTH": "jwt",
    "TOUCHLINE_AUTH_SECRET": "s" * 32,
}
"""Values that are not the defaults."""


@pytest.fixture(scope="module")
def example() -> dict[str, str]:
    """Its variables and their values."""
    return {name: value or "" for name, value in dotenv_values(EXAMPLE).items()}


def test_it_holds_what_the_compose_file_fills_in(example: dict[str, str]) -> None:
    """Each once, with the value that stands for it when it is left out."""
    filled_in = substituted(COMPOSE_FILE.read_text())
    assert {name: {value} for name, value in example.items()} == filled_in
    assert len(re.findall(r"^\w+=", EXAMPLE.read_text(), re.MULTILINE)) == len(example)


def test_a_name_is_a_setting_or_no_concern_of_touchlines(example: dict[str, str]) -> None:
    for name in example:
        assert not COMPOSES_OWN.match(name)
        setting = name.removeprefix(PREFIX).lower()
        assert not name.startswith(PREFIX) or setting in Settings.model_fields


def test_copied_as_it_is_it_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Touchline reads it too when it is started there, and warns of nothing."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    without = load_settings()
    (tmp_path / ".env").write_text(EXAMPLE.read_text())
    assert load_settings() == without
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_file_passes_with_other_values(check: Check) -> None:
    """A port, a password and a level are each told to all whom they concern."""
    assert list(check(load(OTHERS))) == []


def test_values_take_the_place_of_defaults() -> None:
    filled = services(load(OTHERS))["events-api"]
    assert filled["ports"] == ["127.0.0.1:20001:8001"]
    assert filled["environment"]["TOUCHLINE_AUTH_SECRET"] == "s" * 32
    assert services(load({"EVENTS_API_PORT": ""}))["events-api"] == services(load())["events-api"]
