"""The procedures of docs/operations.md, run exactly as they stand there."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.integration.system import clean_environment
from tests.pages import procedures

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
PROGRAMS = "Programs"
"""The procedure that all others need first."""


def follow(heading: str, *, folder: Path, environment: Mapping[str, str]) -> str:
    """Type what stands below the heading, in this folder; what it prints. Each must succeed."""
    done = attempt(heading, folder=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def attempt(
    heading: str, *, folder: Path, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """The same, whatever comes of it."""
    virtual = folder / ".venv"
    if not virtual.exists():
        virtual.symlink_to(sys.prefix)
    typed = procedures(PAGE.read_text())
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{typed[PROGRAMS]}\n{typed[heading]}"],
        env=clean_environment(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def arguments(heading: str) -> list[str]:
    """Of the one command of Touchline's that stands there."""
    program, *words = shlex.split(procedures(PAGE.read_text())[heading])
    assert program == "touchline"
    return words
