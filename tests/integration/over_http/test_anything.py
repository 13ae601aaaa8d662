"""Whatever is sent: a documented status, a whole problem, never a 500, and a server that lives on.

`Web` holds every answer to that; here is only what is sent.
"""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.over_http.asking import ASYNC, JSON, Web, new_bet_body, new_event_body
from tests.integration.over_http.documented import Json
from tests.integration.over_http.wrong_values import ID

anything = settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

SURROGATES = st.characters(categories=["Cs"])
TEXTS = st.text(st.one_of(st.characters(codec="utf-8"), SURROGATES), max_size=70)
WORDS = st.sampled_from(
    [
        *("created", "active", "finished", "none", "win", "team_1", "draw", "team_2", "0-0", "2-1"),
        *("football", "Argentina", "France", "ann", "2022-12-18T15:00:00Z", ID, "", "50", "*"),
    ]
)
SCALARS = st.one_of(
    WORDS, TEXTS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8
)
NAMES = st.sampled_from(
    [*new_event_body(), "score", "state", "userId", "eventId", "market", "limit", "cursor", "team"]
)
HEADER_VALUES = st.one_of(
    st.sampled_from(['"1"', 'W/"1"', "*", '"1", "2"', "respond-async", "abc", '"a\\"b"', "wait=1"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30).map(str.strip),
    st.text(st.characters(min_codepoint=0x80, max_codepoint=0xFF), min_size=1, max_size=10),
    st.text(st.sampled_from('W/"1, *\\;='), max_size=12).map(str.strip),
    st.integers(250, 260).map(lambda length: "k" * length),
).map(lambda text: text.encode("latin-1"))
HEADERS: st.SearchStrategy[dict[str, bytes]] = st.just({}) | st.dictionaries(
    st.sampled_from(["Idempotency-Key", "If-Match", "If-None-Match", "Prefer"]), HEADER_VALUES
)
BYTES = st.one_of(
    st.binary(max_size=200),
    st.text(st.sampled_from('{}[]":,0123456789.eE+-\\u truefalsn \n'), max_size=60).map(str.encode),
    VALUES.map(json.dumps).map(str.encode),
)


@pytest.fixture(scope="module")
def event(web: Web) -> Json:
    """An event that stays open, with a bet."""
    event = web.event()
    return event | {"bet": web.bet(event["id"], "draw")}


@pytest.fixture(scope="module")
def changing_event(web: Web) -> Json:
    """An event that may be changed as it comes."""
    return web.event()


def changed(right: Json) -> st.SearchStrategy[Json]:
    """A right body; or one of which some is missing, wrong or too much."""
    alike = st.dictionaries(st.sampled_from(sorted(right)), WORDS, max_size=2)
    wrong = st.dictionaries(NAMES | TEXTS, VALUES, max_size=2)
    return st.one_of(
        (st.just({}) | alike | wrong).map(lambda changes: right | changes),
        st.sets(st.sampled_from(sorted(right))).map(lambda kept: {n: right[n] for n in kept}),
    )


def _sent(body: object, headers: Any) -> dict[str, Any]:
    """What may be published is not waited for."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {"content": content, "headers": ASYNC | JSON | headers}


@given(body=changed(new_event_body()) | BYTES, headers=HEADERS)
@anything
def test_post_events(web: Web, body: object, headers: Any) -> None:
    web.ask("events", "POST", "/events", **_sent(body, headers))


@given(
    body=changed({"state": "active", "score": "1-0"}) | changed(new_event_body()) | BYTES,
    headers=HEADERS,
)
@anything
def test_patch_events(web: Web, changing_event: Json, body: object, headers: Any) -> None:
    web.ask("events", "PATCH", f"/events/{changing_event['id']}", **_sent(body, headers))


@given(data=st.data(), headers=HEADERS)
@anything
def test_post_bets(web: Web, event: Json, data: st.DataObject, headers: Any) -> None:
    body = data.draw(changed(new_bet_body(event["id"])) | BYTES)
    web.ask("bets", "POST", "/bets", **_sent(body, headers))


@given(body=changed({"userId": "bob"}) | BYTES, headers=HEADERS)
@anything
def test_patch_bets(web: Web, event: Json, body: object, headers: Any) -> None:
    web.ask("bets", "PATCH", f"/bets/{event['bet']['id']}", **_sent(body, headers))


@pytest.mark.parametrize(("api", "path"), [("events", "/events"), ("bets", "/bets")])
@given(query=st.lists(st.tuples(NAMES | TEXTS, SCALARS.map(str)), max_size=3), headers=HEADERS)
@anything
def test_lists(web: Web, api: str, path: str, query: list[tuple[str, str]], headers: Any) -> None:
    pairs = [f"{_quoted(_utf_8(name))}={_quoted(_utf_8(value))}" for name, value in query]
    web.ask(api, "GET", f"{path}?{'&'.join(pairs)}", headers=headers)


def _utf_8(text: str) -> bytes:
    """Lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def _quoted(part: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in part)


PARTS = st.sampled_from([b"events", b"bets", b"history", b"tally", b"livez", b"docs", ID.encode()])
ADDRESSES = st.builds(
    lambda parts, query: "/" + "/".join(map(_quoted, parts)) + (query and f"?{_quoted(query)}"),
    st.lists(PARTS | st.binary(max_size=40), max_size=4),
    st.just("") | st.binary(min_size=1, max_size=10),
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "X"])


@pytest.mark.parametrize("api", ["events", "bets"])
@given(method=METHODS, address=ADDRESSES, headers=HEADERS)
@anything
def test_addresses(web: Web, api: str, method: str, address: str, headers: Any) -> None:
    web.ask(api, method, address, headers=headers)


@given(headers=HEADERS)
@anything
def test_reads(web: Web, event: Json, headers: Any) -> None:
    for api, path in (
        ("events", f"/events/{event['id']}"),
        ("bets", f"/bets/{event['bet']['id']}"),
        ("bets", f"/events/{event['id']}/tally"),
    ):
        assert web.ask(api, "GET", path, headers=headers).status_code in {200, 304, 422}
