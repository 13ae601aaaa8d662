"""`touchline watch`: server-sent events as they are read, and what is made of them."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from domain.bets import BetState, Market
from entrypoints import watch
from entrypoints.client import NotDone, Refused, StreamedMessage, messages
from entrypoints.watch import watch_all, watch_event

EVENT = {"id": "1", "team_1": "A", "team_2": "B", "score": "0-0", "state": "created", "version": 1}


def test_messages_are_read_as_the_standard_has_it() -> None:
    lines = [
        *(": a comment", "retry: 1000", ""),
        *("event: event", 'data: {"a":', "data: 1}", ""),
        *("event:tally", "data:{}", "id: 7", ""),
        *("data: {}", ""),
        *("event: cut off", "data: {}"),
    ]
    assert list(messages(lines)) == [
        StreamedMessage("event", {"a": 1}, ""),
        StreamedMessage("tally", {}, "7"),
        StreamedMessage("message", {}, "7"),
    ]


def event(**fields: Any) -> StreamedMessage:
    return StreamedMessage("event", EVENT | fields, "")


def tally(**states: int) -> StreamedMessage:
    none = dict.fromkeys([state.value for state in BetState], 0)
    markets = {market.value: none for market in Market} | {"team_1": none | states}
    return StreamedMessage("tally", {"event_version": 1, "markets": markets}, "")


def bets(*states: str) -> StreamedMessage:
    items = [{"id": number, "market": "team_1", "state": s} for number, s in enumerate(states)]
    return StreamedMessage("bets", {"items": items}, "")


MATCH = [
    *(event(), tally(none=1), bets("none")),
    tally(none=1),
    *(event(state="active"), tally(losing=1), bets("losing")),
    *(event(state="active", score="1-0"), tally(winning=1), bets("winning")),
    *(event(state="finished", score="1-0"), tally(win=1), bets("win")),
    event(state="never reached"),
]


def follow(
    monkeypatch: pytest.MonkeyPatch, *streams: list[StreamedMessage] | Exception
) -> list[str]:
    """Let `stream` answer with one of these after the other; return the ids it is asked with."""
    asked: list[str] = []
    left = list(streams)

    def stream(url: str, *, params: object, last_id: str = "") -> Iterator[StreamedMessage]:
        asked.append(last_id)
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        yield from found

    monkeypatch.setattr(watch, "stream", stream)
    monkeypatch.setattr(watch, "RETRY_SECONDS", 0)
    return asked


def shown(*, terminal: bool = False, user: str | None = "ann", as_json: bool = False) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    watch_event("1", user=user, bets_url="http://bets", console=console, as_json=as_json)
    return out.getvalue().splitlines()


def test_plain_lines_tell_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(monkeypatch, MATCH)
    assert shown() == [
        "A 0-0 B (created): 1 none",
        "A 0-0 B (active): 1 losing",
        "your bet on team_1 is now: losing",
        "A 1-0 B (active): 1 winning",
        "your bet on team_1 is now: winning",
        "A 1-0 B (finished): 1 win",
        "your bet on team_1 is now: win",
    ]


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(monkeypatch, MATCH)
    last = "\n".join(shown(terminal=True)).rsplit("A 1-0 B (finished)", 1)[1]
    assert "ann: team_1: win" in last
    assert [cell.strip() for cell in last.split("\u2502")[1:8]] == ["A", "1", "", "", "", "1", ""]


def test_json_is_one_message_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(monkeypatch, [event(state="finished"), tally()])
    assert shown(user=None, as_json=True)[0].startswith('{"event": "event", "data": {"id": "1"')


def test_it_is_taken_up_again_where_it_broke_off(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [event(), tally(none=1)._replace(id="5")]
    asked = follow(monkeypatch, broken, NotDone("away"), [], MATCH)
    assert shown()[-1] == "your bet on team_1 is now: win"
    assert asked == ["", "5", "5", "5"]


def test_nobody_there_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(monkeypatch, NotDone("can't reach it"))
    with pytest.raises(NotDone):
        shown()


def test_a_refusal_ends_it_also_later(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(monkeypatch, [event()], Refused("there is no event 1"))
    with pytest.raises(Refused):
        shown()


def test_a_deleted_match_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(monkeypatch, [event(), StreamedMessage("deleted", {"eventId": "1"}, "")])
    assert shown() == ["the match has been deleted"]


def test_it_ends_only_once_all_bets_are_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(
        monkeypatch,
        [event(state="finished"), tally(winning=1), tally(winning=1, win=1)],
        [tally(win=2)],
    )
    assert shown(user=None)[-1] == "A 0-0 B (finished): 2 win"


def version(number: int, state: str, score: str, event_id: str = "1") -> StreamedMessage:
    data = {"eventId": event_id, "version": number, "state": state, "score": score}
    return StreamedMessage("version", data | {"at": "2026-01-01T12:00:00Z"}, "")


class Ended(Exception):
    """In the place of Ctrl-C."""


@pytest.mark.parametrize("terminal", [False, True])
def test_all_matches(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    news = [
        StreamedMessage("reached", {}, "1"),
        StreamedMessage("gap", {}, "1"),
        version(2, "active", "0-0"),
        version(1, "created", "0-0", "2"),
        version(1, "created", "0-0", "gone"),
        version(1, "active", "9-9"),
    ]
    follow(monkeypatch, news, Ended())

    def ask(method: str, url: str, **_: object) -> Any:
        if url.endswith("/events"):
            return {"items": [dict(EVENT)]}
        if url.endswith("gone"):
            raise NotDone("there is no event")
        return EVENT | {"id": "2", "team_1": "C"}

    monkeypatch.setattr(watch, "ask", ask)
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    with pytest.raises(Ended):
        watch_all(events_url="http://events", console=console, as_json=False)
    text = out.getvalue()
    assert "versions were left out" in text
    assert "1  A 0-0 B (active)" in text
    assert "9-9" not in text
    assert "2  C 0-0 B (created)" in text
    assert ("A \u2013 B" in text) is terminal
