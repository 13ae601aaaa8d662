"""Kafka or PostgreSQL away: a clear 503 in time, reads go on, and everything goes on afterwards."""

import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from tests.integration.site import Site, running_site
from tests.integration.system import eventually

SOON = 3.0
"""Seconds within which the contract promises a 503."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


def assert_refused_in_time(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/unavailable"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.elapsed.total_seconds() < SOON


@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_kafka_is_away(site: Site, how: str) -> None:
    client, system = site.system.client, site.system
    event = client.event()["id"]
    bet = client.bet(event, "draw")
    if how == "frozen":
        site.broker.suspend()
    else:
        site.broker.kill()
    for _ in range(2):
        assert_refused_in_time(client.post_event())
        assert_refused_in_time(client.post_bet(event, "team_1", user=f"never-{how}"))
        assert_refused_in_time(client.patch(event, state="active"))
    assert client.get_bet(bet["id"]).json() == bet
    for name in ("events-api", "bets-api"):
        health = httpx.get(f"{system.address(name)}/readyz")
        assert (health.status_code, health.json()["bus"]) == (200, "down")
    if how == "frozen":
        site.broker.resume()
    else:
        site.broker.start()
    eventually(lambda: client.patch(event, state="active").status_code == 200)
    # A frozen broker may have got the other bet, and place it now: its answer said *unknown*.
    eventually(lambda: client.get_bet(bet["id"]).json()["state"] == "winning")
    for name in system.names:
        eventually(partial(system.is_ready, name))
    system.verify()
    # What a killed broker refused was refused for good: no producer sends it later by itself.
    if how == "killed":
        found = client.http.get(f"{client.bets_url}/bets", params={"userId": f"never-{how}"})
        assert found.json()["items"] == []


def test_postgresql_is_away(site: Site) -> None:
    client, system = site.system.client, site.system
    event = client.event()["id"]
    bet = client.bet(event, "draw")
    site.postgres.kill()
    for _ in range(2):
        assert_refused_in_time(client.post_event())
        assert_refused_in_time(client.post_bet(event, "team_1"))
        assert_refused_in_time(client.get_bet(bet["id"]))
    for name in system.names:
        health = httpx.get(f"{system.address(name)}/readyz", timeout=30)
        assert health.status_code == 503
        assert health.json()["database"].startswith("down")
        assert httpx.get(f"{system.address(name)}/livez").status_code == 200
    site.postgres.start()
    eventually(lambda: client.patch(event, state="active").status_code == 200)
    client.becomes(event, draw={"winning": 1})
    for name in system.names:
        eventually(partial(system.is_ready, name))
    system.verify()


def test_every_process_ends_in_time_while_all_is_away(site: Site) -> None:
    site.broker.kill()
    site.postgres.kill()
    try:
        for name in tuple(site.system.running):
            before = time.monotonic()
            assert site.system.stop_one(name) == 0
            assert time.monotonic() - before < 10
    finally:
        site.postgres.start()
