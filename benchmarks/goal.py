"""Rows 1, 2 and 9: a change of the score on one event with very many bets."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.naive import measure as measure_naively
from benchmarks.processor import Processor
from benchmarks.report import Row, middle, milliseconds, rate
from benchmarks.site import Site, slices_of
from domain.bets import Market

MOVED = (Market.TEAM_1, Market.DRAW)
"""The markets whose outcome changes when the leader does."""

AIM, AIM_NAIVE, AIM_GROWTH, AIM_MEMORY = 0.35, 150.0, 1.2, 64.0
NAIVE_BETS = 2000

CEILING = """
UPDATE ceiling_bets SET state = %(state)s, event_version = event_version + 1
WHERE event_id = %(event)s AND market <> 'team_2'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Bets that a goal moves, and seconds: ours from the PATCH's answer to the last bet written,
    one UPDATE of the same rows, and what the PATCH of a goal that moves nobody takes to be done."""

    bets: int
    moved: int
    ours: float
    ceiling: float
    unmoved: float
    memory: dict[str, float]
    """Peak MiB of each process."""
    processor: dict[str, float]
    """Microseconds of each part for a bet that is moved."""


def measure(site: Site, sizes: Sequence[int], *, repeats: int, row: str = "") -> list[Row]:
    """Rows 1, 2 and 9. `row` stands for all of them where they have no aims."""
    written = site.position("bet-writer", "bets.state")
    idle = dict(site.peaks())
    goals: list[Goal] = []
    for bets in sizes:
        goal, written = _measure(site, bets, written, repeats)
        goals.append(goal)
    unmoved = _unmoved_event(site, repeats)
    naive = measure_naively(site, NAIVE_BETS)
    return list(_rows(goals, unmoved, naive, idle, row, has_aims=site.broker is not None))


def _measure(site: Site, bets: int, written: int, repeats: int) -> tuple[Goal, int]:
    """A new event with so many bets; the medians."""
    event_id = site.event()
    site.fill(event_id, bets)
    site.settle()
    site.system.client.update(event_id, state="active")
    written += slices_of(bets)
    site.until_written(written)
    _make_ceiling(site, event_id)
    site.forget_peaks()
    seconds: dict[str, list[float]] = {"ours": [], "ceiling": [], "unmoved": []}
    processor, goals = Processor(site), 0
    for score in ("1-0", "0-0") * -(-repeats // 2):
        site.settle()
        with processor.counted():
            site.system.client.update(event_id, score=score)
            began = time.monotonic()
            written += slices_of(bets, MOVED)
            site.until_written(written)
            seconds["ours"].append(time.monotonic() - began)
        goals += 1
        site.settle()
        state = "winning" if score == "1-0" else "losing"
        began = time.monotonic()
        site.query(CEILING, {"event": event_id, "state": state})
        seconds["ceiling"].append(time.monotonic() - began)
    site.system.client.update(event_id, score="1-0")
    written += slices_of(bets, MOVED)
    site.until_written(written)
    seconds["unmoved"] = _unmoved(site, event_id, repeats)
    _check(site, event_id, written)
    moved = bets - bets // 3 - (bets % 3 > 1)
    medians = {name: middle(each) for name, each in seconds.items()}
    goal = Goal(
        bets=bets,
        moved=moved,
        memory=dict(site.peaks()),
        processor=processor.per(moved * goals),
        **medians,
    )
    return goal, written


def _unmoved(site: Site, event_id: str, repeats: int) -> list[float]:
    """Seconds from a PATCH that moves nobody until the Bet Scorer has passed it."""
    found = []
    for goals in range(2, 2 + max(repeats, 5)):
        before = site.position("bet-scorer", "events.taxonomy")
        began = time.monotonic()
        site.system.client.update(event_id, score=f"{goals}-0")
        site.until("bet-scorer", "events.taxonomy", before + 1)
        found.append(time.monotonic() - began)
    return found


def _unmoved_event(site: Site, repeats: int) -> float:
    """The same on an event without bets."""
    event_id = site.event()
    site.system.client.update(event_id, state="active")
    site.system.client.update(event_id, score="1-0")
    return middle(_unmoved(site, event_id, repeats))


def _make_ceiling(site: Site, event_id: str) -> None:
    """The same bets in a table of the same shape."""
    site.query("DROP TABLE IF EXISTS ceiling_bets")
    site.query("CREATE TABLE ceiling_bets (LIKE bets INCLUDING ALL) WITH (fillfactor = 60)")
    site.query(
        "INSERT INTO ceiling_bets SELECT * FROM bets WHERE event_id = %(id)s", {"id": event_id}
    )
    site.query("VACUUM ANALYZE ceiling_bets")


def _check(site: Site, event_id: str, slices: int) -> None:
    """What was timed must have been done: every bet stands right, and nothing more was told."""
    wrong = site.query(
        "SELECT count(*) FROM bets WHERE event_id = %(id)s"
        " AND (state = 'winning') <> (market = 'team_1')",
        {"id": event_id},
    )
    assert wrong == [(0,)], wrong
    assert site.position("bet-writer", "bets.state") == slices


def _rows(
    goals: Sequence[Goal],
    unmoved: float,
    naive: float,
    idle: dict[str, float],
    row: str,
    *,
    has_aims: bool,
) -> Iterator[Row]:
    for goal in goals:
        ours, ceiling = goal.moved / goal.ours, goal.moved / goal.ceiling
        is_aim = has_aims and goal is goals[-1]
        yield Row(
            row=row or "1",
            work=f"a goal that moves {goal.moved:,} of {goal.bets:,} bets",
            ours=f"{goal.ours:.2f} s, {rate(ours, 1)}",
            ceiling=f"one UPDATE {goal.ceiling:.2f} s, {rate(ceiling, 1)}",
            naive=f"{rate(naive, 1)} (on {NAIVE_BETS:,})",
            ratio=f"{ours / ceiling:.2f}; {ours / naive:,.0f} x naive",
            aim=f"≥ {AIM}; ≥ {AIM_NAIVE:.0f} x naive" if is_aim else "stated",
            met=ours / ceiling >= AIM and ours / naive >= AIM_NAIVE if is_aim else None,
            figures={
                "bets": goal.bets,
                "ours": ours,
                "ceiling": ceiling,
                "naive": naive,
                "seconds": goal.ours,
                "ceiling seconds": goal.ceiling,
                "processor": goal.processor,
            },
        )
    first, last = goals[0], goals[-1]
    growth = last.unmoved / first.unmoved
    yield Row(
        row=row or "2",
        work=f"a goal that moves nobody, among {last.bets:,} bets",
        ours=milliseconds(last.unmoved),
        ceiling=f"without bets {milliseconds(unmoved)}; "
        f"among {first.bets:,} {milliseconds(first.unmoved)}",
        ratio=f"{growth:.2f} x that of {first.bets:,}",
        aim=f"≤ {AIM_GROWTH} x" if has_aims else "stated",
        met=growth <= AIM_GROWTH if has_aims else None,
        figures={"seconds": {str(g.bets): g.unmoved for g in goals}, "without bets": unmoved},
    )
    grown = {name: last.memory[name] - first.memory[name] for name in last.memory}
    most = max(grown, key=lambda name: grown[name])
    yield Row(
        row=row or "9",
        work=f"peak memory of a process, {first.bets:,} to {last.bets:,} bets",
        ours=f"+{grown[most]:.0f} MiB ({most})",
        ceiling=f"idle {idle[most]:.0f} MiB",
        aim=f"< {AIM_MEMORY:.0f} MiB more",
        met=grown[most] < AIM_MEMORY,
        figures={"idle": idle, "peaks": {str(goal.bets): goal.memory for goal in goals}},
    )
