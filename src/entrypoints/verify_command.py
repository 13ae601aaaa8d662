"""`touchline verify`: runs the checks and words the report."""

from dataclasses import asdict

from domain.verification import Report, verify
from entrypoints import bootstrap
from entrypoints.settings import Settings


def run_verify(settings: Settings, url: str) -> Report:
    with bootstrap.connected(settings, url, name="verify") as (database, bus):
        return verify(database, bus, bootstrap.codec())


def as_json(report: Report) -> dict[str, object]:
    """The contract's shape."""
    return {"quiet": report.quiet, "invariants": [asdict(each) for each in report.invariants]}


def as_text(report: Report) -> str:
    lines = (
        [] if report.quiet else ["not quiet: a consumer lags; only what must always hold is held"]
    )
    for each in report.invariants:
        verdict = "holds" if not each.violations else f"{each.violations} violations"
        lines.append(f"{each.name:<16} {verdict}")
        lines += [f"  {example}" for example in each.examples]
    return "\n".join(lines)
