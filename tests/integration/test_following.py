"""One goal is followed by one id through all five processes, and what it took is measured."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.system import PATIENT, Processes, eventually, running_processes

HOPS = {
    "events-api": "published",
    "event-writer-0": "accepted",
    "bet-scorer-0": "scored",
    "bet-writer-0": "written",
    "bets-api": "told",
}
"""What each process says of a goal that moves bets."""


@pytest.fixture
def system(fresh_database: str, tmp_path: Path) -> Iterator[Processes]:
    environment = {
        "TOUCHLINE_DATABASE_URL": fresh_database,
        "TOUCHLINE_BUS": "postgres",
        "TOUCHLINE_LOG_FORMAT": "json",
    }
    with running_processes(tmp_path, environment, PATIENT) as running:
        yield running


def lines(system: Processes, name: str) -> list[dict[str, Any]]:
    """What the process has logged, whole lines."""
    text = (system.folder / f"{name}.log").read_text()
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def said(system: Processes, name: str, request_id: str) -> list[dict[str, Any]]:
    return [line for line in lines(system, name) if line.get("request_id") == request_id]


def sample(system: Processes, name: str, wanted: str, **labels: str) -> float | None:
    found = [
        each.value
        for family in text_string_to_metric_families(system.metrics(name))
        for each in family.samples
        if each.name == wanted and labels.items() <= each.labels.items()
    ]
    return sum(found) if found else None


def test_one_goal_through_all_five_processes(system: Processes) -> None:
    client = system.client
    event = client.event()["id"]
    for market in ("team_1", "draw", "team_2"):
        client.bet(event, market)
    client.update(event, state="active")
    measured = "touchline_goal_to_last_bet_seconds_count"
    eventually(lambda: sample(system, "bet-scorer-0", measured) == 1)
    with httpx.stream("GET", f"{client.bets_url}/stream", timeout=30) as stream:
        told = stream.iter_lines()  # kept: without it the stream would end
        assert "event: reached" in told
        eventually(lambda: sample(system, "bets-api", "touchline_open_streams") == 1)
        goal = client.patch(event, score="1-0", headers={"X-Request-ID": "whistle-7"})
        request_id = goal.headers["X-Request-ID"]
        for name in HOPS:
            eventually(lambda name=name: said(system, name, request_id))  # type: ignore[misc]
    eventually(lambda: sample(system, "bets-api", "touchline_open_streams") == 0)

    history = client.http.get(f"{client.events_url}/events/{event}/history").json()["items"]
    assert history[-1]["message_id"] == request_id
    story = {name: said(system, name, request_id) for name in HOPS}
    assert {name: {line["event"] for line in found} for name, found in story.items()} == {
        name: {hop} for name, hop in HOPS.items()
    }
    every_line = [line for found in story.values() for line in found]
    assert {(line["event_id"], line["event_version"]) for line in every_line} == {(event, 3)}
    places = {
        (line["topic"], line["partition"], line["offset"])
        for line in every_line
        if line["event"] != "written"
    }
    assert len(places) == 1, "all but the Bet Writer name the place of the request"
    assert {line["topic"] for line in story["bet-writer-0"]} == {"bets.state"}
    (scored,) = story["bet-scorer-0"]
    written = story["bet-writer-0"]
    assert (scored["slices"], scored["bets"]) == (2, 2)
    assert sum(line["bets"] for line in written) == 2
    (published,) = story["events-api"]
    assert published["client_request_id"] == "whistle-7"
    eventually(lambda: sample(system, "bet-scorer-0", measured) == 2)
    assert_measured(system)


def assert_measured(system: Processes) -> None:
    steps = {"poll", "decode", "decide", "write", "commit"}
    for name in ("event-writer", "bet-writer", "bet-scorer"):
        for step in steps | ({"publish"} if name == "bet-scorer" else set()):
            count = "touchline_consumer_step_seconds_count"
            assert sample(system, f"{name}-0", count, consumer=name, step=step), (name, step)
        batches = "touchline_consumer_batch_records_sum"
        assert sample(system, f"{name}-0", batches, consumer=name, topic="events.taxonomy")
        age = sample(system, f"{name}-0", "touchline_consumer_turn_age_seconds", consumer=name)
        assert age is not None
    eventually(lambda: sample(system, "bets-api", "touchline_bets", state="winning") == 1)
