"""Topics that are not there yet, or not as they must be: said clearly, nothing lost, no restart."""

from collections.abc import Iterator
from functools import partial

import pytest
from kafka import KafkaAdminClient

from domain.log import BETS_STATE, EVENTS_TAXONOMY, TOPICS
from tests.integration.promises import IN_TIME, Promises
from tests.integration.site import APIS, Site, running_site
from tests.integration.system import NO_VERDICT, Client, eventually
from tests.standstill import in_time

MISSING = "the topic {} does not exist; type: touchline topics"
ANOTHER_NUMBER = "{} has {} partitions, not 3"


@pytest.fixture(scope="module")
def new_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), has_started=False) as site:
        yield site


@pytest.fixture
def site(new_site: Site) -> Site:
    """One with a migrated database, without topics, on which nothing has run yet."""
    new_site.system.kill()
    new_site.postgres.empty()
    delete_topics(new_site)
    assert new_site.system.command("migrate").returncode == 0
    return new_site


def test_topics_that_are_missing(site: Site) -> None:
    start(site)
    say(site, MISSING.format(EVENTS_TAXONOMY))
    assert_nothing_is_accepted(site)
    create_topics(site, {EVENTS_TAXONOMY: 3})
    say(site, MISSING.format(BETS_STATE), only={"bet-writer-0"})
    assert_all_goes_well_with_topics(site)


@pytest.mark.long
def test_topics_with_another_number_of_partitions(site: Site) -> None:
    create_topics(site, {EVENTS_TAXONOMY: 2, BETS_STATE: 4})
    start(site)
    say(site, ANOTHER_NUMBER.format(EVENTS_TAXONOMY, 2))
    assert_nothing_is_accepted(site)
    done = site.system.command("topics")
    assert done.returncode == 1
    for topic, number in ((EVENTS_TAXONOMY, 2), (BETS_STATE, 4)):
        assert ANOTHER_NUMBER.format(topic, number) in done.stderr
    delete_topics(site)
    assert_all_goes_well_with_topics(site)


@pytest.mark.long
def test_partitions_that_are_added_later(site: Site) -> None:
    """A key would lie elsewhere from then on, and an event's story on two partitions."""
    site.system.start()
    client, promises = site.system.client, Promises(site.system.client)
    event = eventually(partial(new_event, client))
    with promises.kept_busy():
        promises.after(10)
        with KafkaAdminClient(bootstrap_servers=site.broker.bootstrap) as admin:
            admin.create_partitions({EVENTS_TAXONOMY: 5})
        say(site, ANOTHER_NUMBER.format(EVENTS_TAXONOMY, 5))
        promises.after_refusals(10)
    # Each server learns of it by itself: it may have been the other one that refused.
    eventually(lambda: client.post_event().status_code == 503)
    eventually(lambda: client.post_bet(event, "draw").status_code == 503)
    assert_nothing_is_accepted(site)
    eventually(partial(verify_says, site, ANOTHER_NUMBER.format(EVENTS_TAXONOMY, 5)))


def verify_says(site: Site, reason: str) -> bool:
    done = site.system.command("verify")
    assert done.returncode == NO_VERDICT
    return reason in done.stderr


def new_event(client: Client) -> str | None:
    """None where it is not decided in time: the consumers may be just starting."""
    answer = client.post_event()
    return str(answer.json()["id"]) if answer.status_code == 201 else None


def start(site: Site) -> None:
    for name in site.system.names:
        site.system.start_one(name)


def say(site: Site, reason: str, *, only: set[str] | None = None) -> None:
    """Wait until all say why nothing can be written; the servers serve reads."""
    system = site.system
    for name in only or system.names:
        eventually(partial(says, site, name, reason))
    assert all(process.process.poll() is None for process in system.running.values())


def says(site: Site, name: str, reason: str) -> bool:
    health = site.system.health(name)
    if name in APIS:
        return (health.get("status"), health.get("bus_reason")) == ("ok", reason)
    log = site.system.folder / f"{name}.log"
    is_said = reason in health.get("consumer", "") and reason in log.read_text()
    return is_said and health["status"] == "unavailable"


def assert_nothing_is_accepted(site: Site) -> None:
    with in_time(IN_TIME):
        answer = site.system.client.post_event()
    assert answer.status_code == 503, answer.text


def assert_all_goes_well_with_topics(site: Site) -> None:
    """Once they are there; nothing is started again."""
    running = dict(site.system.running)
    site.system.start()
    assert site.system.running == running
    promises = Promises(site.system.client)
    with promises.kept_busy():
        promises.after(10)
    promises.check(site.system)


def create_topics(site: Site, partitions: dict[str, int]) -> None:
    """By hand."""
    configs = {"retention.ms": "-1", "retention.bytes": "-1"}
    with KafkaAdminClient(bootstrap_servers=site.broker.bootstrap) as admin:
        admin.create_topics(
            {
                topic: {"num_partitions": number, "configs": configs}
                for topic, number in partitions.items()
            }
        )


def delete_topics(site: Site) -> None:
    with KafkaAdminClient(bootstrap_servers=site.broker.bootstrap) as admin:
        admin.delete_topics([topic for topic in TOPICS if topic in admin.list_topics()])
        eventually(lambda: not set(TOPICS) & set(admin.list_topics()))
