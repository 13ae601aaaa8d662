"""The demo's verdict on bets that don't end as the rules say."""

import pytest

from domain.bets import BetState, Market
from domain.events import EventState
from entrypoints.demo_player import Waits
from tests.unit.demo_run import PATCH, Run
from tests.unit.demo_server import DemoServer, rightly


@pytest.fixture
def server() -> DemoServer:
    return DemoServer()


@pytest.fixture
def run(server: DemoServer) -> Run:
    return Run(server)


def test_a_wrong_end_is_told_at_once(run: Run, server: DemoServer) -> None:
    server.score = lambda market, event: (
        BetState.WIN
        if event.state is EventState.FINISHED and market is Market.TEAM_2
        else rightly(market, event)
    )
    assert not run.play(waits=Waits())
    assert run.lines[-2:] == [
        "12 bets: 8 win, 4 lose; not all is as the rules say",
        "wrong: 4 bets on team_2: win; the rules say lose",
    ]


def test_bets_that_never_end(run: Run, server: DemoServer) -> None:
    server.score = lambda market, event: (
        BetState.WINNING if event.version == 9 else rightly(market, event)
    )
    assert not run.play()
    assert run.lines[-3:] == [
        "wrong: 4 bets on draw: winning; the rules say win",
        "wrong: 4 bets on team_1: winning; the rules say lose",
        "wrong: 4 bets on team_2: winning; the rules say lose",
    ]


def test_bets_that_lag_dont_hold_the_match_up(run: Run, server: DemoServer) -> None:
    server.score = lambda market, event: (
        BetState.LOSING if event.version == 3 else rightly(market, event)
    )
    assert run.play()
    assert [line for line in run.lines if "(bets lag)" in line] == [
        "23' 1-0  team_1 4 losing  draw 4 losing  team_2 4 losing  goal for Argentina (bets lag)"
    ]


def test_an_accepted_bet_that_is_not_there(run: Run, server: DemoServer) -> None:
    server.watch(PATCH, server.bets.popitem)
    assert not run.play(bets=20)
    assert "wrong: 8 accepted bets can't be found" in run.lines


def test_a_bet_on_another_market(run: Run, server: DemoServer) -> None:
    def move() -> None:
        next(iter(server.bets.values())).market = Market.DRAW

    server.watch(PATCH, move)
    assert not run.play(bets=4)
    assert run.lines[-1] == "wrong: 1 bet on another market than asked for"


def test_a_late_bet_that_is_accepted(run: Run, server: DemoServer) -> None:
    server.accepts_late_bets = True
    assert not run.play()
    assert run.lines[-1] == "wrong: a bet was accepted after kick-off"


def test_bets_on_many_pages(run: Run, server: DemoServer) -> None:
    server.page = 5
    assert run.play()
    assert [body.get("cursor") for body in server.bodies("GET bets:/bets")] == [None, "5", "10"]
