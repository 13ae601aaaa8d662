"""Bodies that are no JSON object, or not sent as JSON: 422 and 415 wherever one is taken."""

import gzip
import json

import pytest

from tests.integration.over_http.asking import (
    JSON,
    Web,
    as_json,
    invalid,
    new_bet_body,
    new_event_body,
    problem,
)
from tests.integration.over_http.documented import Json
from tests.integration.over_http.wrong_values import ID

ROUTES: list[tuple[str, str, str, Json]] = [
    ("events", "POST", "/events", new_event_body()),
    ("events", "PATCH", f"/events/{ID}", {"state": "active"}),
    ("bets", "POST", "/bets", new_bet_body(ID)),
    ("bets", "PATCH", f"/bets/{ID}", {"userId": "bob"}),
]

NO_JSON = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "a word": b"hello",
    "a form": b"type=football&team_1=A",
    "cut off": b'{"type": "foot',
    "not closed": b'{"type": "football"',
    "closed twice": b"{}}",
    "two values": b"{}{}",
    "lines of JSON": b"{}\n{}",
    "trailing comma": b'{"type": "football",}',
    "single quotes": b"{'type': 'football'}",
    "names without quotes": b'{type: "football"}',
    "a comment": b'{"type": "football" /* or not */}',
    "a control character in a string": b'{"type": "foot\nball"}',
    "an unknown escape": b'{"type": "\\x66"}',
    "a cut escape": b'{"type": "\\ud8"}',
    "a leading zero": b'{"type": 01}',
    "NaN": b'{"type": NaN}',
    "Infinity": b'{"type": Infinity}',
    "-Infinity": b'{"type": -Infinity}',
    "Python": b"{'type': None}",
    "U+0000": b"\x00",
    "nested endlessly": b"[" * 60_000,
    "nested deeply": b"[" * 30_000 + b"]" * 30_000,
    "objects nested deeply": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "more digits than can be read": b'{"type": ' + b"9" * 10_000 + b"}",
    "Latin-1": b'{"type": "f\xfatbol"}',
    "a surrogate in UTF-8": b'{"type": "\xed\xa0\x80"}',
    "an overlong form": b'{"type": "\xc0\xaf"}',
    "a stray byte": b'{"type": "football"}\xff',
    "UTF-16": json.dumps({"type": "football"}).encode("utf-16"),
    "UTF-16 without a mark": json.dumps({"type": "football"}).encode("utf-16-le"),
    "UTF-32": json.dumps({"type": "football"}).encode("utf-32"),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
}

NO_OBJECTS: list[object] = [None, True, 0, -1.5, 1e308, "", "{}", [], [{}], [["type", "football"]]]

NO_MEDIA_TYPES = [
    *(
        "text/plain",
        "text/json",
        "text/html",
        "application/xml",
        "application/x-www-form-urlencoded",
    ),
    *("multipart/form-data; boundary=x", "application/octet-stream", "application/jsonp", "json"),
    *("application/x-json", "application/json-patch+json", "application/json/x", "*/*", "", ";"),
    *("application/problem+json", "application /json", "application/json, text/plain"),
]


every_route = pytest.mark.parametrize(
    ("api", "method", "path", "body"), ROUTES, ids=[f"{route[1]} {route[2]}" for route in ROUTES]
)


@every_route
@pytest.mark.usefixtures("nothing_is_published")
def test_what_is_no_json(web: Web, api: str, method: str, path: str, body: Json) -> None:
    for content in NO_JSON.values():
        invalid(web.ask(api, method, path, content=content, headers=JSON), "body")


@every_route
@pytest.mark.usefixtures("nothing_is_published")
def test_json_that_is_no_object(web: Web, api: str, method: str, path: str, body: Json) -> None:
    for value in NO_OBJECTS:
        invalid(web.ask(api, method, path, json=value), "body")


@every_route
@pytest.mark.usefixtures("nothing_is_published")
def test_a_field_is_named_once(web: Web, api: str, method: str, path: str, body: Json) -> None:
    """Two readers of such a body may understand different things."""
    for name, value in body.items():
        once = as_json(body)
        again = b"%s: %s" % (as_json(name), as_json(value))
        twice = b"%s, %s}" % (once.removesuffix(b"}"), again)
        invalid(web.ask(api, method, path, content=twice, headers=JSON), "body")


@every_route
@pytest.mark.usefixtures("nothing_is_published")
def test_other_media_types(web: Web, api: str, method: str, path: str, body: Json) -> None:
    for media_type in NO_MEDIA_TYPES:
        headers = {"Content-Type": media_type}
        response = web.ask(api, method, path, content=as_json(body), headers=headers)
        problem(response, "unsupported-media-type")
    problem(web.ask(api, method, path, content=as_json(body)), "unsupported-media-type")
    problem(web.ask(api, method, path), "unsupported-media-type")


@every_route
@pytest.mark.usefixtures("nothing_is_published")
def test_compressed_bodies(web: Web, api: str, method: str, path: str, body: Json) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = web.ask(api, method, path, content=gzip.compress(as_json(body)), headers=headers)
    problem(response, "unsupported-media-type")
    assert "Content-Encoding" in response.text


@every_route
def test_very_many_wrong_fields_are_not_all_named(
    web: Web, api: str, method: str, path: str, body: Json
) -> None:
    wrong = {f"x{number}": 1 for number in range(3000)}
    response = web.ask(api, method, path, json=body | wrong)
    assert len(problem(response, "validation-error")["errors"]) == 50


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/json ;",
    ],
)
def test_ways_to_say_json(web: Web, media_type: str) -> None:
    response = web.ask(
        "events",
        "POST",
        "/events",
        content=as_json(new_event_body()),
        headers={"Content-Type": media_type},
    )
    assert response.status_code == 201


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\r\n\t "])
def test_what_may_stand_before_json(web: Web, mark: bytes) -> None:
    content = mark + json.dumps(new_event_body(team_1="Türkiye"), ensure_ascii=False).encode()
    response = web.ask("events", "POST", "/events", content=content, headers=JSON)
    assert response.status_code == 201
    assert response.json()["team_1"] == "Türkiye"


def test_escapes_are_read(web: Web) -> None:
    content = as_json(new_event_body()).replace(b"France", b"\\u0046ran\\ud83c\\udfc6ce")
    response = web.ask("events", "POST", "/events", content=content, headers=JSON)
    assert response.json()["team_2"] == "Fran\U0001f3c6ce"
