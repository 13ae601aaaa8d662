"""What the story makes true: read from the records' bytes, by rules of the oracle's own."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.log import LogPartition
from tests.simulation.chronicle import Kept
from tests.simulation.rules import may_become


@dataclass(slots=True)
class TrueEvent:
    """An event, as the story has made it."""

    now: dict[str, Any]
    origin: tuple[object, ...]
    versions: list[dict[str, Any]]
    """Each with `place` (partition, offset), the moment `at` which it came there, and `message`."""


@dataclass(slots=True)
class TrueBet:
    """A bet that stands, were nothing ever deleted."""

    event: UUID
    market: str
    created: datetime
    user: str
    place: tuple[LogPartition, int]


@dataclass(slots=True)
class Truth:
    """Both, and what was refused."""

    generations: dict[UUID, int]
    """Each log's place among its topic's."""
    events: dict[UUID, TrueEvent] = field(default_factory=dict)
    bets: dict[UUID, TrueBet] = field(default_factory=dict)
    refused: dict[tuple[LogPartition, int], UUID] = field(default_factory=dict)
    """Place of each request that changed nothing because it may not; and whom it was about."""
    applied: Counter[tuple[LogPartition, str]] = field(default_factory=Counter)
    """How many requests about events and about bets changed something, in each partition."""
    refused_bets: set[UUID] = field(default_factory=set)
    told: defaultdict[UUID, list[tuple[tuple[LogPartition, int], dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By message id where each request lies, and what it says."""

    def take(self, source: LogPartition, offset: int, kept: Kept, *, of_bets: bool) -> None:
        """One record of events.taxonomy; of the bets or of the events, by who has read it."""
        if kept.garbage:
            return
        told = json.loads(kept.value or b"")
        kind, data = told["type"], told["data"]
        place = (source, offset)
        if of_bets != kind.startswith("bet."):
            return
        self.told[UUID(told["id"])].append((place, data))
        match kind:
            case "event.created":
                self._create(place, told | {"at": kept.at}, data)
            case "event.updated":
                self._update(place, told | {"at": kept.at}, data)
            case "bet.placed":
                self._place(place, data)
            case "bet.updated":
                self._hand_over(place, data)

    def _create(
        self, place: tuple[LogPartition, int], told: dict[str, Any], data: dict[str, Any]
    ) -> None:
        event_id = UUID(data["id"])
        origin = _origin(data)
        if event_id not in self.events:
            if data["version"] == 1 and data["state"] == "created":
                self.events[event_id] = TrueEvent(data, origin, [_version(place, told, data)])
                self.applied[place[0], "event"] += 1
            else:
                self.refused[place] = event_id
        elif self.events[event_id].origin != origin:
            self.refused[place] = event_id

    def _update(
        self, place: tuple[LogPartition, int], told: dict[str, Any], data: dict[str, Any]
    ) -> None:
        event_id = UUID(data["id"])
        event = self.events.get(event_id)
        if event is None:
            self.refused[place] = event_id
            return
        if content_of(data) == content_of(event.now):
            return
        if data["version"] != event.now["version"] + 1 or not may_become(
            content_of(event.now), content_of(data)
        ):
            self.refused[place] = event_id
            return
        self.applied[place[0], "event"] += 1
        event.now = data
        event.versions.append(_version(place, told, data))

    def _place(self, place: tuple[LogPartition, int], data: dict[str, Any]) -> None:
        bet_id, event_id = UUID(data["id"]), UUID(data["eventId"])
        standing = self.bets.get(bet_id)
        if standing is not None:
            if (standing.event, standing.market) != (event_id, data["market"]):
                self.refused[place] = bet_id
        elif bet_id in self.refused_bets or self._state_at(event_id, place) != "created":
            self.refused[place] = bet_id
            self.refused_bets.add(bet_id)
        else:
            self.applied[place[0], "bet"] += 1
            self.bets[bet_id] = TrueBet(
                event_id, data["market"], _moment_of(data), data["userId"], place
            )

    def _hand_over(self, place: tuple[LogPartition, int], data: dict[str, Any]) -> None:
        bet_id = UUID(data["id"])
        standing = self.bets.get(bet_id)
        if standing is None or (standing.event, standing.market, standing.created) != (
            UUID(data["eventId"]),
            data["market"],
            _moment_of(data),
        ):
            self.refused[place] = bet_id
        elif standing.user != data["userId"]:
            if self._state_at(standing.event, place) == "created":
                standing.user = data["userId"]
                self.applied[place[0], "bet"] += 1
            else:
                self.refused[place] = bet_id

    def _state_at(self, event_id: UUID, place: tuple[LogPartition, int]) -> str | None:
        """The event's state just before a place."""
        event = self.events.get(event_id)
        state = None
        for version in event.versions if event is not None else ():
            if self._moment(version["place"]) < self._moment(place):
                state = version["state"]
        return state

    def _moment(self, place: tuple[LogPartition, int]) -> tuple[int, int]:
        return self.generations[place[0].log_id], place[1]


def _moment_of(placement: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(placement["date_created"])


def content_of(data: Mapping[str, Any]) -> dict[str, object]:
    """All of an event that a change may change."""
    when = datetime.fromisoformat(data["event_date"])
    return {name: data[name] for name in ("type", "team_1", "team_2", "score", "state")} | {
        "event_date": when
    }


def _origin(data: dict[str, Any]) -> tuple[object, ...]:
    content = content_of(data)
    return tuple(content[name] for name in ("type", "team_1", "team_2", "event_date"))


def _version(
    place: tuple[LogPartition, int], told: dict[str, Any], data: dict[str, Any]
) -> dict[str, Any]:
    return {
        "place": place,
        "at": told["at"],
        "message": UUID(told["id"]),
        "version": data["version"],
        "state": data["state"],
        "score": data["score"],
        "content": content_of(data),
    }
