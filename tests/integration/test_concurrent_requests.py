"""Two thousand requests at once, on both APIs: duplicates, retries, keys, a kick-off in between.

Nothing is there twice, nothing is lost, and nobody is told two things.
"""

import resource
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.crowd import REFUSED, Crowd, Job, Json, Wager
from tests.integration.players import MARKETS
from tests.integration.promises import expected_state
from tests.integration.system import (
    Client,
    System,
    decided,
    eventually,
    running_on_kafka,
    running_up,
)

SCORES = [f"{home}-{away}" for home in range(5) for away in range(5)][1:]
KEYED = {"keyed", "last-moment", "withdrawn"}
ORDER = Random(4)
"""In which requests are sent. How they race is the machine's."""


DESCRIPTORS = 4000
"""A connection for each request, and some room; servers and clients count by themselves."""


@pytest.fixture(scope="module", autouse=True)
def enough_descriptors() -> Iterator[None]:
    """Here, and by inheritance in the servers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class AllAtOnce:
    """A subclass gives a fixture `system`."""

    def test_two_thousand_requests(self, system: System) -> None:
        client = system.client
        events = [client.event()["id"] for _ in range(3)]
        type_of_twins = f"twins {uuid4()}"
        crowd = Crowd(client)
        wanted = wagers(events)
        crowd.wagers += [wager for wagers in wanted.values() for wager in wagers]
        jobs: list[Job] = [
            *(
                partial(crowd.create, str(key), type_of_twins)
                for key in range(40)
                for _ in range(5)
            ),
            *(partial(crowd.place, wager) for wager in wanted["keyed"] for _ in range(3)),
            *(partial(crowd.place, wager) for wager in wanted["unkeyed"]),
            *(partial(crowd.place_and_give_away, wager) for wager in wanted["given-away"]),
            *(partial(crowd.place_and_withdraw, wager) for wager in wanted["withdrawn"]),
            *(partial(crowd.read, event) for event in events for _ in range(75)),
        ]
        kick_offs: list[Job] = [
            partial(crowd.kick_off, event) for event in events[1:] for _ in range(5)
        ]
        goals: list[Job] = [
            partial(crowd.move, event, {"score": score}) for event in events[1:] for score in SCORES
        ]
        ORDER.shuffle(jobs)
        later = [*jobs[len(jobs) // 2 :], *goals]
        ORDER.shuffle(later)
        last_moment: list[Job] = [partial(crowd.place, wager) for wager in wanted["last-moment"]]
        too_late: list[Job] = [
            partial(crowd.place_too_late, wager)
            for wager in wanted["too-late"]
            if wager.event in events[1:]
        ]
        in_order = [*jobs[: len(jobs) // 2], *last_moment, *kick_offs, *last_moment, *later]
        in_order += too_late
        assert len(in_order) >= 2000
        crowd.ask_all(in_order)

        assert set(crowd.statuses) <= {200, 201, 202, 204, 404, 409, 503}, crowd.statuses
        for event in events[1:]:
            versions_are_whole(client, event, crowd)
            client.update(event, state="finished", score="7-0")
        twins_are_one(client, crowd, type_of_twins)
        again = wanted["keyed"] + wanted["last-moment"]
        crowd.ask_all([partial(crowd.place, wager) for wager in again])
        for wager in crowd.wagers:
            assert len(set(wager.answers)) <= 1 + wager.deleted, wager
        for event in events:
            bets_are_those_promised(client, event, crowd)
        for wager in wanted["too-late"]:
            assert set(wager.answers) <= {REFUSED}
        # The race was one: each of the events that kicked off took bets, and refused some.
        for event in events[1:]:
            assert any(w.bet for w in crowd.wagers if w.event == event)
            assert any(REFUSED in w.answers for w in crowd.wagers if w.event == event)
        assert not any(REFUSED in w.answers for w in crowd.wagers if w.event == events[0])
        system.verify()


def wagers(events: list[str]) -> dict[str, list[Wager]]:
    """Each by a user of its own, over all events and markets."""
    parts = {
        "keyed": 250,
        "last-moment": 75,
        "unkeyed": 500,
        "given-away": 60,
        "withdrawn": 60,
        "too-late": 30,
    }
    where = cycle((event, market) for event in events for market in MARKETS)
    return {
        name: [
            Wager(user, *next(where), key=user if name in KEYED else None)
            for user in (f"{name}-{number}" for number in range(number_of))
        ]
        for name, number_of in parts.items()
    }


def versions_are_whole(client: Client, event: str, crowd: Crowd) -> None:
    """Created and kicked off once; every update that was granted is a version, or changed nothing;
    every version was granted, if only to somebody who was not told in time."""
    url = f"{client.events_url}/events/{event}/history"
    history = decided(partial(client.http.get, url)).json()["items"]
    assert [each["version"] for each in history] == list(range(1, len(history) + 1))
    assert [each["state"] for each in history] == ["created", *["active"] * (len(history) - 1)]
    there = {(each["version"], each["score"]) for each in history[1:]}
    granted = {(each["version"], each["score"]) for each in crowd.moves[event]}
    assert granted <= there
    assert granted == there or crowd.statuses[202] or crowd.statuses[503]


def twins_are_one(client: Client, crowd: Crowd, type: str) -> None:
    assert [len(made) for made in crowd.twins.values()] == [1] * 40
    url = f"{client.events_url}/events?type={type}&limit=500"
    there = [each["id"] for each in decided(partial(client.http.get, url)).json()["items"]]
    assert Counter(there) == Counter(event for made in crowd.twins.values() for event in made)


def bets_are_those_promised(client: Client, event: str, crowd: Crowd) -> None:
    """Once settled: all that were promised and not withdrawn, each once, each right; no others but
    those whose placing was left open."""
    now = decided(partial(client.http.get, f"{client.events_url}/events/{event}")).json()
    there = eventually(lambda: settled_bets(client, now))
    assert len({bet["id"] for bet in there}) == len({bet["userId"] for bet in there}) == len(there)
    wagers = [wager for wager in crowd.wagers if wager.event == event]
    holders = {bet["id"]: bet["userId"] for bet in there}
    for wager in wagers:
        if wager.taker is not None and holders.get(wager.bet) == wager.taker:
            wager.user = wager.taker
    promised = {(w.bet, w.user, w.market) for w in wagers if w.bet and not w.deleted}
    found = {(bet["id"], bet["userId"], bet["market"]) for bet in there}
    assert promised <= found
    unknown = {wager.user for wager in wagers if wager.unknown}
    assert {user for _, user, _ in found - promised} <= unknown
    for wager in wagers:
        if wager.bet and wager.deleted:
            assert decided(partial(client.get_bet, wager.bet)).status_code == 404


def settled_bets(client: Client, event: Json) -> list[dict[str, Any]] | None:
    """All bets of the event; None while one of them is not as the event has it."""
    url = f"{client.bets_url}/bets?eventId={event['id']}&limit=100"
    page = decided(partial(client.http.get, url)).json()
    bets: list[dict[str, Any]] = page["items"]
    while page["next"]:
        page = decided(partial(client.http.get, f"{url}&cursor={page['next']}")).json()
        bets += page["items"]
    wanted = {m: expected_state(m, event["state"], event["score"]) for m in MARKETS}
    return bets if all(bet["state"] == wanted[bet["market"]] for bet in bets) else None


class TestUp(AllAtOnce):
    """`touchline up`: everything in one process on the PostgreSQL log."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
        with running_up(tmp_path_factory.mktemp("up")) as system:
            yield system


@pytest.mark.long
class TestKafka(AllAtOnce):
    """Processes on real Kafka, two members in each group."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
        with running_on_kafka(tmp_path_factory.mktemp("kafka"), members=2) as system:
            yield system
