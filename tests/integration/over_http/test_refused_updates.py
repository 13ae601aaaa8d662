"""PATCH /events/{id}: which error comes first, what it says, and that nothing has changed."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.over_http.asking import Web, problem
from tests.integration.over_http.documented import Json
from tests.integration.over_http.wrong_values import ID

STATES = ["created", "active", "finished"]
NEW = {"type": "tennis", "team_1": "Chile", "team_2": "Peru", "event_date": "2030-01-01T00:00:00Z"}
OLD = {
    "type": "football",
    "team_1": "Argentina",
    "team_2": "France",
    "event_date": "2022-12-18T15:00:00Z",
}

pytestmark = pytest.mark.usefixtures("nothing_is_published")


@pytest.fixture(scope="module")
def events(web: Web) -> dict[str, Json]:
    """An event in each state."""
    found = {}
    for number, state in enumerate(STATES):
        event = web.event()
        for step in STATES[1 : number + 1]:
            event = web.update(event["id"], state=step)
        found[state] = event
    return found


@pytest.fixture(autouse=True)
def nothing_has_changed(web: Web, events: dict[str, Json]) -> Iterator[None]:
    yield
    for event in events.values():
        assert web.get_event(event["id"]) == event
        assert len(web.event_history(event["id"])) == event["version"]


def refused(web: Web, event: Json, code: str, change: Json, **members: object) -> None:
    """It must be refused so, also by a client that names the right version."""
    for headers in ({}, {"If-Match": f'"{event["version"]}"'}):
        found = problem(web.patch(event["id"], headers=headers, **change), code)
        assert {name: found[name] for name in members} == members


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("created", "finished"),
        ("active", "created"),
        ("finished", "created"),
        ("finished", "active"),
    ],
)
def test_illegal_transitions(web: Web, events: dict[str, Json], before: str, after: str) -> None:
    for also in ({}, {"score": "1-0"}, {"score": "0-0"}, NEW, OLD, NEW | {"score": "1-0"}):
        change = also | {"state": after}
        steps = {"from": before, "to": after}
        refused(web, events[before], "illegal-transition", change, **steps)


@pytest.mark.parametrize("field", NEW)
@pytest.mark.parametrize("state", ["active", "finished"])
def test_frozen_fields(web: Web, events: dict[str, Json], state: str, field: str) -> None:
    for also in ({}, {"score": "1-0"}, {"state": state}):
        change = also | {field: NEW[field]}
        refused(web, events[state], "field-frozen", change, field=field)


@pytest.mark.parametrize("field", NEW)
@pytest.mark.parametrize(("before", "after"), [("created", "active"), ("active", "finished")])
def test_a_step_carries_no_field(
    web: Web, events: dict[str, Json], before: str, after: str, field: str
) -> None:
    """Not even one that changes nothing."""
    for value in (NEW[field], OLD[field]):
        for also in ({}, {"score": "1-0"}):
            change = also | {"state": after, field: value}
            refused(web, events[before], "field-frozen", change, field=field)


@pytest.mark.parametrize("score", ["1-0", "0-0"])
def test_kick_off_carries_no_score(web: Web, events: dict[str, Json], score: str) -> None:
    change = {"state": "active", "score": score}
    refused(web, events["created"], "score-not-allowed", change)


@pytest.mark.parametrize("state", ["created", "finished"])
def test_scores_only_while_active(web: Web, events: dict[str, Json], state: str) -> None:
    for also in ({}, {"state": state}, OLD):
        refused(web, events[state], "score-not-allowed", also | {"score": "1-0"})
    also = NEW if state == "created" else {}
    refused(web, events[state], "score-not-allowed", also | {"score": "1-0"})


def test_a_step_that_is_made_already_frees_nothing(web: Web, events: dict[str, Json]) -> None:
    change = {"state": "finished", "score": "1-0"}
    refused(web, events["finished"], "score-not-allowed", change)


# The order of errors


WRONG: list[dict[str, Any]] = [
    {"score": "01-0"},
    {"state": "Active"},
    {"type": None},
    {"extra": 1},
    {"team_1": "Chile", "team_2": "CHILE"},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_422_comes_before_all(web: Web, events: dict[str, Json], wrong: dict[str, Any]) -> None:
    stale = {"If-Match": '"77"'}
    for event_id in (ID, *(event["id"] for event in events.values())):
        for also in ({}, {"event_date": NEW["event_date"]}):
            problem(web.patch(event_id, headers=stale, **(also | wrong)), "validation-error")
    problem(web.patch(ID, headers={"If-Match": "77"}, state="active"), "validation-error")


@pytest.mark.parametrize("state", STATES)
def test_a_team_that_becomes_the_other_is_422_before_conflicts(
    web: Web, events: dict[str, Json], state: str
) -> None:
    for headers in ({}, {"If-Match": '"77"'}):
        for change in ({"team_1": "FRANCE"}, {"team_2": "argentina", "score": "1-0"}):
            response = web.patch(events[state]["id"], headers=headers, **change)
            problem(response, "validation-error")


@pytest.mark.parametrize("change", [{"state": "active"}, {"score": "1-0"}, NEW])
def test_404_comes_before_412(web: Web, change: Json) -> None:
    problem(web.patch(ID, headers={"If-Match": '"77"'}, **change), "event-not-found")


@pytest.mark.parametrize("state", STATES)
def test_412_comes_before_conflicts(web: Web, events: dict[str, Json], state: str) -> None:
    for after in STATES:
        for change in ({"state": after, "score": "1-0"}, NEW | {"state": after}, {"score": "1-0"}):
            response = web.patch(events[state]["id"], headers={"If-Match": '"77"'}, **change)
            problem(response, "version-mismatch")
