"""Both servers as their clients meet them; each answer is checked for what all have in common."""

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx

from tests.integration.over_http.documented import Document, Json, check_problem
from tests.integration.system import Client

JSON = {"Content-Type": "application/json"}
ASYNC = {"Prefer": "respond-async"}
ABSENT: Any = object()


PAGES = re.compile(r"/$|/pages/|/static/")
"""What is for people, and not described."""


class Web(Client):
    """The words of `Client`, and requests of any kind; no answer may break the general rules."""

    def __init__(self, events_url: str, bets_url: str) -> None:
        self.documents = {
            httpx.URL(url).port: Document(httpx.get(f"{url}/openapi.json").json())
            for url in (events_url, bets_url)
        }
        http = httpx.Client(timeout=60, event_hooks={"response": [self._check]})
        super().__init__(events_url, bets_url, http)

    def _check(self, response: httpx.Response) -> None:
        response.read()
        assert response.status_code != 500, response.text
        if PAGES.match(response.request.url.path):
            return
        self.documents[response.request.url.port].check(response)
        is_report = response.request.url.path == "/readyz" and response.status_code == 503
        if response.status_code >= 400 and not is_report:
            check_problem(response)

    def ask(
        self,
        api: str,
        method: str,
        path: str,
        *,
        json: object = ABSENT,
        headers: Mapping[str, str | bytes] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One request to the `events` or the `bets` API."""
        url = {"events": self.events_url, "bets": self.bets_url}[api]
        sent = [(name.encode(), _bytes(value)) for name, value in (headers or {}).items()]
        if json is not ABSENT:
            more["content"] = as_json(json)
            sent += [(name.encode(), value.encode()) for name, value in JSON.items()]
        return self.http.request(method, url + path, headers=sent, **more)

    def get(self, api: str, path: str, **query: object) -> Json:
        """What must be there."""
        response = self.ask(api, "GET", path, params={k: str(v) for k, v in query.items()})
        assert response.status_code == 200, response.text
        found: Json = response.json()
        return found

    def get_event(self, event_id: str) -> Json:
        return self.get("events", f"/events/{event_id}")

    def event_history(self, event_id: str) -> list[Json]:
        return _items(self.get("events", f"/events/{event_id}/history"))

    def bet_history(self, bet_id: str) -> list[Json]:
        return _items(self.get("bets", f"/bets/{bet_id}/history"))

    def listed(self, api: str, path: str, **query: object) -> list[Json]:
        """The items of one page."""
        return _items(self.get(api, path, **query))

    def pages(self, api: str, path: str, **query: object) -> list[list[Json]]:
        """The items of all pages, one after the other."""
        page = self.get(api, path, **query)
        pages = [page["items"]]
        while page["next"] is not None:
            page = self.get(api, path, **query, cursor=page["next"])
            pages.append(page["items"])
        return pages


def _items(body: Json) -> list[Json]:
    items: list[Json] = body["items"]
    return items


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def as_json(value: object) -> bytes:
    """ASCII only, so that lone surrogates stand there as escapes; NaN as Python spells it."""
    return json.dumps(value).encode()


def problem(response: httpx.Response, code: str) -> Json:
    """The problem that must be the answer; that it has the code's status is checked already."""
    assert response.status_code >= 400, response.text
    body: Json = response.json()
    assert body["type"] == f"/problems/{code}", response.text
    return body


def invalid(response: httpx.Response, *loc: str | int) -> None:
    """It must be 422, and say that this part of the request, and nothing else, is wrong."""
    errors = problem(response, "validation-error")["errors"]
    assert [error["loc"] for error in errors] == [list(loc)], errors


def unique() -> str:
    """A word that no other test uses."""
    return uuid4().hex


def new_event_body(**changes: object) -> Json:
    """What creates an event; a field that is ABSENT is left out."""
    body = {
        "type": "football",
        "team_1": "Argentina",
        "team_2": "France",
        "event_date": "2022-12-18T15:00:00Z",
    }
    return _present(body | changes)


def new_bet_body(event_id: str, **changes: object) -> Json:
    """What places a bet; a field that is ABSENT is left out."""
    return _present({"userId": "bob", "eventId": event_id, "market": "draw"} | changes)


def _present(body: Json) -> Json:
    return {name: value for name, value in body.items() if value is not ABSENT}
