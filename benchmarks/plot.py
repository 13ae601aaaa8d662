"""Draws how a goal's time grows with the bets on its event, from what the benchmarks found."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter

from benchmarks.report import Row

UNMOVED = "a goal that moves nobody, from its request"


def draw_growth(rows: Sequence[Row], path: Path) -> None:
    """An SVG: rows 1 and 2, seconds over bets. Nothing when these rows were not measured."""
    goals = [row.figures for row in rows if row.row == "1"]
    unmoved = [row.figures["seconds"] for row in rows if row.row == "2"]
    if not goals or not unmoved:
        return
    # The same file for the same figures, and letters that can be searched.
    mpl.rcParams.update({"svg.hashsalt": "touchline", "svg.fonttype": "none"})
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    bets = [goal["bets"] for goal in goals]
    for name, label, style in (
        ("seconds", "a goal that moves two thirds of them, from its answer", "o-"),
        ("ceiling seconds", "one UPDATE of the same rows", "s--"),
    ):
        axes.plot(bets, [goal[name] for goal in goals], style, label=label)
    axes.plot(bets, list(unmoved[0].values()), "^:", label=UNMOVED)
    axes.set(xscale="log", yscale="log", xlabel="bets on the event", ylabel="seconds")
    plain = FuncFormatter(lambda value, _: f"{value:,.10g}")
    axes.xaxis.set_major_formatter(plain)
    axes.yaxis.set_major_formatter(plain)
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
