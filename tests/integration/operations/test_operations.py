"""docs/operations.md on Kafka: a database that is lost and restored, tables that are built anew
from the topics, and the move from the embedded default."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient

from domain.log import EVENTS_TAXONOMY, PARTITIONS, TOPICS, NewRecord
from tests.contracts.logs import placed_record
from tests.integration.operations.procedure import arguments, attempt, follow
from tests.integration.operations.tables import contents, deletions, versions_of_bets
from tests.integration.players import MARKETS, MatchBet, MatchEvent
from tests.integration.promises import Promises
from tests.integration.site import Site, running_site
from tests.integration.system import (
    NO_VERDICT,
    Client,
    Process,
    Processes,
    System,
    Up,
    eventually,
)

URL = "TOUCHLINE_DATABASE_URL"
PATIENT = {"TOUCHLINE_ANSWER_WAIT_MS": "30000"}
"""So that also on a busy machine each step of a match is answered before the next one."""

UNREADABLE = NewRecord(EVENTS_TAXONOMY, b"no-event", b"no message")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), has_started=False) as site:
        site.system.environment |= {URL: plain(site.postgres.url)} | PATIENT
        site.system.start()
        yield site


def plain(url: str) -> str:
    """As PostgreSQL's own programs read it, too."""
    return url.replace("postgresql+psycopg2:", "postgresql:")


def refused() -> NewRecord:
    """A bet on no event. The APIs ask for one only by chance: when an event moves on meanwhile."""
    return placed_record(str(uuid4()), MARKETS[0])


def test_a_lost_database_is_restored(site: Site) -> None:
    system = site.system
    promises = Promises(system.client)
    system.append(UNREADABLE)
    with promises.kept_busy():
        promises.after(15)
        type_in(system, "Take a dump")
        in_dump = deletions(system.environment[URL])
        promises.after(25)
        promises.push()
        for notes in (promises.notes.bets, promises.notes.events):
            eventually(partial(any_deleted, notes, in_dump))
    system.append(UNREADABLE)
    system.verify()
    type_in(system, "Keep the deletions")
    before = contents(system.environment[URL])
    stop_all(system)

    system.environment[URL] = plain(site.postgres.new_database("restored"))
    type_in(system, "Restore a dump")
    in_dump = deletions(system.environment[URL])
    system.start()
    system.verify()
    # Nothing is lost but deletions since the dump: what they were about is there again.
    for bet in promises.notes.bets.values():
        if bet.is_deleted:
            assert system.client.get_bet(bet.id).status_code == (404 if bet.id in in_dump else 200)
    restored = contents(system.environment[URL])
    assert restored["letters"] == before["letters"]
    assert len(restored["letters"]) == 2
    assert set(before["bets"]) < set(restored["bets"])
    assert set(before["versions"]) < set(restored["versions"])

    type_in(system, "Apply the deletions")
    promises.check(system)
    assert contents(system.environment[URL]) == before


def test_the_tables_are_built_anew(site: Site) -> None:
    system = site.system
    old = system.environment[URL]
    with Promises(system.client).kept_busy():
        system.append(UNREADABLE, refused())
        # Something of everything: also a deletion.
        eventually(lambda: all(contents(old).values()))
    system.verify()
    before = contents(old)
    type_in(system, "Keep the deletions")
    stop_all(system)
    system.environment[URL] = plain(site.postgres.new_database("rebuilt"))
    type_in(system, "Make the tables")
    system.start_one("event-writer-0")
    eventually(lambda: has_caught_up(system, "event-writer-0"))
    system.start()
    system.verify()
    assert contents(system.environment[URL]) == before
    was, now = versions_of_bets(old), versions_of_bets(system.environment[URL])
    assert all(now[bet] >= version for bet, version in was.items())


