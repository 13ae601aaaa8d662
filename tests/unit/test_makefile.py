"""The Makefile: in which order things are done."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_must_be_installed_is_asked_for_before_the_first_test() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "test"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},  # without the flags of the make that runs this
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert planned.index("-m tests.setup") < planned.index("-m pytest")
