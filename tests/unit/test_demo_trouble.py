"""The demo when servers are away, slow, not Touchline, or wrong; and when it is stopped."""

import asyncio
import signal
import time
from collections.abc import Callable

import httpx
import pytest

from entrypoints.demo import DemoFailed
from entrypoints.demo_client import Servers
from entrypoints.demo_player import Waits
from tests.unit.demo_run import PATCH, PATIENT, TALLY, Run
from tests.unit.demo_server import (
    BETS_URL,
    EVENTS_URL,
    Answer,
    DemoServer,
    problem,
    unavailable,
)


@pytest.fixture
def server() -> DemoServer:
    return DemoServer()


@pytest.fixture
def run(server: DemoServer) -> Run:
    return Run(server)


# Retries and late decisions

ROUTES = [
    "GET events:/readyz",
    "GET bets:/readyz",
    "POST events:/events",
    "POST bets:/bets",
    "PATCH events:/events/ID",
    "GET bets:/bets/ID/history",
    "GET bets:/bets",
]


@pytest.mark.parametrize("trouble", [unavailable, lambda: httpx.ConnectError("refused")])
def test_trouble_that_passes_changes_nothing(
    trouble: Callable[[], Answer], run: Run, server: DemoServer
) -> None:
    for route in ROUTES:
        server.prepared[route] += [trouble(), trouble()]
    assert run.play(waits=PATIENT)
    assert not any(server.prepared.values())
    assert len(server.bets) == 12
    assert server.event.version == 9


def test_retries_wait_as_long_as_the_server_says_or_ever_longer(server: DemoServer) -> None:
    server.prepared[ROUTES[0]] += [
        unavailable("7"),
        httpx.ConnectError("refused"),
        unavailable("Wed, 21 Oct 2015 07:28:00 GMT"),
        unavailable("3"),
        *(httpx.ReadTimeout("slow") for _ in range(3)),
    ]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def greet() -> None:
        async with httpx.AsyncClient(transport=server.transport) as http:
            servers = Servers(
                http, events_url=EVENTS_URL, bets_url=BETS_URL, patience=0, delay=0.1, sleep=sleep
            )
            await servers.greet(patience=10)

    asyncio.run(greet())
    assert slept == [7, 0.2, 0.4, 3, 1.6, 2, 2]


def test_a_lost_answer_is_asked_for_again(run: Run, server: DemoServer) -> None:
    server.lost.update({"POST events:/events": 1, "POST bets:/bets": 3, PATCH: 2})
    assert run.play(waits=PATIENT)
    assert len(server.bodies("POST bets:/bets")) == 12 + 3 + 1
    assert len(server.bets) == 12
    assert server.event.version == 9


def test_a_tally_that_fails_holds_nobody_up(run: Run, server: DemoServer) -> None:
    server.prepared[TALLY] += [unavailable("60"), unavailable("60")]
    assert run.play()


def test_202_is_followed_until_decided(run: Run, server: DemoServer) -> None:
    server.undecided = 2
    assert run.play(waits=PATIENT)
    assert server.routes().count("GET bets:/bets/ID") == 13 * 3
    assert server.routes().count("GET events:/events/ID") == 9 * 3
    assert "0' 0-0  larry bets too late: event-not-open" in run.lines


def test_202_that_is_never_decided(run: Run, server: DemoServer) -> None:
    server.undecided = 10**6
    with pytest.raises(DemoFailed, match=r"/events/.* was still undecided after 0.1 s"):
        run.play()


# What can't be played


@pytest.mark.parametrize(("route", "url"), [(ROUTES[0], EVENTS_URL), (ROUTES[1], BETS_URL)])
def test_servers_away(route: str, url: str, run: Run, server: DemoServer) -> None:
    server.prepared[route] += [httpx.ConnectError("refused")] * 9
    with pytest.raises(DemoFailed, match=f"{url}: start Touchline with `make run` or `touchline"):
        run.play()
    assert run.lines == []


def test_servers_away_later(run: Run, server: DemoServer) -> None:
    server.prepared["POST bets:/bets"] += [httpx.ReadError("reset")] * 999
    with pytest.raises(DemoFailed, match=rf"lost the connection to {BETS_URL} \(ReadError\)"):
        run.play()


def test_a_server_that_stays_unavailable(run: Run, server: DemoServer) -> None:
    server.prepared[PATCH] += [unavailable() for _ in range(999)]
    with pytest.raises(DemoFailed, match=f"{EVENTS_URL} is not available: because unavailable"):
        run.play()


def test_a_refusal_names_the_request_and_the_reason(run: Run, server: DemoServer) -> None:
    server.prepared[PATCH].append(problem(409, "event-conflict"))
    with pytest.raises(DemoFailed, match=r"PATCH .*/events/.* answered 409: because event-conf"):
        run.play()


def test_an_update_that_another_client_overtook(run: Run, server: DemoServer) -> None:
    server.prepared[PATCH].append(httpx.Response(200, json={"state": "finished", "version": 7}))
    with pytest.raises(DemoFailed, match="somebody else changed the event"):
        run.play()


@pytest.mark.parametrize("body", [b"<h1>It works!</h1>", b"[]"])
def test_some_other_server(body: bytes, run: Run, server: DemoServer) -> None:
    server.prepared[ROUTES[0]].append(httpx.Response(200, content=body))
    with pytest.raises(DemoFailed, match=f"{EVENTS_URL} is no Touchline server"):
        run.play()


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8001", "http://", "ftp://127.0.0.1", "http://127.0.0.1:port", ""]
)
def test_no_address_of_a_server(url: str, run: Run) -> None:
    with pytest.raises(DemoFailed, match="is no address of a server, such as"):
        run.play(events_url=url)


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_no_speed(speed: float, run: Run) -> None:
    with pytest.raises(DemoFailed, match=f"speed must be above 0 .*, not {speed}"):
        run.play(speed=speed)


def test_no_bets(run: Run) -> None:
    with pytest.raises(DemoFailed, match="number of bets must be 1 or more, not 0"):
        run.play(bets=0)


# Stopping


@pytest.mark.parametrize(
    ("route", "terminal"), [*((route, False) for route in [*ROUTES[:5], TALLY]), (PATCH, True)]
)
def test_stop_ends_it_at_once(route: str, terminal: bool, run: Run, server: DemoServer) -> None:
    server.watch(route, run.stop.set)
    server.prepared[route] += [unavailable("2")] * 99
    began = time.monotonic()
    assert not run.play(speed=None, waits=Waits(), terminal=terminal)
    assert time.monotonic() - began < 1
    assert run.lines[-1] == "stopped; the match stays as it is"


def test_ctrl_c_ends_it_at_once(run: Run, server: DemoServer) -> None:
    server.watch(PATCH, lambda: signal.raise_signal(signal.SIGINT))
    assert not run.play(speed=None)
    assert run.stop.is_set()
    assert run.lines[-1] == "stopped; the match stays as it is"
