"""What the benchmarks found: figures, ratios, and whether the aims are met."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `aim` is in words; `met` is None where there is no aim."""

    row: str
    work: str
    ours: str
    ceiling: str = ""
    naive: str = ""
    ratio: str = ""
    aim: str = "stated"
    met: bool | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    """Everything that was measured, for the JSON file."""


CAPTION = "Microseconds of processor time for each bet that is moved, goal, request or record:"
HEADS = ("row", "work", "ours", "ceiling", "naive", "ratio", "aim", "met")


def table(rows: Sequence[Row]) -> str:
    """In Markdown."""
    lines = ["| " + " | ".join(HEADS) + " |", "| " + " | ".join("---" for _ in HEADS) + " |"]
    for row in rows:
        met = {None: "", True: "yes", False: "**no**"}[row.met]
        cells = [row.row, row.work, row.ours, row.ceiling, row.naive, row.ratio, row.aim, met]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def processor_table(rows: Sequence[Row]) -> str:
    """Microseconds of processor time by part, for each bet, goal, request or record of a row."""
    measured = [row for row in rows if "processor" in row.figures]
    parts = sorted({part for row in measured for part in row.figures["processor"]})
    heads = ["row", "work", *parts, "all"]
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    for row in measured:
        spent = row.figures["processor"]
        cells = [f"{spent[part]:,.3g}" if part in spent else "" for part in parts]
        cells = [row.row, row.work, *cells, f"{sum(spent.values()):,.3g}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def stored(rows: Sequence[Row]) -> str:
    """What a placed bet takes on disk, where that was measured."""
    return "".join(
        f"On disk a bet takes {found['bet']:.0f} bytes in PostgreSQL with its indexes, and"
        f" {found['record']:.0f} in the log.\n"
        for row in rows
        if (found := row.figures.get("bytes"))
    )


def report(rows: Sequence[Row]) -> str:
    """All of it, in Markdown."""
    return f"{table(rows)}\n\n{CAPTION}\n\n{processor_table(rows)}\n\n{stored(rows)}".strip() + "\n"


def save(rows: Sequence[Row], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    (folder / "results.md").write_text(report(rows))


def rate(rows: float, seconds: float) -> str:
    return f"{rows / seconds:,.0f}/s"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def middle(values: Sequence[float]) -> float:
    return median(values)
