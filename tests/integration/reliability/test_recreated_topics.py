"""Topics that are deleted and made anew under running consumers: another log begins. What was read
of the earlier one stays, and what was not read of it is made up for from the tables."""

from collections.abc import Collection, Iterator

import pytest
from kafka import KafkaAdminClient

from adapters.kafka.topics import create_topics
from domain.log import BETS_STATE, EVENTS_TAXONOMY, TOPICS
from tests.integration.promises import Promises
from tests.integration.site import Site, running_site
from tests.integration.system import CONSUMERS, eventually

NOBODY = "nobody"
EACH = ([EVENTS_TAXONOMY], [BETS_STATE], list(TOPICS))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


def cases() -> Iterator[object]:
    for behind in (NOBODY, *CONSUMERS):
        for topics in EACH:
            name = "+".join(topics)
            is_short = behind == NOBODY and len(topics) == len(TOPICS)
            marks = () if is_short else pytest.mark.long
            yield pytest.param(topics, behind, id=f"{name}-{behind} behind", marks=marks)


@pytest.mark.parametrize(("topics", "behind"), list(cases()))
def test_topics_are_made_anew(site: Site, topics: Collection[str], behind: str) -> None:
    system = site.system
    promises = Promises(system.client)
    with promises.kept_busy():
        promises.after(10)
        if behind != NOBODY:
            fall_behind(site, promises, behind)
        promises.push()
        recreate(site, topics)
        if behind != NOBODY:
            system.start_one(f"{behind}-0")
        system.are_ready()
        promises.after(20)
    promises.check_answers()
    promises.check(system)


def fall_behind(site: Site, promises: Promises, who: str) -> None:
    """Stop it while the others go on."""
    system = site.system
    if who == "bet-writer":  # also behind what the Scorer tells of what it has read itself
        assert system.stop_one("bet-scorer-0") == 0
        after_more_answers(promises, 15)
    assert system.stop_one(f"{who}-0") == 0
    if who == "bet-writer":
        system.start_one("bet-scorer-0")
        eventually(lambda: has_scored_all(site))
    after_more_answers(promises, 15)


def has_scored_all(site: Site) -> bool:
    """Whether the Scorer has come as far as the Bet Writer."""
    with site.postgres.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM positions scorer JOIN positions writer"
            " USING (topic, partition, log_id) WHERE topic = 'events.taxonomy'"
            " AND scorer.consumer = 'bet-scorer' AND writer.consumer = 'bet-writer'"
            " AND scorer.next_offset < writer.next_offset AND log_id ="
            " (SELECT log_id FROM logs WHERE topic = 'events.taxonomy'"
            " ORDER BY generation DESC LIMIT 1)"
        )
        return cursor.fetchone() == (0,)


def after_more_answers(promises: Promises, more: int) -> None:
    """Also such as are only 202, for nobody decides."""
    wanted = sum(promises.answers.values()) + more
    eventually(lambda: sum(promises.answers.values()) >= wanted or None)


def recreate(site: Site, topics: Collection[str]) -> None:
    with KafkaAdminClient(bootstrap_servers=site.broker.bootstrap) as admin:
        admin.delete_topics(list(topics))
        eventually(lambda: not set(topics) & set(admin.list_topics()))
    create_topics(site.broker.settings, list(topics))
