"""Logs: what goes wrong is told with its traceback, and without the values on the way."""

import subprocess
import sys

import pytest

from adapters.http import story as of_servers
from adapters.telemetry import story as of_consumers
from entrypoints.logs import STORY

SECRET = "what-nobody-may-read-in-a-log"

FAILING = """
import logging, sys
from entrypoints.logs import configure_logs
from entrypoints.settings import Settings

configure_logs(Settings.model_construct(log_format=sys.argv[1], log_level="DEBUG"))

def fails(secret):
    raise LookupError("a fault of ours")

try:
    fails(sys.argv[2])
except LookupError:
    logging.getLogger("touchline").exception("failed")
"""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_no_values(log_format: str) -> None:
    """In a process of its own: how a process logs is set for all of it."""
    done = subprocess.run(
        [sys.executable, "-c", FAILING, log_format, SECRET],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "a fault of ours" in done.stderr
    assert "in fails" in done.stderr
    assert SECRET not in done.stderr


def test_the_story_has_one_name() -> None:
    """By it `touchline up` keeps the lines off a terminal."""
    assert of_consumers.STORY == STORY
    assert of_servers._NAME.startswith(f"{STORY}.")
