"""What must be true of a reader in another language that was written from docs/api alone.

A subclass gives a fixture `system` on Kafka.
"""

from collections.abc import Mapping
from uuid import uuid4

from domain.log import BETS_STATE, NewRecord
from tests.integration.java_program import Flip, flips
from tests.integration.system import System, eventually

FINAL = {"win", "lose"}
Way = list[tuple[int, str]]
"""Each flip of a bet: the event's version that made it, and the new state."""


class ExampleContract:
    """The example in examples/java, beside a match."""

    def test_a_reader_in_java_tells_each_flip_once(self, system: System) -> None:
        """As the API tells it, whatever else lies in the topic, and however often it lies there."""
        client = system.client
        event = client.event()["id"]
        ann, bob = (f"{name}-{uuid4()}" for name in ("änn", "bob"))
        bets = {
            client.bet(event, market, user=user)["id"]: user
            for user, market in ((ann, "team_1"), (ann, "draw"), (bob, "draw"), (bob, "team_2"))
        }
        servers = system.environment["TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS"]
        with flips(servers) as program:
            client.update(event, state="active")
            client.becomes(event, **_stand("losing", "winning", "losing"))
            client.update(event, score="1-0")
            client.becomes(event, **_stand("winning", "losing", "losing"))
            eventually(lambda: len(program.of(event)) == 7)
            _tell_all_again(system, event)
            client.update(event, score="1-1")
            client.becomes(event, **_stand("losing", "winning", "losing"))
            _tell_all_again(system, event)
            client.update(event, state="finished", score="2-1")
            client.becomes(event, **_stand("win", "lose", "lose"))
            # All that was told again lies before the ends of these bets, on the same partitions.
            told = eventually(lambda: _whole(program.of(event), len(bets)))
        expected = {bet: _way(system, bet) for bet in bets}
        assert _ways(told) == expected
        assert {flip["bet"]: flip["userId"] for flip in told} == bets
        mine = {bet for bet, user in bets.items() if user == ann}
        with flips(servers, ann) as program:
            told = eventually(lambda: _whole(program.of(event), len(mine)))
        assert _ways(told) == {bet: expected[bet] for bet in mine}


def _stand(team_1: str, draw: str, team_2: str) -> dict[str, dict[str, int]]:
    return {"team_1": {team_1: 1}, "draw": {draw: 2}, "team_2": {team_2: 1}}


def _tell_all_again(system: System, event: str) -> None:
    """Append all that bets.state holds of the event, the oldest first."""
    mine = [r for r in system.log(BETS_STATE) if (r.key or b"").startswith(event.encode())]
    system.append(*(NewRecord(BETS_STATE, r.key, r.value, r.headers) for r in mine))


def _whole(told: list[Flip], bets: int) -> list[Flip] | None:
    """What was told, once it tells the end of so many bets."""
    ended = {flip["bet"] for flip in told if flip["state"] in FINAL}
    return told if len(ended) == bets else None


def _ways(told: list[Flip]) -> Mapping[str, Way]:
    ways: dict[str, Way] = {}
    for flip in told:
        ways.setdefault(flip["bet"], []).append((flip["event_version"], flip["state"]))
    return ways


def _way(system: System, bet: str) -> Way:
    """The same by the API; a bet begins as `none`, which is no flip."""
    response = system.client.http.get(f"{system.client.bets_url}/bets/{bet}/history")
    first, *changes = response.json()["items"]
    assert first["state"] == "none"
    return [(change["event_version"], change["state"]) for change in changes]
