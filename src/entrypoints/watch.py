"""`touchline watch`: what happens, as it happens, in a terminal or as plain lines."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table

from domain.bets import BetState, Market
from domain.events import EventState
from entrypoints.client import Json, NotDone, Refused, StreamedMessage, ask, stream

RETRY_SECONDS = 1.0
LISTED = 500
"""Matches of each state that are known from the beginning."""

SHOWN = 30
"""Rows of the table."""
FINAL = {BetState.WIN, BetState.LOSE}


def watch_event(
    event_id: str, *, user: str | None, bets_url: str, console: Console, as_json: bool
) -> None:
    """Follow one match until it is over and every bet is decided."""
    wanted = {"eventId": event_id, "userId": user}
    picture = _OneEvent(user)
    _show(picture, _follow(f"{bets_url}/stream", wanted), console, as_json=as_json)


def watch_all(*, events_url: str, console: Console, as_json: bool) -> None:
    """Follow all matches until stopped."""

    def listed() -> list[Json]:
        states = (EventState.CREATED, EventState.ACTIVE)
        url = f"{events_url}/events"
        pages = [ask("GET", url, params={"state": state, "limit": LISTED}) for state in states]
        return [event for page in pages for event in page["items"]]

    picture = _AllEvents(listed, lambda event_id: ask("GET", f"{events_url}/events/{event_id}"))
    _show(picture, _follow(f"{events_url}/stream", {}), console, as_json=as_json)


def _follow(url: str, params: Mapping[str, object]) -> Iterator[StreamedMessage]:
    """The stream, taken up again where it broke off."""
    last_id, is_known = "", False
    while True:
        try:
            for message in stream(url, params=params, last_id=last_id):
                last_id, is_known = message.id or last_id, True
                yield message
                if message.name == "deleted":
                    return
        except Refused:
            raise
        except NotDone:
            # At first it is said that there is nobody; later that may be a restart.
            if not is_known:
                raise
        time.sleep(RETRY_SECONDS)


def _show(
    picture: "_OneEvent | _AllEvents",
    messages: Iterator[StreamedMessage],
    console: Console,
    *,
    as_json: bool,
) -> None:
    if as_json or not console.is_terminal:
        for message in messages:
            line = picture.take(message)
            if as_json:
                console.print_json(data={"event": message.name, "data": message.data}, indent=None)
            elif line:
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            if picture.is_over:
                return
        return
    with Live(picture.table(), console=console, auto_refresh=False) as live:
        for message in messages:
            line = picture.take(message)
            if line:
                live.console.print(line, markup=False, highlight=False)
            live.update(picture.table(), refresh=True)
            if picture.is_over:
                return


class _OneEvent:
    """One match: its score, its bets by market, and the user's own."""

    def __init__(self, user: str | None) -> None:
        self._user = user
        self._event: Json | None = None
        self._markets: Json = {}
        self._bets: list[Json] | None = None
        self._told = ""
        self._is_deleted = False

    def take(self, message: StreamedMessage) -> str:
        """Take note of a message; return a line for those without a table, or nothing."""
        match message.name:
            case "event":
                self._event = message.data
            case "tally":
                self._markets = message.data["markets"]
                before, self._told = self._told, self._line()
                return self._told if self._told != before else ""
            case "bets":
                return self._take_bets(message.data["items"])
            case "deleted":
                self._is_deleted = True
                return "the match has been deleted"
        return ""

    @property
    def is_over(self) -> bool:
        """Whether nothing can change any more."""
        if self._is_deleted:
            return True
        is_whole = bool(self._markets) and (self._user is None or self._bets is not None)
        if not is_whole or self._event is None or self._event["state"] != EventState.FINISHED:
            return False
        states = {*self._states(), *(bet["state"] for bet in self._bets or ())}
        return states <= {state.value for state in FINAL}

    def _take_bets(self, bets: list[Json]) -> str:
        before = {bet["id"]: bet["state"] for bet in self._bets or ()}
        self._bets = bets
        flipped = [bet for bet in bets if before.get(bet["id"], bet["state"]) != bet["state"]]
        return "\n".join(f"your bet on {bet['market']} is now: {bet['state']}" for bet in flipped)

    def table(self) -> Table:
        event = self._event
        table = Table(title=_title(event) if event else "…", min_width=50)
        for column in ("market", "bets", *(state.value for state in BetState)):
            table.add_column(column, justify="left" if column == "market" else "right")
        for market in Market:
            states = self._markets.get(market, {})
            counts = [states.get(state, 0) for state in BetState]
            name = event[market] if event and market is not Market.DRAW else "draw"
            table.add_row(name, str(sum(counts)), *(str(each or "") for each in counts))
        mine = [f"{bet['market']}: {bet['state']}" for bet in self._bets or ()]
        if self._user is not None:
            table.caption = f"{self._user}: {', '.join(mine) or 'no bets'}"
        return table

    def _states(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for states in self._markets.values():
            found.update(states)
        return +found

    def _line(self) -> str:
        if self._event is None:
            return ""
        states = ", ".join(f"{count} {state}" for state, count in self._states().items())
        return f"{_title(self._event)}: {states or 'no bets'}"


class _AllEvents:
    """All matches that are open or being played, and those that ended meanwhile."""

    is_over = False

    def __init__(self, listed: Callable[[], list[Json]], look: Callable[[str], Json]) -> None:
        self._listed = listed
        self._look = look
        self._events: dict[str, Json] | None = None
        """None until the stream has begun: what happens while they are listed is told by it."""

    def take(self, message: StreamedMessage) -> str:
        if self._events is None or message.name == "gap":
            self._events = {event["id"]: event for event in self._listed()}
        if message.name != "version":
            return "versions were left out" if message.name == "gap" else ""
        version = message.data
        event_id = version["eventId"]
        if event_id not in self._events or version["state"] == EventState.CREATED:
            try:
                self._events[event_id] = self._look(event_id)
            except NotDone:
                return ""
        event = self._events[event_id]
        if version["version"] < event["version"]:
            return ""
        event |= {name: version[name] for name in ("version", "state", "score")}
        over = [key for key, each in self._events.items() if each["state"] == EventState.FINISHED]
        for key in over[:-SHOWN]:
            del self._events[key]
        at = datetime.fromisoformat(version["at"]).astimezone()
        return f"{at:%H:%M:%S}  {event_id}  {_title(event)}"

    def table(self) -> Table:
        table = Table("match", "score", "state", "version", title="matches", min_width=50)
        order = [EventState.ACTIVE, EventState.CREATED, EventState.FINISHED]
        events = (self._events or {}).values()
        shown = sorted(events, key=lambda event: order.index(event["state"]))
        for event in shown[:SHOWN]:
            teams = f"{event['team_1']} \u2013 {event['team_2']}"
            table.add_row(teams, event["score"], event["state"], str(event["version"]))
        return table


def _title(event: Json) -> str:
    return f"{event['team_1']} {event['score']} {event['team_2']} ({event['state']})"
