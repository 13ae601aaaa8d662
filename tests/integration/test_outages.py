"""Kafka or PostgreSQL away under load: a clear 503 in time, reads go on, health says what is away,
and everything goes on afterwards by itself."""

import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from tests.integration.promises import IN_TIME, Promises
from tests.integration.reliability.membership import waiting_for_a_lock
from tests.integration.site import Site, running_site
from tests.integration.system import eventually
from tests.standstill import in_time


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def promises(site: Site) -> Iterator[Promises]:
    """Clients at work from before the outage until after it; then all is held to what they
    heard."""
    promises = Promises(site.system.client)
    with promises.kept_busy():
        promises.after(5)
        promises.push()
        yield promises
        site.system.are_ready()
        promises.after(10)
    promises.check_answers()
    promises.check(site.system)


def assert_refused_in_time(promises: Promises, answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/unavailable"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.elapsed.total_seconds() < promises.in_time


@pytest.mark.parametrize("how", [pytest.param("frozen", marks=pytest.mark.long), "killed"])
def test_kafka_is_away(site: Site, promises: Promises, how: str) -> None:
    client = site.system.client
    event = client.event()["id"]
    bet = client.bet(event, "draw")
    if how == "frozen":
        site.broker.suspend()
    else:
        site.broker.kill()
    for _ in range(2):
        assert_refused_in_time(promises, client.post_event())
        assert_refused_in_time(promises, client.post_bet(event, "team_1", user=f"never-{how}"))
        assert_refused_in_time(promises, client.patch(event, state="active"))
    with in_time(IN_TIME):
        eventually(lambda: client.get_bet(bet["id"]).json() == bet)
    site.says_that_kafka_is_away()
    promises.after_refusals(3)
    if how == "frozen":
        site.broker.resume()
    else:
        site.broker.start()
    eventually(lambda: client.patch(event, state="active").status_code == 200)
    # A frozen broker may have got the other bet, and place it now: its answer said *unknown*.
    eventually(lambda: client.get_bet(bet["id"]).json().get("state") == "winning")
    # What a killed broker refused was refused for good: no producer sends it later by itself.
    if how == "killed":
        found = client.http.get(f"{client.bets_url}/bets", params={"userId": f"never-{how}"})
        assert found.json()["items"] == []


def test_postgresql_is_away(site: Site, promises: Promises) -> None:
    client = site.system.client
    event = client.event()["id"]
    bet = client.bet(event, "draw")
    site.postgres.kill()
    for _ in range(2):
        assert_refused_in_time(promises, client.post_event())
        assert_refused_in_time(promises, client.post_bet(event, "team_1"))
        assert_refused_in_time(promises, client.get_bet(bet["id"]))
    site.says_that_postgresql_is_away()
    for name in site.system.names:
        assert httpx.get(f"{site.system.address(name)}/livez").status_code == 200
    promises.after_refusals(3)
    site.postgres.start()
    eventually(lambda: client.patch(event, state="active").status_code == 200)
    client.becomes(event, draw={"winning": 1})


def test_kafka_goes_away_before_the_scorer_has_told(site: Site) -> None:
    """It has read of a goal, and what it says of it is not taken by anybody."""
    client = site.system.client
    event = client.event()["id"]
    for market in ("team_1", "draw"):
        client.bet(event, market)
    client.update(event, state="active")
    client.becomes(event, team_1={"losing": 1}, draw={"winning": 1})
    with site.postgres.cursor() as cursor:
        # The Scorer waits for the bets; the others have nothing to do with them.
        cursor.execute("LOCK TABLE bets IN ACCESS EXCLUSIVE MODE")
        client.update(event, score="1-0")
        eventually(partial(waiting_for_a_lock, site, "bet-scorer"))
        site.broker.kill()
    site.says_that_kafka_is_away()
    site.broker.start()
    client.becomes(event, team_1={"winning": 1}, draw={"losing": 1})
    site.system.are_ready()
    site.system.verify()


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