def test_from_the_embedded_default_to_kafka(site: Site, tmp_path: Path) -> None:
    system = site.system
    stop_all(system)
    remove_topics(site)
    up = Up(tmp_path)
    up.environment |= {"TOUCHLINE_DATA": str(tmp_path / ".touchline")} | PATIENT
    up.start()
    try:
        match = HalfPlayed(up.client)
        promises = Promises(up.client)
        with promises.kept_busy():
            promises.after(15)
        told = up.log(EVENTS_TAXONOMY)
    finally:
        assert up.stop() == 0
    last = Process(arguments("Let it finish"), up.environment, tmp_path / "last.log")
    try:
        last.line("^touchline ready")
        eventually(lambda: is_read(tmp_path, up))
        type_at(tmp_path, up, "Dump the embedded database")
    finally:
        assert last.stop() == 0

    system.environment[URL] = plain(site.postgres.new_database("moved"))
    type_at(tmp_path, system, "Carry the database over")
    system.start()
    # What was told in the log that stayed behind changes nothing, should anybody say it again.
    system.append(*(NewRecord(EVENTS_TAXONOMY, each.key, each.value) for each in told))
    match.play_on(system.client)
    promises.client = system.client
    promises.push()
    later = Promises(system.client)
    with later.kept_busy():
        later.after(15)
    for each in (promises, later):
        each.check(system)


class HalfPlayed:
    """A match that has begun, and one that is open."""

    def __init__(self, client: Client) -> None:
        self.event = client.event()["id"]
        self.bets = {
            market: client.post_bet(self.event, market, key=market).json()["id"]
            for market in MARKETS
        }
        client.update(self.event, state="active")
        client.update(self.event, score="1-0")
        self.open_event = client.event(key="open")["id"]
        self.open_bet = client.bet(self.open_event, "draw")["id"]

    def play_on(self, client: Client) -> None:
        """To the end, in another place: versions go on, keys are known."""
        assert client.update(self.event, score="1-1")["version"] == 4
        finished = client.update(self.event, state="finished", score="2-1")
        assert finished["version"] == 5
        client.becomes(self.event, team_1={"win": 1}, draw={"lose": 1}, team_2={"lose": 1})
        for market, bet in self.bets.items():
            again = client.post_bet(self.event, market, key=market)
            assert (again.status_code, again.json()["id"]) == (201, bet)
        assert client.event(key="open")["id"] == self.open_event
        client.bet(self.open_event, "draw", user="bob")
        url = f"{client.bets_url}/bets/{self.open_bet}"
        assert client.http.patch(url, json={"userId": "eve"}).json()["userId"] == "eve"
        eventually(lambda: client.http.delete(url).status_code in {204, 404})
        assert client.update(self.open_event, state="active")["version"] == 2


def type_in(system: System, heading: str) -> str:
    return type_at(system.folder, system, heading)


def type_at(folder: Path, system: System, heading: str) -> str:
    return follow(heading, folder=folder, environment=system.environment)


def is_read(folder: Path, system: System) -> bool:
    seen = attempt("See that all is read", folder=folder, environment=system.environment)
    assert seen.returncode in {0, NO_VERDICT}, seen.stderr
    return seen.returncode == 0 and "not quiet" not in seen.stdout


def any_deleted(notes: Mapping[str, MatchBet | MatchEvent], known: Collection[str]) -> bool:
    """Whether one was deleted that is not among the known ones."""
    return any(each.is_deleted and each.id not in known for each in list(notes.values()))


def stop_all(system: Processes) -> None:
    for name in tuple(system.running):
        assert system.stop_one(name) == 0


def has_caught_up(system: Processes, consumer: str) -> bool:
    """Whether it has read all three partitions to their ends."""
    if not system.is_ready(consumer):
        return False
    found = re.findall(
        r"^touchline_consumer_lag{.*} (\S+)$", system.metrics(consumer), re.MULTILINE
    )
    return found == ["0.0"] * PARTITIONS


def remove_topics(site: Site) -> None:
    with KafkaAdminClient(bootstrap_servers=site.broker.bootstrap) as admin:
        admin.delete_topics(list(TOPICS))
        eventually(lambda: not set(TOPICS) & set(admin.list_topics()))
