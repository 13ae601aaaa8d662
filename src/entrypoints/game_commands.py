"""`touchline events …` and `touchline bets …`: the whole game from a shell, over HTTP."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import uuid4

import typer

from domain.bets import BetState, Market
from domain.events import EventState

Json = dict[str, Any]

events = typer.Typer(help="Create matches and run them, on a running events API.")
bets = typer.Typer(help="Place bets and look at them, on a running bets API.")

EventsUrl = Annotated[str, typer.Option(help="The events API.")]
BetsUrl = Annotated[str, typer.Option(help="The bets API.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EventId = Annotated[str, typer.Argument(metavar="EVENT", help="Its id.")]
Key = Annotated[
    str | None, typer.Option(help="Idempotency-Key: the same one again, the same answer.")
]
EVENTS_URL = "http://127.0.0.1:8001"
BETS_URL = "http://127.0.0.1:8002"


@events.command("create")
def create_event(
    team_1: Annotated[str, typer.Argument()],
    team_2: Annotated[str, typer.Argument()],
    *,
    type: Annotated[str, typer.Option(help="What is played.")] = "football",
    date: Annotated[
        str | None, typer.Option(help="Kick-off, RFC 3339 with an offset; default: in an hour.")
    ] = None,
    key: Key = None,
    events_url: EventsUrl = EVENTS_URL,
    as_json: AsJson = False,
) -> None:
    """Create a match."""
    event_date = date or (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    body = {"type": type, "team_1": team_1, "team_2": team_2, "event_date": event_date}
    made = _ask("POST", f"{events_url}/events", body, key=key or uuid4().hex)
    _print(made, event_line(made), as_json=as_json)


@events.command("list")
def list_events(
    *,
    state: Annotated[EventState | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=500)] = 50,
    events_url: EventsUrl = EVENTS_URL,
    as_json: AsJson = False,
) -> None:
    """The newest matches."""
    found = _ask("GET", f"{events_url}/events", params={"state": state, "limit": limit})
    _print(found, *map(event_line, found["items"]), as_json=as_json)


@events.command("start")
def start_event(
    event: EventId, *, events_url: EventsUrl = EVENTS_URL, as_json: AsJson = False
) -> None:
    """Kick off."""
    _change(events_url, event, {"state": EventState.ACTIVE}, as_json=as_json)


@events.command("score")
def score_event(
    event: EventId,
    score: Annotated[str, typer.Argument(help="Such as 2-1.")],
    *,
    events_url: EventsUrl = EVENTS_URL,
    as_json: AsJson = False,
) -> None:
    """Set the score."""
    _change(events_url, event, {"score": score}, as_json=as_json)


@events.command("finish")
def finish_event(
    event: EventId,
    *,
    score: Annotated[str | None, typer.Option(help="The final score, if it is another.")] = None,
    events_url: EventsUrl = EVENTS_URL,
    as_json: AsJson = False,
) -> None:
    """Blow the final whistle."""
    final = {} if score is None else {"score": score}
    _change(events_url, event, {"state": EventState.FINISHED, **final}, as_json=as_json)


def _ask(method: str, url: str, body: Json | None = None, **more: Any) -> Json:
    from entrypoints.client import ask

    return ask(method, url, body, **more)


def _change(url: str, event: str, changes: Json, *, as_json: bool) -> None:
    changed = _ask("PATCH", f"{url}/events/{event}", changes)
    _print(changed, event_line(changed), as_json=as_json)


@bets.command("place")
def place_bet(
    event: EventId,
    market: Annotated[Market, typer.Argument()],
    *,
    user: Annotated[str, typer.Option(help="Who bets.")],
    key: Key = None,
    bets_url: BetsUrl = BETS_URL,
    as_json: AsJson = False,
) -> None:
    """Place a bet."""
    body = {"userId": user, "eventId": event, "market": market}
    placed = _ask("POST", f"{bets_url}/bets", body, key=key or uuid4().hex)
    _print(placed, bet_line(placed), as_json=as_json)


@bets.command("list")
def list_bets(
    *,
    user: Annotated[str | None, typer.Option(help="Whose.")] = None,
    event: Annotated[str | None, typer.Option(help="On which match.")] = None,
    state: Annotated[BetState | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=500)] = 50,
    bets_url: BetsUrl = BETS_URL,
    as_json: AsJson = False,
) -> None:
    """The newest bets."""
    wanted = {"userId": user, "eventId": event, "state": state, "limit": limit}
    found = _ask("GET", f"{bets_url}/bets", params=wanted)
    _print(found, *map(bet_line, found["items"]), as_json=as_json)


@bets.command("show")
def show_bet(
    bet: Annotated[str, typer.Argument(metavar="BET", help="Its id.")],
    *,
    bets_url: BetsUrl = BETS_URL,
    as_json: AsJson = False,
) -> None:
    """One bet, and how it has gone."""
    found = _ask("GET", f"{bets_url}/bets/{bet}")
    history = _ask("GET", f"{bets_url}/bets/{bet}/history")["items"]
    way = [f"  {step['at']}  {step['state']} at {step['score']}" for step in history]
    _print(found | {"history": history}, bet_line(found), *way, as_json=as_json)


def event_line(event: Json) -> str:
    """An event in one line, its id first."""
    now = f"{event['team_1']} {event['score']} {event['team_2']} ({event['state']})"
    return f"{event['id']}  {now}{_undecided(event)}"


def bet_line(bet: Json) -> str:
    """A bet in one line, its id first."""
    what = f"{bet['userId']} on {bet['market']}: {bet['state']}"
    return f"{bet['id']}  {what}{_undecided(bet)}"


def _undecided(found: Json) -> str:
    return "; sent, not decided yet" if found.get("pending") else ""


def _print(found: Json, *lines: str, as_json: bool) -> None:
    typer.echo(json.dumps(found) if as_json else "\n".join(lines))
