"""The benchmarks measure, and assert nothing."""

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.report import Row


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As `make bench` runs them, but for what only `make bench` installs."""
    plot = SimpleNamespace(draw_growth=lambda rows, path: None)
    monkeypatch.setitem(sys.modules, "benchmarks.plot", plot)
    monkeypatch.delitem(sys.modules, "benchmarks.__main__", raising=False)
    found = import_module("benchmarks.__main__")
    monkeypatch.setattr(found, "ensure_kafka", lambda: None)
    return found


def test_a_missed_aim_is_said_and_is_no_error(
    benchmarks: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def measure(parts: object, *, quick: bool) -> Iterator[Row]:
        yield Row(row="5", work="late", ours="2 s", figures={"bytes": {"bet": 580.4, "record": 9}})
        yield Row(row="1", work="early", ours="1 s", aim="≤ 0 s", met=False)

    monkeypatch.setattr(benchmarks, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick", "--out", str(tmp_path), "goal"])
    assert benchmarks.main() is None
    shown = (tmp_path / "results.md").read_text()
    assert shown in capsys.readouterr().out
    assert shown.index("| 1 | early | 1 s |  |  |  | ≤ 0 s | **no** |") < shown.index(
        "| 5 | late |"
    )
    assert "a bet takes 580 bytes in PostgreSQL with its indexes, and 9 in the log" in shown
    assert [row["met"] for row in json.loads((tmp_path / "results.json").read_text())] == [
        False,
        None,
    ]
