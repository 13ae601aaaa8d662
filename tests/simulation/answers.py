"""Whether each client was told the truth: held to the story, and to what stood in the tables while
its request was answered. It shares no rule with handlers and adapters, as the oracle whose part
it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from adapters.memory.tables import Place, Tables
from domain.bets import Bet
from domain.events import Event
from tests.simulation.chronicle import Chronicle, Entry, Outcome
from tests.simulation.moments import Moments
from tests.simulation.rules import may_become
from tests.simulation.truth import Truth, content_of

FRESH_ENOUGH, LATELY = 2.0, 10.0
"""Seconds for which a consumer that stood at the end of the log counts as standing there: when a
bet is withdrawn, and when an event is deleted."""

UPDATES = {"kick_off", "goal", "finish", "rename"}


class Answers:
    """Everything that was answered and is not so, in words."""

    def __init__(
        self, chronicle: Chronicle, tables: Tables, truth: Truth, moments: Moments
    ) -> None:
        self._chronicle = chronicle
        self._tables = tables
        self._truth = truth
        self._moments = moments

    def wrongs(self) -> Iterator[str]:
        for entry in self._chronicle.entries:
            match entry.outcome:
                case Outcome.OK:
                    yield from self._granted(entry)
                case Outcome.REFUSED:
                    yield from self._refused(entry)
                case Outcome.TURNED_AWAY:
                    if not self._was_so(entry):
                        yield f"turned away for no reason: {entry}"
                    if entry.reason == "event-not-open":
                        yield from self._not_standing(entry)

    # Told that it is done

    def _granted(self, entry: Entry) -> Iterator[str]:
        if entry.published and self._was_refused(entry) and not self._was_forgotten(entry):
            yield f"refused, though granted: {entry}"
        match entry.deed:
            case "create":
                if entry.event not in self._tables.events.keys() | self._tables.deletions.keys():
                    yield f"lost: {entry}"
                yield from self._told_event(entry)
            case "kick_off" | "goal" | "finish" | "rename":
                yield from self._told_event(entry)
            case "place":
                yield from self._told_bet(entry)
                yield from self._kept(entry)
            case "hand_over":
                yield from self._told_bet(entry)
                if entry.published and not self._was_handed_over(entry):
                    yield f"not handed over: {entry}"
            case "read":
                yield from self._told_bet(entry)
            case "withdraw" | "delete_event":
                yield from self._deleted(entry)

    def _told_event(self, entry: Entry) -> Iterator[str]:
        """The event as the request made it, at its version; or as it was anyway."""
        event = entry.answered_event
        if event is None or event.id != entry.event:
            yield f"another event was answered: {entry}"
            return
        content = _content(event)
        if entry.deed in UPDATES and not entry.wanted.items() <= content.items():
            yield f"it is not as it was asked to be: {entry}"
        told = self._truth.events.get(event.id)
        versions = [] if told is None else told.versions
        made = [version for version in versions if version["message"] == entry.message]
        if not any(
            (version["version"], version["content"]) == (event.version, content)
            for version in (made if entry.published and made else versions)
        ):
            yield f"it never was as it was answered: {entry}"
        if entry.published and made:
            return
        if event not in self._moments.events(entry):
            yield f"it was not as it was answered: {entry}"
        asked_for = [data for _, data in self._truth.told.get(entry.message or UUID(int=0), ())]
        if entry.deed in UPDATES and any(content_of(data) != content for data in asked_for):
            yield f"it was not asked for what was answered: {entry}"

    def _told_bet(self, entry: Entry) -> Iterator[str]:
        """The bet as it was, or as the request placed it."""
        bet = entry.answered_bet
        if bet is None or (bet.id, bet.event_id) != (entry.bet, entry.event):
            yield f"another bet was answered: {entry}"
            return
        if entry.deed == "place" and bet.placement.market.value != entry.market:
            yield f"a bet on another market was answered: {entry}"
        if entry.deed == "hand_over" and bet.placement.user_id != entry.user:
            yield f"a bet of another user was answered: {entry}"
        seen = self._moments.bets(entry)
        if entry.published and entry.deed == "place" and self._is_as_placed(bet):
            seen = [
                each and replace(each, state=bet.state, event_version=bet.event_version)
                for each in seen
            ]
        if bet not in seen:
            yield f"it was not as it was answered: {entry}"

    def _is_as_placed(self, bet: Bet) -> bool:
        told = self._truth.events.get(bet.event_id)
        return bet.state == "none" and any(
            (version["version"], version["state"]) == (bet.event_version, "created")
            for version in (() if told is None else told.versions)
        )

    def _kept(self, entry: Entry) -> Iterator[str]:
        """What was placed is there, as long as nobody deletes it."""
        stored = self._tables.bets.get(entry.bet or UUID(int=0))
        if (
            stored is None
            and entry.bet not in self._tables.deletions
            and not self._unknown_to_backup(entry)
        ):
            yield f"lost: {entry}"
        if stored is not None and stored.placement.market.value != entry.market:
            yield f"on another market: {entry}"

    def _unknown_to_backup(self, entry: Entry) -> bool:
        """Whether its event was deleted while the Bet Writer's mark in a backup still counted."""
        return any(
            other.deed == "delete_event"
            and other.event == entry.event
            and other.asked_at < made_at + LATELY
            for other in self._chronicle.entries
            for made_at in self._chronicle.restored_to
        )

    def _was_handed_over(self, entry: Entry) -> bool:
        """Its record was read by the Bet Writer, at a place where it may do so."""
        return any(place not in self._truth.refused for place, _ in self._told_by(entry))

    def _deleted(self, entry: Entry) -> Iterator[str]:
        if self._chronicle.restored_to:
            return
        subject = entry.bet if entry.deed == "withdraw" else entry.event
        if subject not in self._tables.deletions:
            yield f"not deleted: {entry}"
        if entry.deed == "withdraw":
            yield from self._withdrawn_in_time(entry)

    def _withdrawn_in_time(self, entry: Entry) -> Iterator[str]:
        """Nobody withdraws a bet when its kick-off had been in the log for a while."""
        told = self._truth.events.get(entry.event or UUID(int=0))
        for version in told.versions if told is not None else ():
            if version["state"] == "created":
                continue
            if entry.asked_at > version["at"] + FRESH_ENOUGH:
                yield f"withdrawn after the kick-off at {version['at']}: {entry}"
            return

    # Told that it is refused, by the story

    def _refused(self, entry: Entry) -> Iterator[str]:
        if self._was_forgotten(entry):
            return
        if not any(row.message_id == entry.message for row in self._tables.refusals.values()):
            yield f"told of a refusal that is not there: {entry}"
        if entry.deed in UPDATES and any(
            row.message_id == entry.message for row in self._tables.event_versions.values()
        ):
            yield f"applied, though refused: {entry}"
        if entry.deed == "place":
            yield from self._not_standing(entry)
        stored = self._tables.bets.get(entry.bet or UUID(int=0))
        if entry.deed == "hand_over" and stored and stored.placement.user_id == entry.user:
            yield f"handed over, though refused: {entry}"

    def _not_standing(self, entry: Entry) -> Iterator[str]:
        """Also one that was asked for with the same key."""
        if self._was_forgotten(entry):
            return
        stored = self._tables.bets.get(entry.bet or UUID(int=0))
        if entry.deed == "place" and stored and stored.placement.market.value == entry.market:
            yield f"stands, though refused: {entry}"

    # Told that it is refused, at once

    def _was_so(self, entry: Entry) -> bool:
        """Whether the reason was true at some moment between the question and the answer."""
        events = self._moments.events(entry)
        match entry.reason:
            case "event-not-found":
                return None in events or self._was_refused_before(entry)
            case "event-not-open":
                left = any(event is not None and event.state != "created" for event in events)
                unplaced = entry.deed != "place" or None in self._moments.bets(entry)
                return (left and unplaced) or self._was_refused_before(entry)
            case "event-deleted":
                return self._moments.deleted(entry.event, entry)
            case "event-has-bets":
                return any(self._moments.numbers_of_bets(entry))
            case "illegal-transition" | "score-not-allowed" | "field-frozen":
                contents = [_content(event) for event in events if event is not None]
                return any(not may_become(each, each | entry.wanted) for each in contents)
            case _:
                return self._was_so_of_the_bet(entry)

    def _was_so_of_the_bet(self, entry: Entry) -> bool:
        bets = self._moments.bets(entry)
        match entry.reason:
            case "bet-not-found":
                return None in bets
            case "bet-refused":
                return None in bets and bool(self._moments.refusals(entry))
            case "bet-deleted":
                deleted = self._moments.deleted(entry.bet, entry)
                return deleted or self._was_refused_before(entry)
            case "idempotency-key-reused":
                markets = {bet.placement.market.value for bet in bets if bet is not None}
                return entry.deed == "place" and bool(markets - {entry.market})
            case _:
                return False

    def _was_refused_before(self, entry: Entry) -> bool:
        """Whether a bet of this key was refused, and so is refused for good."""
        refusals = self._moments.refusals(entry)
        codes = refusals | ({"event-not-found"} if "event-deleted" in refusals else set())
        return entry.deed == "place" and entry.reason in codes and None in self._moments.bets(entry)

    # What all of these ask

    def _told_by(self, entry: Entry) -> list[tuple[Place, Mapping[str, Any]]]:
        """Where the request lies, once or more often, as far as it was judged."""
        if entry.message is None:
            return []
        return [(Place(*place), data) for place, data in self._truth.told.get(entry.message, ())]

    def _was_refused(self, entry: Entry) -> bool:
        told = self._told_by(entry)
        rows = [self._tables.refusals.get(place) for place, _ in told]
        # After a loss another request may lie at the place.
        return bool(rows) and all(row and row.message_id == entry.message for row in rows)

    def _was_forgotten(self, entry: Entry) -> bool:
        """Whether a deletion that matters to it was forgotten with a backup, or came later then."""
        if not self._chronicle.restored_to:
            return False
        deleted = {entry.event, entry.bet} & self._tables.deletions.keys()
        return bool(deleted) or entry.reason in {"event-not-found", "event-deleted", "bet-deleted"}


def _content(event: Event) -> dict[str, object]:
    return {
        "type": event.type,
        "team_1": event.team_1,
        "team_2": event.team_2,
        "event_date": event.event_date,
        "state": event.state.value,
        "score": str(event.score),
    }
