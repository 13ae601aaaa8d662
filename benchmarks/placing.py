"""Row 4: bets placed over 64 connections, against a server that answers a constant."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import httpx

from benchmarks.backlog import log_end
from benchmarks.load import Load, post
from benchmarks.processor import Processor
from benchmarks.report import Row, milliseconds, percentile, rate
from benchmarks.site import Site
from domain.log import EVENTS_TAXONOMY
from tests.integration.system import eventually
from tests.kafka.broker import free_ports

CONNECTIONS = 64
AIMS = {"after the decision": 0.3, "respond-async": 0.5}


def measure(site: Site, *, seconds: float, row: str = "4") -> list[Row]:
    """Both ways to be answered, each beside the ceiling."""
    event_id = site.event()
    numbers = count()

    def body() -> bytes:
        wager = {"userId": f"user-{next(numbers)}", "eventId": event_id, "market": "draw"}
        return json.dumps(wager).encode()

    ours = f"{site.system.client.bets_url}/bets"
    rows = []
    with _constant() as constant:
        ways = {"after the decision": {}, "respond-async": {"Prefer": "respond-async"}}
        for way, headers in ways.items():
            for url in (ours, constant):  # warm-up
                post(url, body, connections=CONNECTIONS, seconds=1, headers=headers)
            processor = Processor(site)
            _settle(site)
            with processor.counted():
                found = post(ours, body, connections=CONNECTIONS, seconds=seconds, headers=headers)
                _settle(site)
            ceiling = post(
                constant, body, connections=CONNECTIONS, seconds=seconds, headers=headers
            )
            rows.append(_row(row, way, found, ceiling, site))
            rows[-1].figures["processor"] = processor.per(len(found.latencies))
    return rows


def _settle(site: Site) -> None:
    """Until all that was asked for is done."""
    site.until("bet-scorer", EVENTS_TAXONOMY, log_end(site))


def _row(row: str, way: str, found: Load, ceiling: Load, site: Site) -> Row:
    ratio = found.rate / ceiling.rate
    aim = AIMS[way]
    p50, p99 = (percentile(found.latencies, share) for share in (0.5, 0.99))
    return Row(
        row=row,
        work=f"`POST /bets`, {CONNECTIONS} connections, {way}",
        ours=f"{rate(found.rate, 1)}, p50 {milliseconds(p50)}, p99 {milliseconds(p99)}",
        ceiling=f"a constant {rate(ceiling.rate, 1)}",
        ratio=f"{ratio:.2f}",
        aim=f"≥ {aim}" if site.broker else "stated",
        met=ratio >= aim if site.broker else None,
        figures={"ours": found.rate, "constant": ceiling.rate, "p50": p50, "p99": p99}
        | {"statuses": {str(status): n for status, n in found.statuses.items()}},
    )


@contextmanager
def _constant() -> Iterator[str]:
    (port,) = free_ports(1)
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.constant", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _answers(url))
        yield f"{url}/bets"
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez").status_code == 200
    except httpx.TransportError:
        return False
