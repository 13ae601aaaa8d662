"""Every member of every message, wrong in every way: the reason names the member."""

from typing import Any

import pytest

from tests.samples import BET
from tests.unit.malformed import holder_of, why_changed, why_with

TEXT = ["specversion", "id", "source", "type", "subject", "time"]
OF_EVENT = ["id", "type", "team_1", "team_2", "event_date", "score", "state"]
OF_BET = ["id", "date_created", "userId", "eventId", "market"]
MEMBERS = {
    "event.created": [*TEXT, *(f"data.{name}" for name in OF_EVENT)],
    "event.updated": [*TEXT, *(f"data.{name}" for name in OF_EVENT)],
    "bet.placed": [*TEXT, *(f"data.{name}" for name in OF_BET)],
    "bet.updated": [*TEXT, *(f"data.{name}" for name in OF_BET)],
    "bets.state_changed": [
        *TEXT,
        *("data.eventId", "data.market", "data.state"),
        *("data.bets[0].id", "data.bets[1].id", "data.bets[0].userId", "data.bets[1].userId"),
    ],
}
TEXTS = [(kind, path) for kind, paths in MEMBERS.items() for path in paths]
NUMBERS = [
    ("event.created", "data.version"),
    ("event.updated", "data.version"),
    ("bets.state_changed", "data.event_version"),
]
IDS = [p for p in TEXTS if p[1].endswith(("id", "Id", "subject")) and not p[1].endswith("userId")]
TIMES = [p for p in TEXTS if p[1] in {"time", "data.event_date", "data.date_created"}]
NAMES = [p for p in TEXTS if p[1].endswith(("userId", "data.type", "team_1", "team_2"))]


@pytest.mark.parametrize(
    ("kind", "path"),
    [*TEXTS, *NUMBERS, ("bet.placed", "data"), ("bets.state_changed", "data.bets")],
)
def test_no_member_may_be_missing(kind: str, path: str) -> None:
    def remove(body: dict[str, Any]) -> None:
        holder, name = holder_of(body, path)
        del holder[name]

    assert why_changed(kind, remove) == f"{path}: missing"


@pytest.mark.parametrize("value", [None, 1, 1.5, True, [], {}, ["a"]], ids=repr)
def test_text_must_be_text(value: object) -> None:
    for kind, path in TEXTS:
        assert why_with(kind, path, value) == f"{path}: must be text"


@pytest.mark.parametrize("value", [None, "1", 1.0, 1e300, True, [], {}], ids=repr)
def test_numbers_must_be_whole(value: object) -> None:
    for kind, path in NUMBERS:
        assert why_with(kind, path, value) == f"{path}: must be a whole number"


@pytest.mark.parametrize("value", [0, -1, 2**31, 10**400])
def test_numbers_must_fit(value: object) -> None:
    for kind, path in NUMBERS:
        assert why_with(kind, path, value) == f"{path}: must be from 1 to 2147483647"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        str(BET)[:-1],
        str(BET) + "0",
        str(BET).replace("-", ""),
        f"{{{BET}}}",
        f"urn:uuid:{BET}",
        f" {BET}",
        f"{BET}\n",
        str(BET).replace("0", "\N{ARABIC-INDIC DIGIT ZERO}", 1),
        str(BET)[:-1] + "\ud800",
        str(BET)[:-1] + "\0",
        "0_0" + str(BET)[3:],
    ],
    ids=ascii,
)
def test_ids_must_be_uuids(value: str) -> None:
    for kind, path in IDS:
        assert why_with(kind, path, value).startswith(f"{path}: must be a UUID")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "2022-12-18",
        "2022-12-18T15:00:00",
        "2022-12-18 15:00:00Z",
        "2022-12-18T15:00Z",
        "2022-12-18T15:00:00+0300",
        "2022-12-18T15:00:00+03",
        "2022-12-18T15:00:00.Z",
        "2022-12-18T15:00:00,5Z",
        "2022-12-18T15:00:00Z ",
        "2022-12-18T15:00:00Z\n",
        "20221218T150000Z",
        "2022-W51-7T15:00:00Z",
        "2022-13-18T15:00:00Z",
        "2022-02-29T15:00:00Z",
        "2022-12-18T24:00:00Z",
        "2022-12-18T23:59:60Z",
        "2022-12-18T15:00:00+24:00",
        "٢٠٢٢-12-18T15:00:00Z",
        "2022-12-18T15:00:00Z\ud800",
    ],
    ids=ascii,
)
def test_times_must_be_rfc_3339(value: str) -> None:
    for kind, path in TIMES:
        assert why_with(kind, path, value).startswith(
            f"{path}: must be an RFC 3339 time with an offset"
        )


@pytest.mark.parametrize(
    "value",
    ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"],
)
def test_times_must_lie_in_their_range(value: str) -> None:
    for kind, path in TIMES:
        assert why_with(kind, path, value) == f"{path}: must lie in the years 1 to 9999 in UTC"


@pytest.mark.parametrize("value", ["", " a", "a\t", "a\0b", "a\ud800b", "x" * 101], ids=ascii)
def test_names_must_be_allowed_text(value: str) -> None:
    for kind, path in NAMES:
        assert path.rpartition(".")[2] in why_with(kind, path, value)


@pytest.mark.parametrize(
    ("path", "longest"), [("data.type", 50), ("data.team_1", 100), ("data.team_2", 100)]
)
def test_event_texts_have_their_lengths(path: str, longest: int) -> None:
    assert f"must have 1 to {longest} characters" in why_with(
        "event.created", path, "x" * (longest + 1)
    )


@pytest.mark.parametrize(
    ("kind", "path"), [("bet.placed", "data.userId"), ("bets.state_changed", "data.bets[0].userId")]
)
def test_users_have_their_length(kind: str, path: str) -> None:
    assert "must have 1 to 64 characters" in why_with(kind, path, "x" * 65)


@pytest.mark.parametrize(
    ("kind", "path", "value", "reason"),
    [
        ("event.created", "specversion", "0.3", 'specversion: must be "1.0"'),
        ("event.created", "specversion", "1", 'specversion: must be "1.0"'),
        ("event.updated", "data.score", "1:0", "score: must be two numbers"),
        ("event.updated", "data.score", "1000-0", "score: must be two numbers"),
        ("event.updated", "data.team_2", "ARGENTINA", "team_2: must differ from team_1"),
        ("event.updated", "data.state", "Active", "data.state: 'Active' is not"),
        ("event.updated", "data.state", "\ud800\0", "data.state: "),
        ("bet.placed", "data.market", "home", "data.market: 'home' is not"),
        ("bet.placed", "data.market", "\0", "data.market: "),
        ("bets.state_changed", "data.market", "home", "data.market: 'home' is not"),
        ("bets.state_changed", "data.state", "won", "data.state: 'won' is not"),
        ("bets.state_changed", "data.state", "\udfff", "data.state: "),
        ("event.created", "data", [], "data: must be an object"),
        ("bets.state_changed", "data", None, "data: must be an object"),
        ("bets.state_changed", "data.bets", {}, "data.bets: must be a list"),
        ("bets.state_changed", "data.bets", "x", "data.bets: must be a list"),
        ("bets.state_changed", "data.bets", [], "data.bets: must be 1 to 1000"),
        ("bets.state_changed", "data.bets", [1], "data.bets[0]: must be an object"),
        ("bets.state_changed", "data.bets", [{}], "data.bets[0].id: missing"),
    ],
)
def test_values_outside_their_range(kind: str, path: str, value: object, reason: str) -> None:
    assert why_with(kind, path, value).startswith(reason)
