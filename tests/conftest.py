"""What all tests may use."""

import os
import shutil
import signal
import tempfile

import pytest

pytest_plugins = ["tests.kafka.fixtures"]

_TEMPORARY_ROOT = "PYTEST_DEBUG_TEMPROOT"


def pytest_configure(config: pytest.Config) -> None:
    """Give each run temporary folders of its own. The usual ones are shared by all runs of a user,
    and each run that begins closes them to others: also to the PostgreSQL of a run under way,
    which can't run as root and so is another user."""
    if not hasattr(config, "workerinput"):
        root = tempfile.mkdtemp(prefix="touchline-tests-")
        os.environ[_TEMPORARY_ROOT] = root
        config.add_cleanup(lambda: shutil.rmtree(root, ignore_errors=True))


# As at a terminal: who is started in the background, and whoever he starts, has Ctrl-C ignored.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
