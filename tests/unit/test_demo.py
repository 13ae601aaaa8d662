"""The demo's replay, and its lines, against a server that follows the contract."""

import time
from itertools import groupby

import pytest

from entrypoints.matches import MATCHES
from tests.unit.demo_run import PATCH, TALLY, Run
from tests.unit.demo_server import DemoServer

AMIRS_WAY = (
    "amir on draw: none, 0' 0-0 winning, 23' 1-0 losing, 81' 2-2 winning, "
    "108' 3-2 losing, 118' 3-3 winning, 120' 3-3 win"
)
ADAS_WAY = (
    "ada on team_1: none, 0' 0-0 losing, 23' 1-0 winning, 81' 2-2 losing, "
    "108' 3-2 winning, 118' 3-3 losing, 120' 3-3 lose"
)


@pytest.fixture
def server() -> DemoServer:
    return DemoServer()


@pytest.fixture
def run(server: DemoServer) -> Run:
    return Run(server)


def test_requests_in_order(run: Run, server: DemoServer) -> None:
    assert run.play()
    told = [route for route, _ in groupby(r for r in server.routes() if r != TALLY)]
    assert told == [
        "GET events:/readyz",
        "GET bets:/readyz",
        "POST events:/events",
        "POST bets:/bets",
        "PATCH events:/events/ID",
        "POST bets:/bets",
        "PATCH events:/events/ID",
        "GET bets:/bets/ID/history",
        "GET bets:/bets",
    ]
    assert server.bodies("POST events:/events") == [
        {
            "type": "football",
            "team_1": "Argentina",
            "team_2": "France",
            "event_date": "2022-12-18T15:00:00+00:00",
        }
    ]
    assert server.bodies("PATCH events:/events/ID") == [
        {"state": "active"},
        *({"score": score} for score in ("1-0", "2-0", "2-1", "2-2", "3-2", "3-3")),
        {"state": "finished", "score": "3-3"},
    ]


def test_bets_on_all_markets_by_many(run: Run, server: DemoServer) -> None:
    assert run.play(bets=97)
    *bets, late = server.bodies("POST bets:/bets")
    assert {body["eventId"] for body in bets} == {str(server.event.id)}
    assert [body["market"] for body in bets].count("draw") == 32
    assert len({body["userId"] for body in bets}) == 32
    assert len({(body["userId"], body["market"]) for body in bets}) == 96
    assert late["userId"] not in {body["userId"] for body in bets}


def test_plain_lines(run: Run, server: DemoServer) -> None:
    assert run.play()
    assert run.lines == [
        "World Cup 2022, final",
        "Argentina v France, 2022-12-18; 120 minutes in 0 s",
        f"event {server.event.id}",
        "12 bets by 12 players",
        "0' 0-0  team_1 4 losing  draw 4 winning  team_2 4 losing  kick-off",
        "0' 0-0  larry bets too late: event-not-open",
        "23' 1-0  team_1 4 winning  draw 4 losing  team_2 4 losing  goal for Argentina",
        "36' 2-0  team_1 4 winning  draw 4 losing  team_2 4 losing  goal for Argentina",
        "80' 2-1  team_1 4 winning  draw 4 losing  team_2 4 losing  goal for France",
        "81' 2-2  team_1 4 losing  draw 4 winning  team_2 4 losing  goal for France",
        "108' 3-2  team_1 4 winning  draw 4 losing  team_2 4 losing  goal for Argentina",
        "118' 3-3  team_1 4 losing  draw 4 winning  team_2 4 losing  goal for France",
        "120' 3-3  team_1 4 lose  draw 4 win  team_2 4 lose  full time",
        AMIRS_WAY,
        ADAS_WAY,
        "12 bets: 4 win, 8 lose; each one as the rules say",
    ]


@pytest.mark.parametrize("name", MATCHES)
def test_every_match_ends_right(name: str, run: Run) -> None:
    assert run.play(name)
    assert run.lines[-1] == "12 bets: 4 win, 8 lose; each one as the rules say"


def test_a_goal_taken_back_is_told(run: Run) -> None:
    assert run.play("istanbul-2005-taken-back")
    line = "89' 3-3  team_1 4 losing  draw 4 winning  team_2 4 losing  goal of Liverpool taken back"
    assert line in run.lines


def test_one_bet_is_enough(run: Run) -> None:
    assert run.play("world-cup-2014", bets=1)
    assert run.lines[-1] == "1 bet: 0 win, 1 lose; each one as the rules say"


# The clock


def test_no_goal_falls_before_its_minute(run: Run, server: DemoServer) -> None:
    at: list[float] = []
    server.watch(PATCH, lambda: at.append(time.monotonic()))
    assert run.play("world-cup-2014", speed=400)
    minutes = [(now - at[0]) * 400 for now in at]
    due = [0, 11, 23, 24, 26, 29, 69, 79, 90, 90]
    assert all(minute > each - 1 for minute, each in zip(minutes, due, strict=True))


def test_a_whole_match_takes_45_seconds(run: Run, server: DemoServer) -> None:
    server.watch(PATCH, run.stop.set)
    run.play(speed=None)
    assert "Argentina v France, 2022-12-18; 120 minutes in 45 s" in run.lines
