"""`touchline verify --every`: the check as a process that goes on, for Prometheus and the log."""

import threading
import time
from typing import Protocol

import structlog

from domain.errors import TouchlineError
from domain.verification import Report
from entrypoints import bootstrap
from entrypoints.ending import block_signals, run_until_signal
from entrypoints.servers import health_server
from entrypoints.settings import Settings
from entrypoints.verify_command import run_verify

_log = structlog.get_logger("verify")


class Notes(Protocol):
    """Where it is noted what was found."""

    def checked(self, report: Report, *, at: float, took: float) -> None: ...

    def failed(self) -> None: ...


def run_regularly(
    settings: Settings, url: str, *, every: float, health_port: int, with_fold: bool
) -> None:
    """Check, rest, and check again until SIGTERM or SIGINT."""
    block_signals()
    stop = threading.Event()
    app, notes = bootstrap.verification_health(settings, url)
    serve_health = health_server(app, health_port, stop)

    def check() -> None:
        while not stop.is_set():
            _check(settings, url, notes, with_fold=with_fold)
            stop.wait(every)

    threads = [
        threading.Thread(target=check, name="verify", daemon=True),
        threading.Thread(target=serve_health, name="health", daemon=True),
    ]
    run_until_signal(threads, stop)


def _check(settings: Settings, url: str, notes: Notes, *, with_fold: bool) -> None:
    began = time.monotonic()
    try:
        report, _ = run_verify(settings, url, with_fold=with_fold, repair=False, apply=False)
    except TouchlineError as error:
        notes.failed()
        _log.warning("could not check", reason=f"{type(error).__name__}: {error}")
    except Exception:  # noqa: BLE001 - say it, and check again
        notes.failed()
        _log.exception("could not check")
    else:
        took = time.monotonic() - began
        notes.checked(report, at=time.time(), took=took)
        violated = [each for each in report.invariants if each.violations]
        for each in violated:
            _log.error(
                "violated",
                invariant=each.name,
                violations=each.violations,
                examples=each.examples,
            )
        if not violated:
            _log.info("all invariants hold", quiet=report.quiet, seconds=round(took, 3))
