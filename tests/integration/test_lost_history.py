"""A database that went back, and a log that is not what it was: caught up with, or said aloud."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from kafka import KafkaAdminClient, TopicPartition

from adapters.kafka.topics import create_topics
from domain.log import EVENTS_TAXONOMY, PARTITIONS, TOPICS
from tests.integration.site import Site, running_site
from tests.integration.system import CONSUMERS, Processes, eventually

MEMBERS = tuple(f"{name}-0" for name in CONSUMERS)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as site:
        yield site


def test_a_database_from_a_backup_catches_up(site: Site) -> None:
    client = site.system.client
    event = client.event()["id"]
    for market in ("team_1", "draw", "team_2"):
        client.bet(event, market)
    client.update(event, state="active")
    client.update(event, score="1-0")
    dump = site.postgres.dump()
    other = client.event()["id"]
    client.bet(other, "draw")
    for change in ({"score": "1-1"}, {"score": "1-2"}, {"state": "finished"}):
        client.update(event, **change)
    client.update(other, state="active")
    site.system.verify()
    site.system.kill()
    site.postgres.restore(dump)
    site.system.start()
    client.becomes(event, team_1={"lose": 1}, draw={"lose": 1}, team_2={"win": 1})
    client.becomes(other, draw={"winning": 1})
    site.system.verify()


def test_a_topic_recreated_under_running_consumers(site: Site) -> None:
    client = site.system.client
    event = client.event()["id"]
    client.bet(event, "team_1")
    client.update(event, state="active")
    client.becomes(event, team_1={"losing": 1})
    admin = KafkaAdminClient(bootstrap_servers=site.broker.bootstrap)
    admin.delete_topics(list(TOPICS))
    eventually(lambda: not set(TOPICS) & set(admin.list_topics()))
    create_topics(site.broker.bootstrap)
    admin.close()
    eventually(lambda: client.patch(event, score="1-0").status_code in {200, 202})
    client.becomes(event, team_1={"winning": 1})
    new = eventually(lambda: client.post_event().json().get("id"))
    eventually(lambda: client.post_bet(new, "draw").status_code == 201)
    site.system.verify()


def test_records_that_were_removed_unread(site: Site) -> None:
    """Retention was too short: the log's start lies above the position."""
    event = site.system.client.event()["id"]
    for name in MEMBERS:
        assert site.system.stop_one(name) == 0
    later = site.system.client.patch(event, state="active", headers={"Prefer": "respond-async"})
    assert later.status_code == 202
    admin = KafkaAdminClient(bootstrap_servers=site.broker.bootstrap)
    ends = {TopicPartition(EVENTS_TAXONOMY, partition): -1 for partition in range(PARTITIONS)}
    admin.delete_records(ends)
    admin.close()
    assert_said(site, "the log starts at")
    assert (
        site.system.client.http.get(f"{site.system.client.events_url}/events/{event}").json()[
            "state"
        ]
        == "created"
    )


def test_a_tail_that_was_lost(site: Site, tmp_path: Path) -> None:
    """The broker came back with an older disk: the log's end lies below the position."""
    event = site.system.client.event()["id"]
    site.broker.stop()
    backup = tmp_path / "backup"
    shutil.copytree(site.broker.data, backup)
    site.broker.start()
    eventually(lambda: site.system.client.patch(event, state="active").status_code == 200)
    for name in MEMBERS:
        assert site.system.stop_one(name) == 0
    site.broker.stop()
    site.broker.lose_disk()
    shutil.copytree(backup, site.broker.data)
    site.broker.start()
    assert_said(site, "the log ends at")


def assert_said(site: Site, reason: str) -> None:
    """Every consumer stands still and says why: in its health, its metrics and its log."""
    for name in MEMBERS:
        site.system.start_one(name)
    for name in MEMBERS:
        health = eventually(partial(lost_health, site.system, name))
        assert reason in health["consumer"]
        assert "touchline_consumer_history_lost" in site.system.metrics(name)
        eventually(partial(log_says, site.system, name, "history was lost"))


def log_says(system: Processes, name: str, words: str) -> bool:
    return words in (system.folder / f"{name}.log").read_text()


def lost_health(system: Processes, name: str) -> dict[str, str] | None:
    try:
        answer = httpx.get(f"{system.address(name)}/readyz")
    except httpx.TransportError:
        return None
    found: dict[str, str] = answer.json()
    is_lost = answer.status_code == 503 and "the log" in found["consumer"]
    return found if is_lost else None
