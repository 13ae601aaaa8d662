"""Row 10: how soon `touchline up` is ready again, and how soon a command answers."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import Row, middle
from tests.integration.postgres_server import PostgresServer
from tests.integration.system import TOUCHLINE, Up

AIM_UP, AIM_HELP = 3.0, 2.0


def measure(*, repeats: int) -> list[Row]:
    with TemporaryDirectory(prefix="touchline-bench-") as folder:
        up = Up(Path(folder))
        up.start()
        up.stop()
        ours, ceiling = [], []
        for _ in range(repeats):
            ours.append(up.start())
            up.stop()
            server = PostgresServer(Path(folder) / "data" / "postgres")
            ceiling.append(_seconds(server.start))
            server.stop()
    helped = [_seconds(lambda: _run(str(TOUCHLINE), "--help")) for _ in range(repeats)]
    imported = [
        _seconds(lambda: _run(sys.executable, "-c", "import typer, rich.console"))
        for _ in range(repeats)
    ]
    return [
        _row("`touchline up` to ready, second start", ours, "PostgreSQL alone", ceiling, AIM_UP),
        _row("printing the help", helped, "importing typer and rich", imported, AIM_HELP),
    ]


def _row(work: str, ours: list[float], what: str, ceiling: list[float], aim: float) -> Row:
    ratio = middle(ours) / middle(ceiling)
    return Row(
        row="10",
        work=work,
        ours=f"{middle(ours):.2f} s",
        ceiling=f"{what} {middle(ceiling):.2f} s",
        ratio=f"{ratio:.2f}",
        aim=f"≤ {aim:.0f} x",
        met=ratio <= aim,
        figures={"ours": ours, "ceiling": ceiling},
    )


def _seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
