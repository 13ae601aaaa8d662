"""What stood in the tables at which time: all that a client can have been told at once."""

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from adapters.memory.tables import Tables
from domain.bets import Bet
from domain.events import Event
from tests.simulation.chronicle import Entry

Key = tuple[str, UUID | None]


class Moments:
    """Every change that was committed, and when."""

    def __init__(self) -> None:
        self._now: dict[Key, Any] = {}
        self._changes: defaultdict[Key, list[tuple[float, Any]]] = defaultdict(list)

    def note(self, at: float, tables: Tables) -> None:
        """Take up what is committed now."""
        now: dict[Key, Any] = {("event", k): stored.event for k, stored in tables.events.items()}
        now |= {("bet", k): bet for k, bet in tables.bets.items()}
        now |= {("deletion", k): True for k in tables.deletions}
        reasons = defaultdict(set)
        for refusal in tables.refusals.values():
            if refusal.type == "bet.placed":
                reasons[refusal.subject].add(refusal.reason.value)
        now |= {("refusals", bet_id): frozenset(each) for bet_id, each in reasons.items()}
        counts = Counter(bet.event_id for bet in tables.bets.values())
        now |= {("bets of", event_id): bets for event_id, bets in counts.items()}
        for key in now.keys() | self._now.keys():
            before, after = self._now.get(key), now.get(key)
            if before is not after and before != after:
                self._changes[key].append((at, after))
        self._now = now

    def events(self, entry: Entry) -> list[Event | None]:
        """How the request's event stood while it was answered, each way; None: it did not."""
        return self._during("event", entry.event, entry)

    def bets(self, entry: Entry) -> list[Bet | None]:
        return self._during("bet", entry.bet, entry)

    def numbers_of_bets(self, entry: Entry) -> list[int | None]:
        """How many bets its event had; None stands for 0."""
        return self._during("bets of", entry.event, entry)

    def refusals(self, entry: Entry) -> set[str]:
        """Why its bet had been refused."""
        return {
            why for reasons in self._during("refusals", entry.bet, entry) for why in reasons or ()
        }

    def deleted(self, subject: UUID | None, entry: Entry) -> bool:
        """Whether it had been deleted by then."""
        return True in self._during("deletion", subject, entry)

    def _during(self, kind: str, subject: UUID | None, entry: Entry) -> list[Any]:
        """What it was when the request was asked, and all that it became until the answer."""
        values = [None]
        for at, value in self._changes.get((kind, subject), ()):
            if at > entry.answered_at:
                break
            values = [*(values if at >= entry.asked_at else ()), value]
        return values
