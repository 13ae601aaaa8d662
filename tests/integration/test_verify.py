"""`touchline verify` on a running system: silent under load, and it puts right what is wrong."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.cloudevents import CloudEventsCodec
from domain.bets import BetState, Market
from domain.log import EVENTS_TAXONOMY, NewRecord
from domain.records import StateRange
from domain.verification import Report, mend, verify
from tests.contracts.poison import a_bet
from tests.integration.system import Client, Process, Up, eventually, run, running_up
from tests.kafka.broker import free_ports

LOOKS = 15
PLAYERS = 4
REPAIRS = 20
LOWEST, HIGHEST = UUID(int=0), UUID(int=2**128 - 1)
MARKETS = [market.value for market in Market]


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with TemporaryDirectory(prefix="touchline-") as folder, running_up(Path(folder)) as system:
        yield system


def play(client: Client, user: str) -> None:
    """One event from its creation to its end, with all that may happen to its bets."""
    event = client.event()["id"]
    for number in range(12):
        client.post_bet(event, MARKETS[number % 3], user=user, key=f"{user}-{number % 9}")
    kept, gone = (client.bet(event, "draw", user=user)["id"] for _ in range(2))
    client.http.patch(f"{client.bets_url}/bets/{kept}", json={"userId": f"{user}'s friend"})
    client.http.delete(f"{client.bets_url}/bets/{gone}")
    empty = client.event()["id"]
    client.http.delete(f"{client.events_url}/events/{empty}")
    client.post_bet(empty, "draw", user=user)
    client.patch(event, state="active")
    client.post_bet(event, "draw", user=user, key=f"{user}-late")
    for score in ("1-0", "1-1", "1-2", "1-1"):
        client.patch(event, score=score)
    client.patch(event, state="finished")


def repeat(up: Up) -> None:
    """Put records into the log that were there before, and one that nobody can read."""
    known = up.log(EVENTS_TAXONOMY)[-200:]
    up.append(*(NewRecord(EVENTS_TAXONOMY, record.key, record.value) for record in known))
    up.append(NewRecord(EVENTS_TAXONOMY, b"no-event", b"no message"))


def test_no_false_alarm_under_load(up: Up) -> None:
    ended = Event()
    played = [0] * PLAYERS
    looks: list[Report] = []

    def load(number: int) -> None:
        while not ended.is_set():
            play(up.client, f"user-{number}")
            if number == 0:
                repeat(up)
            played[number] += 1

    def has_looked_at_it_all() -> bool:
        """Look once more."""
        looks.append(verify(database, bus, CloudEventsCodec()))
        assert looks[-1].holds, looks[-1]
        return len(looks) >= LOOKS and all(played) and not all(look.quiet for look in looks)

    with ThreadPoolExecutor() as threads, up.connected() as (database, bus):
        loads = [threads.submit(load, number) for number in range(PLAYERS)]
        try:
            eventually(has_looked_at_it_all)
        finally:
            ended.set()
        for each in loads:
            each.result()
    assert up.verify()["quiet"]


def test_wrong_states_are_put_right_once_somebody_says_yes(up: Up) -> None:
    event = up.client.event()["id"]
    for market in MARKETS:
        up.client.bet(event, market)
        up.client.bet(event, market, user="bob")
    up.client.update(event, state="active")
    up.client.update(event, score="0-1")
    right: dict[str, Any] = {
        "team_1": {"losing": 2},
        "draw": {"losing": 2},
        "team_2": {"winning": 2},
    }
    up.client.becomes(event, **right)
    wrong = StateRange(UUID(event), Market.DRAW, LOWEST, HIGHEST, BetState.WIN, 99)
    with up.connected() as (database, _), database.transaction() as uow:
        assert uow.bets.write_states([wrong]) == 2
        uow.commit()

    found = up.command("verify", "--no-fold", "--json")
    assert found.returncode == 1
    report = json.loads(found.stdout)
    assert "repair" not in report
    assert {each["name"]: each["violations"] for each in report["invariants"]} == {
        "bet-states": 2,
        "standing-bets": 0,
        "event-versions": 0,
        "accounting": 0,
        "positions-order": 0,
    }
    correction = {
        "event_id": event,
        "market": "draw",
        "bets": 2,
        "state": "win",
        "event_version": 99,
        "right_state": "losing",
        "right_event_version": 3,
    }
    dry = up.command("verify", "--repair", "--json")
    assert dry.returncode == 1
    told = json.loads(dry.stdout)["repair"]
    assert told == {"applied": False, "bets": 2, "corrections": [correction]}
    shown = up.command("verify", "--repair")
    assert "to be corrected: 2 bets" in shown.stdout
    assert "nothing was changed" in shown.stdout
    assert up.client.tally(event) == right | {"draw": {"win": 2}}

    done = up.command("verify", "--repair", "--yes", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["repair"] == told | {"applied": True}
    assert up.client.tally(event) == right
    # What was corrected goes on as any other bet.
    up.client.update(event, state="finished", score="1-1")
    up.client.becomes(event, team_1={"lose": 2}, draw={"win": 2}, team_2={"lose": 2})
    up.verify()


def test_consumers_and_repairs_at_once_end_in_the_right_states(up: Up) -> None:
    event = up.client.event()["id"]
    for number in range(30):
        up.client.bet(event, MARKETS[number % 3], user=f"user-{number}")
    up.client.update(event, state="active")
    wrong = StateRange(UUID(event), Market.DRAW, LOWEST, HIGHEST, BetState.NONE, 99_999)
    # Not committed: it counts those that are of an earlier version.
    unreached = wrong._replace(event_version=99_998)

    def spoil_and_repair() -> None:
        for _ in range(REPAIRS):
            with up.connected() as (database, bus):
                with database.transaction() as uow:
                    uow.bets.write_states([wrong])
                    uow.commit()
                mend(database, bus, dry_run=False)
                with database.transaction() as uow:
                    assert uow.bets.write_states([unreached]) == 10, "some were overlooked"

    with ThreadPoolExecutor() as threads:
        repairing = threads.submit(spoil_and_repair)
        for goals in count():
            up.client.update(event, score=f"{goals % 7}-{goals % 5}")
            if repairing.done():
                break
        repairing.result()
    up.client.update(event, state="finished", score="2-1")
    up.client.becomes(event, team_1={"win": 10}, draw={"lose": 10}, team_2={"lose": 10})
    up.verify()


def test_it_says_when_a_consumer_lags(up: Up) -> None:
    event = up.client.event()["id"]
    up.verify()
    assert "not quiet" not in up.command("verify").stdout
    up.process.send(signal.SIGSTOP)
    try:
        up.append(a_bet(UUID(event), 0))
        lagging = up.command("verify")
    finally:
        up.process.send(signal.SIGCONT)
    assert lagging.returncode == 0, lagging.stderr
    first, *others = lagging.stdout.splitlines()
    assert first == "not quiet: a consumer lags; only what must always hold is held"
    assert [line.split() for line in others] == [
        [name, "holds"]
        for name in (
            "bet-states",
            "standing-bets",
            "event-versions",
            "accounting",
            "fold",
            "positions-order",
        )
    ]
    up.verify()
    assert "not quiet" not in up.command("verify").stdout


def test_what_could_not_be_checked_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    nowhere = f"postgresql:///touchline?host={tmp_path}"
    environment = {"TOUCHLINE_DATABASE_URL": nowhere}
    done = run("verify", environment=environment, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: could not check: ")


@pytest.mark.parametrize(
    "command", ["verify", "verify --every 1 --health-port 0", "dead-letters list"]
)
def test_who_only_looks_makes_no_database(tmp_path: Path, command: str) -> None:
    """In a new one nothing would be wrong."""
    done = run(*command.split(), environment={}, cwd=tmp_path)
    assert done.returncode == (2 if command.startswith("verify") else 1)
    assert f"there is no database in {tmp_path / '.touchline'}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_it_goes_on_and_says_what_it_found(up: Up, tmp_path: Path) -> None:
    """Beside the system, for Prometheus: what holds, what doesn't, and whether it could look."""
    port = free_ports(1)[0]
    options = ["verify", "--every", "1", "--health-port", str(port)]
    process = Process(options, up.environment, tmp_path / "verify.log")
    url = f"http://127.0.0.1:{port}"

    def metrics() -> dict[str, float]:
        """By invariant, or by name."""
        try:
            text = httpx.get(f"{url}/metrics", timeout=10).text
        except httpx.TransportError:
            return {}
        return {
            sample.labels.get("invariant", sample.name): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith(("touchline_invariant", "touchline_verification"))
        }

    assert eventually(lambda: metrics().get("touchline_verification_timestamp_seconds"))
    found = metrics()
    names = {"bet-states", "standing-bets", "event-versions", "accounting", "fold"}
    assert {name for name, value in found.items() if value == 0} == {
        *names,
        "positions-order",
        "touchline_verification_failed",
    }
    assert httpx.get(f"{url}/livez").json() == {"status": "ok"}
    assert httpx.get(f"{url}/readyz").json()["status"] == "ok"
    event = up.client.event()["id"]
    up.client.bet(event, "draw")
    wrong = StateRange(UUID(event), Market.DRAW, LOWEST, HIGHEST, BetState.WIN, 99)
    with up.connected() as (database, _), database.transaction() as uow:
        assert uow.bets.write_states([wrong]) == 1
        uow.commit()
    eventually(lambda: metrics()["bet-states"] == 1)
    assert up.command("verify", "--repair", "--yes").returncode == 0
    eventually(lambda: metrics()["bet-states"] == 0)
    assert process.stop() == 0
    assert "violated" in (tmp_path / "verify.log").read_text()
