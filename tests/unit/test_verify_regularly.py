"""What one check of `touchline verify --every` notes: what it found, or that it could not look."""

from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from adapters.telemetry.verification import VerificationMetrics
from domain.errors import DatabaseUnavailable
from domain.verification import Invariant, Report
from entrypoints import verify_regularly

SETTINGS = cast("Any", None)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def notes(registry: CollectorRegistry) -> VerificationMetrics:
    return VerificationMetrics(registry)


def check(
    monkeypatch: pytest.MonkeyPatch, notes: VerificationMetrics, outcome: Report | Exception
) -> list[Any]:
    """One check that ends so; what is logged of it."""

    def run_verify(*_: object, **__: object) -> tuple[Report, None]:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome, None

    monkeypatch.setattr(verify_regularly, "run_verify", run_verify)
    with capture_logs() as lines:
        verify_regularly._check(SETTINGS, "", notes, with_fold=True)
    return lines


def found(violations: int) -> Report:
    fold = Invariant(name="fold", violations=violations, examples=["a bet"] * violations)
    return Report(quiet=True, invariants=[fold, Invariant(name="other", violations=0, examples=[])])


def violations(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("touchline_invariant_violations", {"invariant": "fold"})


def test_before_the_first_check_nothing_is_said_of_an_invariant(
    registry: CollectorRegistry, notes: VerificationMetrics
) -> None:
    assert violations(registry) is None


def test_violations_are_noted_and_said(
    monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry, notes: VerificationMetrics
) -> None:
    (line,) = check(monkeypatch, notes, found(2))
    assert (line["event"], line["log_level"], line["invariant"]) == ("violated", "error", "fold")
    assert violations(registry) == 2
    (line,) = check(monkeypatch, notes, found(0))
    assert (line["event"], line["log_level"]) == ("all invariants hold", "info")
    assert violations(registry) == 0
    assert registry.get_sample_value("touchline_verification_timestamp_seconds")


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), RuntimeError("our fault")])
def test_a_check_that_could_not_be_made_is_noted_and_the_next_one_is_made(
    monkeypatch: pytest.MonkeyPatch,
    registry: CollectorRegistry,
    notes: VerificationMetrics,
    error: Exception,
) -> None:
    check(monkeypatch, notes, found(2))
    (line,) = check(monkeypatch, notes, error)
    assert line["event"] == "could not check"
    assert registry.get_sample_value("touchline_verification_failed") == 1
    assert violations(registry) == 2, "nothing is known that would put it right"
    check(monkeypatch, notes, found(0))
    assert registry.get_sample_value("touchline_verification_failed") == 0
