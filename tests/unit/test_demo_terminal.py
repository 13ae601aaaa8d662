"""The demo as a terminal shows it."""

import re

import pytest

from tests.unit.demo_run import Run
from tests.unit.demo_server import DemoServer

HIGHLIGHTED = re.compile(r"\x1b\[7;32m +4\x1b\[0m")


@pytest.fixture
def server() -> DemoServer:
    return DemoServer()


@pytest.fixture
def run(server: DemoServer) -> Run:
    return Run(server)


def test_the_picture(run: Run, server: DemoServer) -> None:
    assert run.play("istanbul-2005-taken-back", terminal=True)
    ended = run.text[run.text.rindex(" Milan 3-3 Liverpool") :].splitlines()
    assert [line.rstrip() for line in ended] == [
        " Milan 3-3 Liverpool                                                full time",
        " ●━━━━━━━━━━━━━━━━━━━━━━━●━━●━━━━━━●●━━●━━━━━━━━━━━━━━●━━○━━━━━━━━━━━━━━━━━━━",
        "",
        " bets on                           none   winning    losing       win      lose",
        " team_1  Milan                        -         -         -         -         4",
        " draw                                 -         -         -         4         -",
        " team_2  Liverpool                    -         -         -         -         4",
        "",
        "amir on draw: win       ada on team_1: lose",
        "      0-0  none               0-0  none",
        "  0'  0-0  winning        0'  0-0  losing",
        "  1'  1-0  losing         1'  1-0  winning",
        " 60'  3-3  winning       60'  3-3  losing",
        " 85'  3-4  losing       120'  3-3  lose",
        " 89'  3-3  winning",
        "120'  3-3  win",
        "",
        "12 bets: 4 win, 8 lose; each one as the rules say",
    ]


def test_happenings_scroll_by_above_the_picture(run: Run, server: DemoServer) -> None:
    assert run.play("istanbul-2005-taken-back", terminal=True)
    assert "  39'  2-0  goal for Milan: no bet changes" in run.lines
    assert "  85'  3-4  goal for Liverpool: draw → losing, team_2 → winning" in run.lines
    assert max(map(len, run.lines)) <= 80


def test_cells_that_just_changed_are_highlighted(run: Run, server: DemoServer) -> None:
    assert run.play(terminal=True)
    assert HIGHLIGHTED.search(run.output)
    assert not HIGHLIGHTED.search(run.output, run.output.rindex("full time"))


def test_a_terminal_without_unicode(run: Run) -> None:
    assert run.play(terminal=True, encoding="ascii")
    assert "goal for France: team_1 -> losing" in run.text
    assert "==o====" in run.text


def test_a_dumb_terminal_gets_lines(run: Run) -> None:
    assert run.play(terminal=True, term="dumb")
    assert run.lines[-1] == "12 bets: 4 win, 8 lose; each one as the rules say"
    assert "\x1b" not in run.output
