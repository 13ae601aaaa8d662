"""Records that are gone: harmless when all had read them, said aloud when not."""

import re
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import httpx
import pytest
from kafka import KafkaAdminClient, TopicPartition

from domain.log import EVENTS_TAXONOMY, PARTITIONS, TOPICS
from tests.integration.promises import Promises
from tests.integration.site import Site, running_site
from tests.integration.system import CONSUMERS, Client, Processes, eventually

LOST = re.compile(r"^touchline_consumer_history_lost\{.*\} 1\.0$", re.MULTILINE)
MEMBERS = tuple(f"{name}-0" for name in CONSUMERS)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as site:
        yield site


@pytest.mark.long
def test_records_that_were_removed_when_all_had_read_them(site: Site) -> None:
    """Retention that is just long enough harms nobody, running or started again."""
    promises = Promises(site.system.client)
    with promises.kept_busy():
        for _ in range(2):
            promises.after(10)
            remove_records(site, read_by_all(site))
            promises.after(10)
            # The signal itself would end who is just starting.
            site.system.are_ready()
            for name in MEMBERS:
                assert site.system.stop_one(name) == 0
                site.system.start_one(name)
        promises.after(10)
    promises.check_answers()
    promises.check(site.system)


def test_records_that_were_removed_unread(site: Site) -> None:
    """Retention was too short: the log's start lies above the position."""
    event = site.system.client.event()["id"]
    for name in MEMBERS:
        assert site.system.stop_one(name) == 0
    eventually(partial(is_told, site.system.client, event))
    remove_records(site, dict.fromkeys(range(PARTITIONS), -1))
    assert_said(site, "the log starts at")
    found = site.system.client.http.get(f"{site.system.client.events_url}/events/{event}")
    assert found.json()["state"] == "created"


@pytest.mark.long
def test_a_new_log_after_a_loss(site: Site) -> None:
    """As docs/operations.md says: what nobody had read is given up, and all else goes on."""
    system = site.system
    event = system.client.event()["id"]
    for name in MEMBERS:
        assert system.stop_one(name) == 0
    eventually(partial(is_told, system.client, event))
    remove_records(site, dict.fromkeys(range(PARTITIONS), -1))
    assert_said(site, "the log starts at")
    system.kill()
    with KafkaAdminClient(bootstrap_servers=site.broker.bootstrap) as admin:
        admin.delete_topics(list(TOPICS))
        eventually(lambda: not set(TOPICS) & set(admin.list_topics()))
    system.start()
    eventually(lambda: system.client.patch(event, state="active").status_code == 200)
    system.verify()


def test_a_tail_that_was_lost(site: Site, tmp_path: Path) -> None:
    """The broker came back with an older disk: the log's end lies below the position."""
    event = site.system.client.event()["id"]
    site.broker.stop()
    backup = tmp_path / "backup"
    shutil.copytree(site.broker.data, backup)
    site.broker.start()
    eventually(lambda: site.system.client.patch(event, state="active").status_code == 200)
    # Who had not read the kick-off yet would miss nothing.
    eventually(lambda: have_read_the_same(site))
    for name in MEMBERS:
        assert site.system.stop_one(name) == 0
    site.broker.stop()
    site.broker.lose_disk()
    shutil.copytree(backup, site.broker.data)
    site.broker.start()
    assert_said(site, "the log ends at")


def is_told(client: Client, event: str) -> bool:
    """Whether the log has the kick-off, now that nobody reads it."""
    asked = client.patch(event, state="active", headers={"Prefer": "respond-async"})
    return asked.status_code == 202


def read_by_all(site: Site) -> dict[int, int]:
    """By partition of events.taxonomy, the offset below which no consumer reads any more; some lie
    above the log's start."""
    return eventually(partial(_read_by_all, site))


def _read_by_all(site: Site) -> dict[int, int] | None:
    with site.postgres.cursor() as cursor:
        cursor.execute(
            "SELECT partition, min(next_offset) FROM positions WHERE topic = %s"
            " GROUP BY partition HAVING count(*) = %s",  # who has no row has read nothing
            (EVENTS_TAXONOMY, len(CONSUMERS)),
        )
        found = dict(cursor.fetchall())
    return found if len(found) == PARTITIONS and any(found.values()) else None


def have_read_the_same(site: Site) -> bool:
    """Whether all consumers stand at one place of each partition of events.taxonomy."""
    with site.postgres.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT next_offset) FROM positions WHERE topic = %s GROUP BY partition",
            (EVENTS_TAXONOMY,),
        )
        return {places for (places,) in cursor.fetchall()} == {1}


def remove_records(site: Site, before: Mapping[int, int]) -> None:
    """As retention does; -1: all."""
    with KafkaAdminClient(bootstrap_servers=site.broker.bootstrap) as admin:
        admin.delete_records(
            {TopicPartition(EVENTS_TAXONOMY, number): offset for number, offset in before.items()}
        )


def assert_said(site: Site, reason: str) -> None:
    """Every consumer stands still and says why: in its health, its metrics and its log."""
    for name in MEMBERS:
        site.system.start_one(name)
    for name in MEMBERS:
        health = eventually(partial(lost_health, site.system, name))
        assert reason in health["consumer"]
        assert LOST.search(site.system.metrics(name))
        eventually(partial(log_says, site.system, name, "history was lost"))


def log_says(system: Processes, name: str, words: str) -> bool:
    return words in (system.folder / f"{name}.log").read_text()


def lost_health(system: Processes, name: str) -> dict[str, str] | None:
    try:
        answer = httpx.get(f"{system.address(name)}/readyz", timeout=30)
    except httpx.TransportError:
        return None
    found: dict[str, str] = answer.json()
    is_lost = answer.status_code == 503 and "the log" in found["consumer"]
    return found if is_lost else None
