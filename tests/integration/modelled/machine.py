"""Asks both APIs whatever comes, in whatever order, and holds each answer to the model."""

from uuid import uuid4

import httpx
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
)

from tests.integration.modelled import requests as asked
from tests.integration.modelled.comparing import is_answer, shows, without
from tests.integration.modelled.model import STATES, Bet, Json, Model, Problem
from tests.integration.over_http.asking import Web
from tests.integration.system import decided, eventually


class OpenEnded(Web):
    """Where nobody knows what became of a request, no answer is the model's any more: the example
    is given up."""

    is_open = False
    given_up = 0

    def _check(self, response: httpx.Response) -> None:
        super()._check(response)
        if response.status_code == 503 and response.request.method != "DELETE":
            self.is_open = True
            self.given_up += 1
            reject()


class BothApis(RuleBasedStateMachine):
    """Asks, compares, and goes on. Every run has event types and users of its own."""

    events = Bundle("events")
    bets = Bundle("bets")

    def __init__(self, web: OpenEnded, met: set[str]) -> None:
        """`met` takes the codes of all problems that were met."""
        super().__init__()
        web.is_open = False
        self.met = met
        self.web = web
        self.model = Model()
        self.refused_keys: set[tuple[str, str, str]] = set()
        """Keys of bets that came too late."""
        self.run = uuid4().hex[:8]
        self.asked_nobody = False

    @initialize(target=events, sent=asked.FIRST_EVENTS)
    def first_event(self, sent: Json) -> str:
        return self._create_event(sent, None, {}) or ""

    # Events

    @precondition(lambda self: len(self.model.events) < 3)
    @rule(target=events, sent=asked.NEW_EVENTS, key=asked.KEYS, prefer=asked.PREFER)
    def create_event(self, sent: Json, key: str | None, prefer: Json) -> MultipleResults[str]:
        event_id = self._create_event(sent, key, prefer)
        return multiple() if event_id is None else multiple(event_id)

    def _create_event(self, sent: Json, key: str | None, prefer: Json) -> str | None:
        sent = self._own(sent)
        key = key and f"{self.run}-{key}"
        response = self.web.ask(
            "events", "POST", "/events", json=sent, headers=_keyed(key) | prefer
        )
        if sent["team_1"].casefold() == sent["team_2"].casefold():
            self._is(response, ("validation-error", {"loc": ["body", "team_2"]}))
            return None
        problem, event_id = self.model.event_of_key(key, sent)
        if problem:
            self._is(response, problem)
            return None
        if event_id is None:
            event_id = self._new_id(response)
            self.model.create_event(event_id, key, sent)
            self._settled(response, prefer, f"/events/{event_id}")
        else:
            assert response.status_code == 201
        event = self.model.events[event_id].now
        assert response.headers["Location"] == f"/events/{event_id}"
        shows(response, event)
        if response.status_code == 201:
            assert response.headers["ETag"] == f'"{event["version"]}"'
        return event_id

    @rule(event_id=events, sent=asked.CHANGES, expected=asked.IF_MATCH, prefer=asked.PREFER)
    def patch_event(self, event_id: str, sent: Json, expected: str | None, prefer: Json) -> None:
        sent = self._own(sent)
        known = self.model.events.get(event_id)
        version = known.now["version"] if known else 1
        headers = {"If-Match": expected.format(now=version)} if expected else {}
        matching = {None: None, "*": None, 'W/"{now}"': set(), '"99"': {99}}
        problem = self.model.patch_event(event_id, sent, matching.get(expected, {version}))
        response = self.web.ask(
            "events", "PATCH", f"/events/{event_id}", json=sent, headers=headers | prefer
        )
        if problem:
            self._is(response, problem)
            return
        event = self.model.events[event_id].now
        if event["version"] == version:
            assert response.status_code == 200
        else:
            assert response.status_code == 202 or not prefer
            # The bets follow: their histories and states are compared from here on.
            eventually(lambda: self._tally(event_id).json() == self.model.tally(event_id))
        shows(response, event)

    @precondition(lambda self: len(self.model.events) > 1)
    @rule(event_id=events)
    def delete_event(self, event_id: str) -> None:
        problem = self.model.delete_event(event_id)
        response = self._delete("events", event_id)
        self._is(response, problem, 204)

    @rule(event_id=events)
    def get_event(self, event_id: str) -> None:
        event = self.model.events.get(event_id)
        got = self.web.ask("events", "GET", f"/events/{event_id}")
        history = self.web.ask("events", "GET", f"/events/{event_id}/history")
        tally = self._tally(event_id)
        if event is None:
            for response in (got, history, tally):
                self._is(response, ("event-not-found", {}))
            return
        tag = f'"{event.now["version"]}"'
        assert (got.json(), got.headers["ETag"]) == (event.now, tag)
        known = {"If-None-Match": tag}
        assert (
            self.web.ask("events", "GET", f"/events/{event_id}", headers=known).status_code == 304
        )
        items = history.json()["items"]
        assert [without(item, "at", "message_id") for item in items] == self.model.history(event_id)
        assert tally.json() == self.model.tally(event_id)

    @rule(kind=asked.KINDS, state=st.none() | st.sampled_from(STATES), team=st.none() | asked.TEAMS)
    def list_events(self, kind: str, state: str | None, team: str | None) -> None:
        query = {"type": f"{self.run} {kind}", "state": state, "team": team}
        found = self._listed("events", "/events", query)
        assert found == [
            event.now
            for event in reversed(self.model.events.values())
            if event.now["type"] == query["type"]
            and state in {None, event.now["state"]}
            and (team is None or team.casefold() in _teams(event.now))
        ]

    # Bets

    @rule(
        target=bets,
        event_id=events,
        user=asked.USERS,
        market=asked.MARKET,
        key=asked.KEYS,
        prefer=asked.PREFER,
    )
    def place_bet(
        self, event_id: str, user: str, market: str, key: str | None, prefer: Json
    ) -> "str | MultipleResults[str]":
        user = f"{self.run} {user}"
        body = {"userId": user, "eventId": event_id, "market": market}
        response = self.web.ask("bets", "POST", "/bets", json=body, headers=_keyed(key) | prefer)
        problem, bet_id = self.model.bet_of_key(user, event_id, market, key)
        problem = problem or (None if bet_id else self.model.may_bet(event_id))
        if problem:
            if key is None:
                self._is(response, problem)
            else:
                self._is_refused(response, problem, (user, event_id, key))
            return multiple()
        if bet_id:
            assert response.status_code == 201
        else:
            bet_id = self._new_id(response)
            self._settled(response, prefer, f"/bets/{bet_id}")
            version = self.model.events[event_id].now["version"]
            created = response.json()["date_created"]
            self.model.place_bet(Bet(bet_id, created, user, event_id, market, version), key)
        assert response.headers["Location"] == f"/bets/{bet_id}"
        shows(response, self.model.shown_bet(bet_id))
        return bet_id

    @rule(bet_id=bets, user=asked.USERS, prefer=asked.PREFER)
    def patch_bet(self, bet_id: str, user: str, prefer: Json) -> None:
        user = f"{self.run} {user}"
        before = self.model.bets.get(bet_id)
        problem = self.model.patch_bet(bet_id, user)
        response = self.web.ask(
            "bets", "PATCH", f"/bets/{bet_id}", json={"userId": user}, headers=prefer
        )
        if problem:
            self._is(response, problem)
            return
        shown = self.model.shown_bet(bet_id)
        assert response.status_code == 202 or not prefer or before == self.model.bets[bet_id]
        eventually(lambda: self.web.get_bet(bet_id).json() == shown)
        shows(response, shown)

    @precondition(lambda self: len(self.model.bets) > 1)
    @rule(bet_id=bets)
    def delete_bet(self, bet_id: str) -> None:
        problem = self.model.delete_bet(bet_id)
        response = self._delete("bets", bet_id)
        self._is(response, problem, 204)

    @rule(bet_id=bets)
    def get_bet(self, bet_id: str) -> None:
        got = self.web.get_bet(bet_id)
        history = self.web.ask("bets", "GET", f"/bets/{bet_id}/history")
        if bet_id not in self.model.bets:
            self._is(got, ("bet-not-found", {}))
            self._is(history, ("bet-not-found", {}))
            return
        assert got.json() == self.model.shown_bet(bet_id)
        items = history.json()["items"]
        assert [without(item, "at") for item in items] == self.model.changes(bet_id)

    @rule(event_id=events, market=st.none() | asked.MARKET, user=st.none() | asked.USERS)
    def list_bets(self, event_id: str, market: str | None, user: str | None) -> None:
        query = {"eventId": event_id, "market": market, "userId": user and f"{self.run} {user}"}
        assert self._listed("bets", "/bets", query) == [
            self.model.shown_bet(bet.id)
            for bet in self.model.bets_of(event_id)
            if market in {None, bet.market} and query["userId"] in {None, bet.user}
        ]

    @rule(event_id=events, wrong=asked.WRONG_EVENT_CHANGES)
    def wrong_event(self, event_id: str, wrong: tuple[Json, list[str]]) -> None:
        """Nothing has changed by it: what follows would see it."""
        response = self.web.ask("events", "PATCH", f"/events/{event_id}", json=wrong[0])
        self._is(response, ("validation-error", {"loc": wrong[1]}))

    @rule(bet_id=bets, wrong=asked.WRONG_BET_CHANGES)
    def wrong_bet(self, bet_id: str, wrong: tuple[Json, list[str]]) -> None:
        response = self.web.ask("bets", "PATCH", f"/bets/{bet_id}", json=wrong[0])
        self._is(response, ("validation-error", {"loc": wrong[1]}))

    @precondition(lambda self: not self.asked_nobody)
    @rule(change=asked.CHANGES)
    def nobody(self, change: Json) -> None:
        """404, whatever is asked of what never was."""
        self.asked_nobody = True
        self.get_event(asked.NOBODY)
        self.patch_event(asked.NOBODY, change, '"99"', {})
        self.delete_event(asked.NOBODY)
        self.place_bet(asked.NOBODY, "ann", "draw", "one", {})
        self.get_bet(asked.NOBODY)
        self.patch_bet(asked.NOBODY, "ann", {})
        self.delete_bet(asked.NOBODY)

    def teardown(self) -> None:
        if self.web.is_open:
            return
        for event_id in self.model.events:
            self.get_event(event_id)
            self.list_bets(event_id, None, None)
        for bet_id in self.model.bets:
            self.get_bet(bet_id)

    # Comparing

    def _own(self, sent: Json) -> Json:
        return sent | ({"type": f"{self.run} {sent['type']}"} if "type" in sent else {})

    def _delete(self, api: str, subject: str) -> httpx.Response:
        """503 while the Event Writer's mark is over two seconds old: then nothing has happened."""
        return decided(lambda: self.web.ask(api, "DELETE", f"/{api}/{subject}"))

    def _tally(self, event_id: str) -> httpx.Response:
        return self.web.ask("bets", "GET", f"/events/{event_id}/tally")

    def _listed(self, api: str, path: str, query: Json) -> list[Json]:
        """All pages, of two items each."""
        named = {name: value for name, value in query.items() if value is not None}
        return [item for page in self.web.pages(api, path, **named, limit=2) for item in page]

    def _new_id(self, response: httpx.Response) -> str:
        assert response.status_code in {201, 202}, response.text
        found: str = response.json()["id"]
        assert found not in {*self.model.events, *self.model.bets, *self.model.deleted}
        return found

    def _is_refused(
        self, response: httpx.Response, problem: Problem, bet: tuple[str, str, str]
    ) -> None:
        """Of a bet with a key that comes too late the quick check leaves no trace. If the Bet
        Writer has not come to the kick-off yet, it is the log that refuses it: then it may be
        answered 202, and stays refused when its event is gone. Both are right."""
        assert problem is not None
        if problem[0] == "event-not-open":
            self.refused_keys.add(bet)
            if response.status_code == 202:
                path = f"/bets/{response.json()['id']}"
                response = eventually(lambda: _refused(self.web.ask("bets", "GET", path)))
                assert response.json()["reason"] == problem[0]
                return
        elif bet in self.refused_keys and "event-not-open" in response.text:
            problem = ("event-not-open", {})
        self._is(response, problem)

    def _settled(self, response: httpx.Response, prefer: Json, path: str) -> None:
        """202 may always be the answer, and must be to who asked for it; then it is decided."""
        assert response.status_code == 202 or not prefer
        api = path.split("/")[1]
        eventually(lambda: self.web.ask(api, "GET", path).status_code == 200)

    def _is(self, response: httpx.Response, problem: Problem, status: int = 0) -> None:
        if problem is not None:
            self.met.add(problem[0])
        is_answer(response, problem, status)


def _keyed(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


def _teams(event: Json) -> set[str]:
    return {event["team_1"].casefold(), event["team_2"].casefold()}


def _refused(response: httpx.Response) -> httpx.Response | None:
    return response if "bet-refused" in response.text else None
