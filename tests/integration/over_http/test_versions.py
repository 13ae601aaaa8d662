"""ETag, If-Match and If-None-Match: the versions of an event as HTTP knows them."""

import pytest

from tests.integration.over_http.asking import Web, invalid, problem, unique
from tests.integration.over_http.documented import Json
from tests.integration.over_http.story import Story

MALFORMED = [
    *("", "1", "2", '"', '"1', '1"', "'1'", '""1""', '"1" "2"', '"1";"2"', '"1", 2', "w/1"),
    *('w/"1"', 'W/ "1"', "W/1", '*, "1"', '"1", *', "**", "W/*", '"a b"', '"1"x', "etag"),
]
"""Neither `*` nor a list of entity tags."""


@pytest.fixture(scope="module")
def event(web: Web) -> Json:
    """An event at version 2."""
    return web.update(web.event()["id"], type=unique())


def test_a_right_version_is_expected(web: Web) -> None:
    event = web.event()
    for version, tags in enumerate(
        [
            '"{}"',
            "*",
            '"{}", "77"',
            '"77","{}"',
            '"77" , W/"1",\t"{}"',
            '"abc", "{}", ""',
            '"{}",',
            '"77",,"{}"',
            ', "{}" ,\t, ,',
        ],
        start=1,
    ):
        headers = {"If-Match": tags.format(version)}
        response = web.patch(event["id"], headers=headers, type=unique())
        assert response.status_code == 200, tags
        assert response.json()["version"] == version + 1


def test_two_headers_are_one_list(web: Web, event: Json) -> None:
    path = f"/events/{event['id']}"
    found = web.http.get(
        web.events_url + path, headers=[("If-None-Match", '"77"'), ("If-None-Match", '"2"')]
    )
    assert found.status_code == 304


def test_another_version_than_expected_is_not_deleted(web: Web) -> None:
    event = web.event()
    path = f"/events/{event['id']}"
    problem(web.ask("events", "DELETE", path, headers={"If-Match": '"2"'}), "version-mismatch")
    assert web.get_event(event["id"]) == event
    deleted = web.ask("events", "DELETE", path, headers={"If-Match": '"1"'})
    assert deleted.status_code == 204


def test_a_wrong_version_is_refused(web: Web, story: Story, event: Json) -> None:
    before = story.length()
    for tags in (
        *(
            '"1"',
            '"3"',
            '"1", "3"',
            '"0"',
            '"-2"',
            '"02"',
            '"2."',
            '""',
            '"abc"',
            '"\xb2"',
            '"2.0"',
        ),
        *('"99999999999999999999"', '"*"', 'W/"2"', 'W/"2", "1"'),
    ):
        headers = {"If-Match": tags.encode("latin-1")}
        response = web.ask(
            "events", "PATCH", f"/events/{event['id']}", json={"type": "x"}, headers=headers
        )
        problem(response, "version-mismatch")
    assert story.length() == before


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
def test_what_is_no_list_of_versions(web: Web, story: Story, event: Json, name: str) -> None:
    before = story.length()
    method, body = ("PATCH", {"json": {"type": "x"}}) if name == "If-Match" else ("GET", {})
    for tags in (*(tag.encode() for tag in MALFORMED), b"\xa0*", b'"1"\xa0', b"\xe9"):
        response = web.ask("events", method, f"/events/{event['id']}", headers={name: tags}, **body)
        invalid(response, "header", name)
    assert story.length() == before


def test_an_unchanged_event_is_not_sent_again(web: Web, event: Json) -> None:
    path = f"/events/{event['id']}"
    for tags in ('"2"', 'W/"2"', '"1", "2"', '"77",W/"2"', "*", '"2",'):
        response = web.ask("events", "GET", path, headers={"If-None-Match": tags})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["ETag"] == '"2"'
        headed = web.ask("events", "HEAD", path, headers={"If-None-Match": tags})
        assert headed.status_code == 304
    for tags in ('"1"', 'W/"1"', '"1", "3"', '"02"', '"abc"', '""'):
        response = web.ask("events", "GET", path, headers={"If-None-Match": tags})
        assert (response.status_code, response.json()) == (200, event)


def test_a_change_is_noticed(web: Web) -> None:
    event = web.event()
    known = {"If-None-Match": '"1"'}
    path = f"/events/{event['id']}"
    assert web.ask("events", "GET", path, headers=known).status_code == 304
    event = web.update(event["id"], type=unique())
    assert web.ask("events", "GET", path, headers=known).json() == event


@pytest.mark.parametrize(("api", "path"), [("events", "/events"), ("bets", "/bets")])
def test_lists_have_no_version(web: Web, api: str, path: str) -> None:
    response = web.ask(api, "GET", path, headers={"If-None-Match": "*"})
    assert response.status_code == 200
    assert "ETag" not in response.headers
