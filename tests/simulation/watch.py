"""What must hold at every moment, looked at after each commit."""

from typing import TYPE_CHECKING
from uuid import UUID

from domain.bets import Bet
from tests.simulation.moments import Moments
from tests.simulation.rules import right_state

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

FINAL = {"win", "lose"}


class Watch:
    """Remembers what it saw, to see what went back."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self.moments = Moments()
        self.forget()

    def forget(self) -> None:
        """The database went back to a backup: so may everything."""
        self._bets: dict[UUID, Bet] = {}
        self._versions: dict[UUID, int] = {}

    def look(self) -> None:
        tables = self._simulation.database.snapshot()
        self.moments.note(self._simulation.scheduler.now, tables)
        for event_id, stored in tables.events.items():
            before = self._versions.get(event_id, 0)
            assert stored.event.version >= before, f"event {event_id} went back"
            self._versions[event_id] = stored.event.version
        for bet_id, bet in tables.bets.items():
            seen = self._bets.get(bet_id)
            if seen is bet:
                continue
            self._bets[bet_id] = bet
            assert bet.event_id in tables.events, f"bet {bet_id} has no event"
            version = tables.event_versions.get((bet.event_id, bet.event_version))  # type: ignore[call-overload]
            assert version is not None, f"bet {bet_id} is of no version"
            right = right_state(bet.placement.market, version.state, str(version.score))
            assert bet.state == right, f"bet {bet_id} is {bet.state}, {right} by its own version"
            if seen is not None:
                assert bet.event_version >= seen.event_version, f"bet {bet_id} went back"
                if seen.state in FINAL:
                    assert bet.state == seen.state, f"bet {bet_id} was {seen.state} for good"
        for gone in self._bets.keys() - tables.bets.keys():
            assert gone in tables.deletions, f"bet {gone} is gone, but was not deleted"
            event = tables.events.get(self._bets.pop(gone).event_id)
            state = None if event is None else event.event.state
            assert state in {None, "created"}, f"bet {gone} was withdrawn from an event in {state}"
