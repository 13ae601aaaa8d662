"""What a process that verifies again and again is asked for."""

from prometheus_client import CollectorRegistry, Gauge

from domain.verification import Report


class VerificationMetrics:
    """Gauges of the last check. Nothing is said of an invariant before it was checked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._violations = Gauge(
            "touchline_invariant_violations",
            "How often each invariant was violated when it was last checked.",
            ["invariant"],
            registry=registry,
        )
        self._at = Gauge(
            "touchline_verification_timestamp_seconds",
            "When the last check ended that could be made.",
            registry=registry,
        )
        self._took = Gauge(
            "touchline_verification_seconds", "How long that took.", registry=registry
        )
        self._failed = Gauge(
            "touchline_verification_failed",
            "1 if the last check could not be made.",
            registry=registry,
        )

    def checked(self, report: Report, *, at: float, took: float) -> None:
        """`at` in Unix time."""
        for invariant in report.invariants:
            self._violations.labels(invariant.name).set(invariant.violations)
        self._at.set(at)
        self._took.set(took)
        self._failed.set(0)

    def failed(self) -> None:
        self._failed.set(1)
