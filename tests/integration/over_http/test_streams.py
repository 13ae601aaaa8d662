"""`/stream` of both servers, on a real socket."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from typing import Any
from uuid import UUID

import httpx
import pytest

from entrypoints.client import StreamedMessage, messages
from tests.integration.over_http.asking import Web, invalid, problem, unique
from tests.integration.over_http.wrong_values import ID

PATIENCE = 30.0


class Listening:
    """An open stream, and what has come."""

    def __init__(self, response: httpx.Response) -> None:
        self._come: Queue[StreamedMessage | None] = Queue()
        self.seen: list[StreamedMessage] = []
        self.has_ended = threading.Event()
        threading.Thread(target=self._read, args=(response,), daemon=True).start()

    def until(self, name: str, **members: Any) -> StreamedMessage:
        """Wait for a message with these members; those before it are in `seen`, too."""
        while True:
            try:
                message = self._come.get(timeout=PATIENCE)
            except Empty:
                pytest.fail(f"no {name} with {members}; came: {self.seen}")
            assert message is not None, f"ended before {name} with {members}; came: {self.seen}"
            self.seen.append(message)
            if message.name == name and members.items() <= message.data.items():
                return message

    def until_id(self) -> str:
        """Wait until all that belongs together has come."""
        while not (self.seen and self.seen[-1].id):
            message = self._come.get(timeout=PATIENCE)
            assert message is not None
            self.seen.append(message)
        return self.seen[-1].id

    def versions(self) -> list[int]:
        return [each.data["version"] for each in self.seen if each.name == "version"]

    def _read(self, response: httpx.Response) -> None:
        try:
            for message in messages(response.iter_lines()):
                self._come.put(message)
        except httpx.HTTPError:
            pass
        self.has_ended.set()
        self._come.put(None)


@contextmanager
def listening(web: Web, api: str, *, last_id: str = "", **query: str) -> Iterator[Listening]:
    url = {"events": web.events_url, "bets": web.bets_url}[api]
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with (
        httpx.Client(timeout=PATIENCE) as http,
        http.stream("GET", f"{url}/stream", params=query, headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers.get_list("cache-control") == ["private, no-cache"]
        yield Listening(response)


def test_a_match_as_its_player_hears_of_it(web: Web) -> None:
    user, event_id = unique(), web.event()["id"]
    with listening(web, "bets", eventId=event_id, userId=user) as stream:
        stream.until("bets", items=[])
        bet = web.bet(event_id, "team_1", user=user)
        assert stream.until("bets").data["items"] == [bet]
        web.update(event_id, state="active")
        web.update(event_id, score="1-0")
        stream.until("version", version=3, score="1-0", eventId=event_id)
        winning = stream.until("bets")
        while winning.data["items"][0]["state"] != "winning":
            winning = stream.until("bets")
        assert winning.data["items"][0]["event_version"] == 3
        assert stream.versions() == [2, 3]
        final = web.update(event_id, state="finished")
        stream.until("event", **final)
        tally = stream.until("tally")
        while not tally.data["markets"]["team_1"]["win"]:
            tally = stream.until("tally")
        assert tally.data == web.get("bets", f"/events/{event_id}/tally")


@pytest.mark.parametrize("api", ["events", "bets"])
def test_who_comes_back_misses_no_version(web: Web, api: str) -> None:
    event_id = web.event()["id"]
    with listening(web, api, eventId=event_id) as stream:
        last_id = stream.until_id()
    web.update(event_id, state="active")
    for score in ("1-0", "1-1", "2-1"):
        web.update(event_id, score=score)
    with listening(web, api, eventId=event_id, last_id=last_id) as stream:
        stream.until("event", version=5)
        assert stream.versions() == [2, 3, 4, 5]
        history = {item["version"]: item for item in web.event_history(event_id)}
        told = [each.data for each in stream.seen if each.name == "version"]
        assert told == [{"eventId": event_id, **history[each["version"]]} for each in told]


def test_all_events(web: Web) -> None:
    with listening(web, "events") as stream:
        stream.until_id()
        events = [web.event()["id"] for _ in range(3)]
        for event_id in events:
            web.update(event_id, state="active")
        # Only the versions of one event are in order.
        awaited = {(event_id, version) for event_id in events for version in (1, 2)}
        while awaited:
            told = stream.until("version").data
            assert UUID(told["message_id"])
            awaited.discard((told["eventId"], told["version"]))


def test_a_users_bets_on_all_events(web: Web) -> None:
    user, first, second = unique(), web.event()["id"], web.event()["id"]
    with listening(web, "bets", userId=user) as stream:
        stream.until("bets", items=[])
        one = web.bet(first, "draw", user=user)
        stream.until("bets", items=[one])
        other = web.bet(second, "draw", user=user)
        stream.until("bets", items=[other, one])
        assert web.ask("bets", "DELETE", f"/bets/{one['id']}").status_code == 204
        stream.until("bets", items=[other])


def test_a_deleted_event_ends_the_stream(web: Web) -> None:
    event_id = web.event()["id"]
    with listening(web, "events", eventId=event_id) as stream:
        stream.until("event")
        assert web.ask("events", "DELETE", f"/events/{event_id}").status_code == 204
        stream.until("deleted", eventId=event_id)
        assert stream.has_ended.wait(PATIENCE)


@pytest.mark.parametrize("api", ["events", "bets"])
def test_what_is_refused(web: Web, api: str) -> None:
    problem(web.ask(api, "GET", "/stream", params={"eventId": ID}), "event-not-found")
    invalid(web.ask(api, "GET", "/stream", params={"eventId": "x"}), "query", "eventId")
    invalid(web.ask(api, "GET", "/stream?x=1"), "query", "x")
    for wrong in ("x", "1.2.3", ".", "0" * 32, f"{'0' * 32}.-1", f"{'0' * 32}.1.", "é"):
        headers = {"Last-Event-ID": wrong.encode()}
        invalid(web.ask(api, "GET", "/stream", headers=headers), "header", "Last-Event-ID")
    problem(web.ask(api, "POST", "/stream", json={}), "method-not-allowed")


def test_the_events_api_tells_nothing_of_users(web: Web) -> None:
    invalid(web.ask("events", "GET", "/stream", params={"userId": "ann"}), "query", "userId")
    invalid(web.ask("bets", "GET", "/stream", params={"userId": " ann"}), "query", "userId")


@pytest.mark.parametrize("api", ["events", "bets"])
def test_an_id_of_another_log_is_answered_with_a_gap(web: Web, api: str) -> None:
    with listening(web, api, last_id=f"{'0' * 32}.1.2.3") as stream:
        stream.until("gap")


@pytest.mark.parametrize("api", ["events", "bets"])
def test_only_asking_for_the_head_ends_at_once(web: Web, api: str) -> None:
    response = web.ask(api, "HEAD", "/stream")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
