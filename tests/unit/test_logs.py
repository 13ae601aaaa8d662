"""Logs: what goes wrong is told with its traceback, and without the values on the way."""

import logging
from collections.abc import Iterator

import pytest

from entrypoints.logs import configure_logs
from entrypoints.settings import Settings

SECRET = "what nobody may read in a log"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_no_values(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings.model_construct(log_format=log_format, log_level="DEBUG"))

    def fails(secret: str) -> None:
        raise LookupError("a fault of ours")

    try:
        fails(SECRET)
    except LookupError:
        logging.getLogger("touchline").exception("failed")
    said = capsys.readouterr().err
    assert "a fault of ours" in said
    assert "in fails" in said
    assert SECRET not in said
