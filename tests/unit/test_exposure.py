"""Which addresses a server may listen on without asking for tokens."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from domain.errors import Misconfigured
from entrypoints.servers import check_exposure
from entrypoints.settings import Settings

INSIDE = ["127.0.0.1", "127.3.2.1", "::1", "localhost"]
OUTSIDE = ["0.0.0.0", "::", "192.0.2.1", ""]


def settings(**values: Any) -> Settings:
    return Settings.model_construct(**values)


@pytest.mark.parametrize("host", INSIDE)
def test_this_machine_alone(host: str) -> None:
    check_exposure(settings(), host)


@pytest.mark.parametrize("host", OUTSIDE)
def test_others(host: str) -> None:
    with pytest.raises(Misconfigured, match="TOUCHLINE_AUTH=jwt"):
        check_exposure(settings(), host)


def test_nobody() -> None:
    with pytest.raises(Misconfigured, match=r"can't listen on no-such-host\.invalid: "):
        check_exposure(settings(), "no-such-host.invalid")


@pytest.mark.parametrize("host", OUTSIDE)
def test_with_tokens_or_by_permission(host: str) -> None:
    """Which is said aloud."""
    with capture_logs() as said:
        check_exposure(settings(auth="jwt"), host)
    assert said == []
    with capture_logs() as said:
        check_exposure(settings(allow_unauthenticated=True), host)
    assert [(each["log_level"], each["host"]) for each in said] == [("warning", host)]
