"""Three brokers, three copies of each partition, two of which must have a record before it counts:
one broker may die at any moment, with all that it stored."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from domain.log import BETS_STATE, EVENTS_TAXONOMY, TOPICS
from tests.integration.promises import IN_TIME, Promises
from tests.integration.system import (
    Processes,
    eventually,
    kafka_environment,
    running_processes,
)
from tests.kafka.cluster import BROKERS, MIN_INSYNC, KafkaCluster
from tests.standstill import in_time

OFFSETS = "__consumer_offsets"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    cluster = KafkaCluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, cluster: KafkaCluster) -> Iterator[Processes]:
    folder = tmp_path_factory.mktemp("system")
    with running_processes(folder, environment(folder, cluster)) as system:
        yield system


def environment(folder: Path, cluster: KafkaCluster) -> dict[str, str]:
    return kafka_environment(folder, cluster.settings) | {
        "TOUCHLINE_KAFKA_REPLICATION_FACTOR": str(BROKERS),
        "TOUCHLINE_KAFKA_MIN_INSYNC_REPLICAS": str(MIN_INSYNC),
    }


def become_whole(cluster: KafkaCluster) -> None:
    cluster.start()
    eventually(lambda: cluster.is_whole([*TOPICS, OFFSETS]))


@pytest.mark.parametrize("topic", [EVENTS_TAXONOMY, BETS_STATE, OFFSETS])
def test_a_leader_is_killed(system: Processes, cluster: KafkaCluster, topic: str) -> None:
    promises = Promises(system.client)
    with promises.kept_busy():
        promises.after(10)
        promises.push()
        leader = cluster.leader(topic)
        leader.kill()
        # Two of three go on without it.
        promises.after(30)
        system.are_ready()
        become_whole(cluster)
        promises.after(10)
    promises.check_answers()
    promises.check(system)


def test_a_leader_is_killed_and_its_disk_is_gone(system: Processes, cluster: KafkaCluster) -> None:
    promises = Promises(system.client)
    with promises.kept_busy():
        promises.after(10)
        promises.push()
        leader = cluster.leader()
        leader.kill()
        leader.lose_disk()
        promises.after(10)
        become_whole(cluster)
        # And now that of another one, which holds what the first one has only got back.
        other = cluster.leader()
        other.kill()
        other.lose_disk()
        promises.after(10)
        become_whole(cluster)
        promises.after(10)
    promises.check_answers()
    promises.check(system)


def test_two_of_three_are_killed(system: Processes, cluster: KafkaCluster) -> None:
    client, promises = system.client, Promises(system.client)
    event = client.event()["id"]
    bet = client.bet(event, "draw")
    with promises.kept_busy():
        promises.after(10)
        promises.push()
        for broker in cluster.brokers[:2]:
            broker.kill()
        for _ in range(2):
            for answer in (
                client.post_event(),
                client.post_bet(event, "team_1"),
                client.patch(event, state="active"),
            ):
                assert answer.status_code == 503, answer.text
                assert answer.elapsed.total_seconds() < promises.in_time
        with in_time(IN_TIME):
            eventually(lambda: client.get_bet(bet["id"]).json() == bet)
        promises.after_refusals(3)
        for api, ask in (
            ("events-api", client.post_event),
            ("bets-api", partial(client.post_bet, event, "team_1")),
        ):
            eventually(partial(says_that_kafka_takes_nothing, system, api, ask))
        become_whole(cluster)
        eventually(lambda: client.patch(event, state="active").status_code == 200)
        promises.after(10)
    promises.check_answers()
    promises.check(system)
    system.are_ready()


def says_that_kafka_takes_nothing(
    system: Processes, api: str, ask: Callable[[], httpx.Response]
) -> bool:
    """After one more request that it refused; a broker still answers."""
    assert ask().status_code == 503
    health = system.health(api)
    reason = "Kafka answers, but does not acknowledge all that is published"
    return (health.get("status"), health.get("bus_reason")) == ("ok", reason)
