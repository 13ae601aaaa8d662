"""What must be true of every running Touchline whatever lies in its topics.

A subclass gives a fixture `system`.
"""

import base64
import json
from collections.abc import Callable
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from adapters.cloudevents import CloudEventsCodec
from domain.bets import Market
from domain.log import BETS_STATE, TOPICS, NewRecord
from domain.messages import SLICE_SIZE, BetsStateChanged
from tests.integration.system import System, eventually
from tests.samples import a_placement, placed

MANY = 20_000
MARKETS = ("team_1", "draw", "team_2")


def placed_record(event_id: str, market: str, *, bet_id: UUID | None = None) -> NewRecord:
    """A `bet.placed` as the bets API would publish it."""
    placement = a_placement(id=bet_id or uuid4(), event_id=UUID(event_id), market=Market(market))
    return CloudEventsCodec().encode(placed(placement, message_id=uuid4()))


def spoilt(record: NewRecord, spoil: Callable[[dict[str, Any]], object]) -> NewRecord:
    body = json.loads(record.value or b"")
    spoil(body)
    return record._replace(value=json.dumps(body).encode())


def malformed(good: NewRecord) -> dict[str, NewRecord]:
    """Records that nobody can read, by what is wrong with them."""
    big = b'{"pad":"' + b"x" * 1_000_000 + b'"}'
    return {
        "not JSON": good._replace(value=b"{"),
        "not UTF-8": good._replace(value=b"\xff\xfe\x00"),
        "no value": good._replace(value=None),
        "no key": good._replace(key=None),
        "the key of another event": good._replace(key=str(uuid4()).encode()),
        "an unknown type": spoilt(good, lambda body: body.update(type="bet.cancelled")),
        "a wrong shape": spoilt(good, lambda body: body["data"].update(market="both")),
        "no data": spoilt(good, lambda body: body.pop("data")),
        "text that PostgreSQL can't hold": spoilt(
            good, lambda body: body["data"].update(userId="a\x00b")
        ),
        "a megabyte": good._replace(value=big),
        "a message of the other topic": good._replace(topic=BETS_STATE),
    }


class LogContract:
    """Garbage, repeats, and very many bets."""

    def test_what_cannot_be_read_is_kept_and_its_neighbours_are_applied(
        self, system: System
    ) -> None:
        client = system.client
        event = client.event()["id"]
        before = {letter["id"] for letter in system.dead_letters()}
        good = [placed_record(event, market) for market in MARKETS]
        bad = malformed(good[0])
        system.append(good[0], *bad.values(), *good[1:])
        client.becomes(event, **{market: {"none": 1} for market in MARKETS})
        letters = eventually(
            lambda: [
                found
                for found in [[le for le in system.dead_letters() if le["id"] not in before]]
                if len(found) >= len(bad)
            ]
        )[0]
        system.verify()
        assert len([le for le in system.dead_letters() if le["id"] not in before]) == len(bad)
        with system.connected() as (database, _), database.transaction() as uow:
            found = [uow.dead_letters.lock(letter["id"]) for letter in letters]
        kept = [letter for letter in found if letter is not None]
        assert {each.record.value for each in kept} == {r.value for r in bad.values()}
        assert all(letter["reason"] for letter in letters)
        done = system.command("dead-letters", "show", str(letters[0]["id"]), "--json")
        shown = json.loads(done.stdout)
        assert base64.b64decode(shown["value"]["base64"]) == kept[0].record.value

    def test_a_dead_letter_goes_back_once(self, system: System) -> None:
        event = system.client.event()["id"]
        before = len(system.dead_letters())
        system.append(placed_record(event, "draw")._replace(key=b"nobody"))
        letter = eventually(lambda: system.dead_letters()[before:])[0]
        first, second = (
            json.loads(
                system.command("dead-letters", "requeue", str(letter["id"]), "--json").stdout
            )
            for _ in range(2)
        )
        assert (first["requeued"], second["requeued"]) == (True, False)
        # It is as unreadable as before, at its new place.
        again = eventually(lambda: system.dead_letters()[before + 1 :])
        assert [each["offset"] for each in again] == [first["appended"]["offset"]]
        system.verify()

    def test_each_topic_again_from_its_start_changes_nothing(self, system: System) -> None:
        client = system.client
        event = client.event()["id"]
        bets = {market: client.bet(event, market)["id"] for market in MARKETS}
        withdrawn = client.bet(event, "draw", user="bob")["id"]
        eventually(
            lambda: client.http.delete(f"{client.bets_url}/bets/{withdrawn}").status_code == 204
        )
        for change in ({"state": "active"}, {"score": "1-0"}, {"state": "finished"}):
            client.update(event, **change)
        client.becomes(event, team_1={"win": 1}, draw={"lose": 1}, team_2={"lose": 1})
        before = [client.get_bet(bet).json() for bet in bets.values()]
        for topic in TOPICS:
            mine = [
                record for record in system.log(topic) if event.encode() in (record.value or b"")
            ]
            system.append(*(NewRecord(topic, r.key, r.value, r.headers) for r in mine))
            system.verify()
        assert [client.get_bet(bet).json() for bet in bets.values()] == before
        assert client.get_bet(withdrawn).status_code == 404

    def test_very_many_bets_are_rescored_in_slices(self, system: System) -> None:
        client = system.client
        event = client.event()["id"]
        markets = count()
        records = [placed_record(event, MARKETS[next(markets) % 3]) for _ in range(MANY)]
        system.append(*records)
        each = {market: len(range(i, MANY, 3)) for i, market in enumerate(MARKETS)}
        client.becomes(event, **{market: {"none": bets} for market, bets in each.items()})
        client.update(event, state="active")
        standing = {"team_1": "losing", "draw": "winning", "team_2": "losing"}
        client.becomes(event, **{m: {standing[m]: bets} for m, bets in each.items()})
        slices = self._slices(system, event)
        assert len(slices) == sum(-(-bets // SLICE_SIZE) for bets in each.values())
        # A goal that moves the leader moves two markets; one that doesn't moves none.
        client.update(event, score="0-1")
        standing |= {"draw": "losing", "team_2": "winning"}
        client.becomes(event, **{m: {standing[m]: bets} for m, bets in each.items()})
        client.update(event, score="0-2")
        system.verify()
        assert [(s.event_version, s.market) for s in self._slices(system, event)].count(
            (4, Market.DRAW)
        ) == 0
        moved = [s for s in self._slices(system, event) if s.event_version == 3]
        assert sorted({s.market for s in moved}) == [Market.DRAW, Market.TEAM_2]

    def _slices(self, system: System, event: str) -> list[BetsStateChanged]:
        codec = CloudEventsCodec()
        mine = [r for r in system.log(BETS_STATE) if (r.key or b"").startswith(event.encode())]
        messages = [codec.decode(record) for record in mine]
        return [message for message in messages if isinstance(message, BetsStateChanged)]
