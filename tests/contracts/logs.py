"""What must be true of every running Touchline whatever lies in its topics.

A subclass gives a fixture `system`.
"""

import base64
import json
from collections import Counter
from itertools import count
from uuid import UUID, uuid4

from adapters.cloudevents import CloudEventsCodec
from domain.bets import Market
from domain.log import BETS_STATE, TOPICS, NewRecord
from domain.messages import SLICE_SIZE, BetsStateChanged
from tests.contracts.poison import a_slice_record, poison, poisonous_slices, raw
from tests.integration.system import System, eventually
from tests.samples import a_placement, placed

MANY = 20_000
MARKETS = ("team_1", "draw", "team_2")


def placed_record(event_id: str, market: str, *, bet_id: UUID | None = None) -> NewRecord:
    """A `bet.placed` as the bets API would publish it."""
    placement = a_placement(id=bet_id or uuid4(), event_id=UUID(event_id), market=Market(market))
    return CloudEventsCodec().encode(placed(placement, message_id=uuid4()))


class LogContract:
    """Garbage, repeats, and very many bets."""

    def test_what_cannot_be_read_is_kept_and_its_neighbours_are_applied(
        self, system: System
    ) -> None:
        client = system.client
        event = client.event()["id"]
        before = {letter["id"] for letter in system.dead_letters()}
        good = [placed_record(event, market) for market in MARKETS]
        a_slice = a_slice_record(good[0])
        bad = [
            *poison(good[0]).values(),
            *poisonous_slices(a_slice).values(),
            good[0]._replace(topic=BETS_STATE),
        ]
        system.append(good[0], *bad, *good[1:])
        client.becomes(event, **{market: {"none": 1} for market in MARKETS})
        system.verify()
        letters = [letter for letter in system.dead_letters() if letter["id"] not in before]
        with system.connected() as (database, _), database.transaction() as uow:
            found = [uow.dead_letters.lock(letter["id"]) for letter in letters]
        kept = [letter.record for letter in found if letter is not None]
        assert Counter((r.source.topic, *raw(r)) for r in kept) == Counter(
            (r.topic, *raw(r)) for r in bad
        )
        assert all(0 < len(letter["reason"]) < 500 for letter in letters)
        chosen = next(letter for letter in found if letter is not None and letter.record.value)
        done = system.command("dead-letters", "show", str(chosen.id), "--json")
        shown = json.loads(done.stdout)
        assert base64.b64decode(shown["value"]["base64"]) == chosen.record.value

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
            lambda: (
                # 404 where it was done, though nobody said so.
                client.http.delete(f"{client.bets_url}/bets/{withdrawn}").status_code in {204, 404}
            )
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
        # What is acknowledged late is told once more, with the same id.
        assert len({s.id for s in slices}) == sum(-(-n // SLICE_SIZE) for n in each.values())
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
