"""`touchline verify`: runs the checks, corrects what may be corrected, and words the report."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from domain.records import Correction
from domain.verification import Report, mend, verify
from entrypoints import bootstrap
from entrypoints.settings import Settings

SHOWN = 20
"""Corrections that are listed; all are counted, and `--json` has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What was corrected before the report, or (not `applied`) would be."""

    applied: bool
    corrections: Sequence[Correction]

    @property
    def bets(self) -> int:
        return sum(each.wrong.bets for each in self.corrections)


def run_verify(
    settings: Settings, url: str, *, with_fold: bool, repair: bool, apply: bool
) -> tuple[Report, Repair | None]:
    """Check; if asked to, first repair, or see what there is to repair."""
    with bootstrap.connected(settings, url, name="verify") as (database, bus):
        repaired = None
        if repair:
            _, corrections = mend(database, bus, dry_run=not apply)
            repaired = Repair(applied=apply, corrections=corrections)
        return verify(database, bus, bootstrap.codec(), with_fold=with_fold), repaired


def as_json(report: Report, repair: Repair | None) -> dict[str, object]:
    """What `--json` prints; with `repair` only if it was asked for."""
    shape: dict[str, object] = {
        "quiet": report.quiet,
        "invariants": [asdict(each) for each in report.invariants],
    }
    if repair is not None:
        shape["repair"] = {
            "applied": repair.applied,
            "bets": repair.bets,
            "corrections": [
                {
                    "event_id": str(wrong.event_id),
                    "market": wrong.market.value,
                    "bets": wrong.bets,
                    "state": wrong.state.value,
                    "event_version": wrong.event_version,
                    "right_state": state.value,
                    "right_event_version": event_version,
                }
                for wrong, state, event_version in repair.corrections
            ],
        }
    return shape


def as_text(report: Report, repair: Repair | None) -> str:
    lines = [] if repair is None else list(_repair_lines(repair))
    if not report.quiet:
        lines.append("not quiet: a consumer lags; only what must always hold is held")
    for each in report.invariants:
        verdict = "holds" if not each.violations else f"{each.violations} violations"
        lines.append(f"{each.name:<16} {verdict}")
        lines += [f"  {example}" for example in each.examples]
    return "\n".join(lines)


def _repair_lines(repair: Repair) -> Sequence[str]:
    verb = "corrected" if repair.applied else "to be corrected"
    lines = [f"{verb}: {repair.bets} bets"]
    for wrong, state, event_version in repair.corrections[:SHOWN]:
        lines.append(
            f"  {wrong.bets} bets on {wrong.market} of event {wrong.event_id}: {wrong.state} by "
            f"version {wrong.event_version} -> {state} by version {event_version}"
        )
    if len(repair.corrections) > SHOWN:
        lines.append(f"  … and {len(repair.corrections) - SHOWN} more such groups")
    if repair.bets and not repair.applied:
        lines.append("nothing was changed: `verify --repair --yes` corrects them")
    return lines
