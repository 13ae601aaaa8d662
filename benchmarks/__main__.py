"""Measures Touchline beside a ceiling and a naive way, all in one run: `make bench`.

Each row says what it measures, beside what, and what is aimed at. An aim that is missed is said in
the table, and is no error. `--quick` takes small sizes, to see that all runs.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks import backlog, goal, latency, placing, starting
from benchmarks.plot import draw_growth
from benchmarks.report import Row, report, save, table
from benchmarks.site import running_site
from tests.setup import ensure_kafka

ROWS = ("goal", "latency", "placing", "backlog", "starting", "embedded")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *ROWS], help="some of these; or all")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--out", type=Path, default=Path(".cache/bench"), help="where results go")
    chosen = parser.parse_args()
    ensure_kafka()
    rows: list[Row] = []
    for row in measure(chosen.parts or ROWS, quick=chosen.quick):
        print(table([row]).splitlines()[-1], flush=True)
        rows.append(row)
    rows.sort(key=lambda row: int(row.row))
    save(rows, chosen.out)
    draw_growth(rows, chosen.out / "growth.svg")
    print(report(rows))


def measure(parts: "list[str] | tuple[str, ...]", *, quick: bool) -> Iterator[Row]:
    small = quick
    sizes = (1_000, 10_000) if small else (10_000, 100_000, 1_000_000)
    if "starting" in parts:
        yield from starting.measure(repeats=2 if small else 5)
    ceiling, p50 = 400_000.0, 0.02
    if "goal" in parts:
        with running_site() as site:
            for row in goal.measure(site, sizes, repeats=2 if small else 4):
                if row.row == "1":
                    ceiling = float(str(row.figures["ceiling"]))
                yield row
    if "latency" in parts:
        with running_site() as site:
            one = latency.measure_one(site, repeats=10 if small else 200)
            p50 = float(str(one.figures["p50"]))
            yield one
            events = 50 if small else 1000
            yield latency.measure_many(site, events=events, ceiling=ceiling, p50=p50)
            events = 10 if small else 100
            yield latency.measure_beside(site, bets=sizes[-1], events=events, alone_p50=p50)
    if "placing" in parts:
        with running_site() as site:
            yield from placing.measure(site, seconds=2 if small else 8)
    if "backlog" in parts:
        with running_site() as site:
            yield backlog.measure_bets(site, bets=10_000 if small else 300_000, events=300)
            versions = 5_000 if small else 200_000
            yield backlog.measure_versions(site, versions=versions, events=versions // 10)
    if "embedded" in parts:
        with running_site(bus="postgres") as site:
            yield from goal.measure(site, sizes, repeats=2, row="11")
            yield from placing.measure(site, seconds=2 if small else 8, row="11")
            yield backlog.measure_bets(
                site, bets=10_000 if small else 300_000, events=300, row="11"
            )


if __name__ == "__main__":
    main()
