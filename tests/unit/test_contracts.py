"""The documents in docs/api: as the code makes them now, valid, with examples that are right."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from adapters.cloudevents import CloudEventsCodec
from adapters.http import examples, problems
from adapters.http.access import MAY, OPEN
from adapters.http.paging import decode_cursor
from docs.contracts import FOLDER, documents, spelt
from docs.contracts.story import story
from domain.errors import EventNotOpen
from domain.log import BETS_STATE, PARTITIONS, TOPICS
from domain.messages import MESSAGE_TYPES, BetsStateChanged, Message
from domain.records import READERS
from tests.pages import blocks
from tests.unit.malformed import decode

SPECIFICATIONS = Path(__file__).parents[1] / "specifications"
MADE = documents()
ASYNCAPI = MADE[FOLDER / "asyncapi.json"]
SERVED = {name: MADE[FOLDER / f"{name}-openapi.json"] for name in ("events", "bets")}
each_server = pytest.mark.parametrize("name", SERVED)
each_kind = pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=MESSAGE_TYPES.values())

Json = Mapping[str, Any]


def walk(part: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All that a document holds, and where."""
    yield path, part
    if isinstance(part, Mapping):
        for name, each in part.items():
            yield from walk(each, *path, name)
    elif isinstance(part, list):
        for number, each in enumerate(part):
            yield from walk(each, *path, str(number))


def named(document: Json, reference: str) -> Any:
    """What a reference within the document leads to."""
    root, *names = reference.split("/")
    assert root == "#"
    part: Any = document
    for name in names:
        part = part[name]
    return part


def wrong(document: Json, specification: str, validator: Any) -> list[str]:
    schema = json.loads((SPECIFICATIONS / specification).read_text())
    return [f"{e.json_path}: {e.message}" for e in validator(schema).iter_errors(document)]


# Made from the code


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_no_object_says_a_name_twice(path: Path) -> None:
    """Of a number and a text JSON makes the same name."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    assert json.loads(spelt(MADE[path]), object_pairs_hook=members) == MADE[path]


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_the_files_are_what_the_code_makes(path: Path) -> None:
    """Red? `make contracts` writes them; what changed is what others will see."""
    assert path.read_text() == spelt(MADE[path])


def test_there_is_no_other_file() -> None:
    assert set(FOLDER.iterdir()) == MADE.keys()


def test_the_documents_are_the_same_each_time() -> None:
    assert documents() == MADE


# Valid


@each_server
def test_openapi_is_valid(name: str) -> None:
    document = SERVED[name]
    assert wrong(document, "openapi-3.1.json", Draft202012Validator) == []
    for path, part in walk(document):
        if path[-1:] == ("schema",) or path[:-1] == ("components", "schemas"):
            Draft202012Validator.check_schema(part)


def test_asyncapi_is_valid() -> None:
    assert wrong(ASYNCAPI, "asyncapi-3.0.0.json", Draft7Validator) == []


@pytest.mark.parametrize(
    "path",
    [
        ("info", "title"),
        ("servers", "kafka", "protocol"),
        ("operations", "eventsApiSends", "action"),
        ("channels", "betsState", "bindings", "kafka", "partitions"),
        ("components", "messages", "betPlaced", "payload", "type"),
    ],
)
def test_what_is_invalid_is_seen(path: tuple[str, ...]) -> None:
    document = json.loads(spelt(ASYNCAPI))
    *parents, name = path
    named(document, "/".join(["#", *parents]))[name] = {"no": "such thing"}
    assert wrong(document, "asyncapi-3.0.0.json", Draft7Validator)


@pytest.mark.parametrize("document", MADE.values(), ids=lambda document: document["info"]["title"])
def test_references_lead_somewhere(document: Json) -> None:
    found = [part for path, part in walk(document) if path[-1:] == ("$ref",)]
    assert found
    for reference in found:
        assert named(document, reference)


# Whole


@each_server
def test_openapi_tells_who_may(name: str) -> None:
    """Roles, tokens, and what is answered without."""
    operations = {
        operation["operationId"]: operation
        for item in SERVED[name]["paths"].values()
        for operation in item.values()
    }
    guarded = {each: what for each, what in operations.items() if MAY[each] is not OPEN}
    assert guarded
    for each, operation in operations.items():
        assert ("security" in operation) is (each in guarded)
        assert ({"401", "403"} <= operation["responses"].keys()) is (each in guarded)
    for each, operation in guarded.items():
        assert all(role in operation["description"] for role in MAY[each])


def test_every_topic_is_a_channel() -> None:
    channels = {channel["address"]: channel for channel in ASYNCAPI["channels"].values()}
    assert channels.keys() == set(TOPICS)
    for channel in channels.values():
        assert channel["bindings"]["kafka"]["partitions"] == PARTITIONS


def test_every_message_is_sent_by_one_part_and_received() -> None:
    sent: list[str] = []
    received: list[str] = []
    groups: dict[str, set[str]] = {topic: set() for topic in TOPICS}
    for operation in ASYNCAPI["operations"].values():
        channel = named(ASYNCAPI, operation["channel"]["$ref"])
        messages = [each["$ref"].removeprefix("#") for each in operation["messages"]]
        assert all(each.startswith(operation["channel"]["$ref"][1:]) for each in messages)
        kinds = [named(ASYNCAPI, named(ASYNCAPI, f"#{each}")["$ref"])["name"] for each in messages]
        if operation["action"] == "send":
            sent += kinds
        else:
            received += kinds
            groups[channel["address"]] |= set(operation["bindings"]["kafka"]["groupId"]["enum"])
    assert sorted(sent) == sorted(MESSAGE_TYPES.values())
    assert set(received) == set(MESSAGE_TYPES.values())
    assert groups == {topic: set(map(str, names)) for topic, names in READERS.items()}


# Examples


@each_kind
def test_examples_are_messages(kind: type[Message]) -> None:
    """Each is one that the codec has written, validates, and is read as what it says."""
    (message,) = (
        each
        for each in ASYNCAPI["components"]["messages"].values()
        if each["name"] == MESSAGE_TYPES[kind]
    )
    told = [each for each in story() if type(each.message) is kind]
    assert len(message["examples"]) == len(told) >= 1
    payload = Draft7Validator({**message["payload"], "components": ASYNCAPI["components"]})
    key = Draft7Validator(message["bindings"]["kafka"]["key"])
    for shown, example in zip(message["examples"], told, strict=True):
        payload.validate(shown["payload"])
        key.validate(example.key)
        Draft7Validator(message["headers"]).validate(shown["headers"])
        value = json.dumps(shown["payload"]).encode()
        topic = CloudEventsCodec().encode(example.message).topic
        assert decode(value, key=example.key.encode(), topic=topic) == example.message
        assert f"`{example.key}`" in shown["summary"]


def test_the_story_has_a_flip_and_an_end() -> None:
    slices = [e.message for e in story() if isinstance(e.message, BetsStateChanged)]
    states = [str(each.state) for each in slices if each.market == "team_1"]
    assert states == ["losing", "winning", "win"]
    assert {CloudEventsCodec().encode(each).topic for each in slices} == {BETS_STATE}


def test_the_reader_in_java_shows_the_same_story() -> None:
    (block,) = blocks((FOLDER.parents[1] / "examples/java/README.md").read_text(), "jsonl")
    slices = [e.message for e in story() if isinstance(e.message, BetsStateChanged)]
    assert [json.loads(line) for line in block.splitlines()] == [
        {
            "userId": user,
            "bet": bet,
            "eventId": str(each.event_id),
            "market": each.market,
            "event_version": each.event_version,
            "state": each.state,
        }
        for each in slices
        for bet, user in zip(each.bets.ids, each.bets.user_ids, strict=True)
        if user == "ann"
    ]


@each_server
def test_examples_of_bodies_are_right(name: str) -> None:
    document = SERVED[name]
    shown = set()
    for path, part in walk(document):
        if path[-1:] == ("examples",) and isinstance(part, list):
            schema = named(document, "/".join(["#", *path[:-1]]))
            validator = Draft202012Validator({**schema, "components": document["components"]})
            for example in part:
                validator.validate(example)
            shown.add(path[-2])
    bodies = {
        content["schema"]["$ref"].rpartition("/")[2]
        for path, content in walk(document)
        if path[-2:-1] == ("content",) and "$ref" in content["schema"]
    }
    assert bodies <= shown


@pytest.mark.parametrize(
    ("items", "page"), [("events", examples.EVENT_PAGE), ("bets", examples.BET_PAGE)]
)
def test_examples_of_cursors_are_taken(items: str, page: Json) -> None:
    assert decode_cursor(items, page["next"]).id == UUID(page["items"][0]["id"])


@pytest.mark.parametrize(
    ("example", "answer"),
    [
        (examples.PROBLEMS[0], problems.broken_rule(EventNotOpen())),
        (
            examples.PROBLEMS[1],
            problems.invalid([{"loc": ["body", "userId"], "msg": "Field required"}]),
        ),
    ],
    ids=lambda value: "",
)
def test_examples_of_problems_are_what_is_answered(example: Json, answer: Any) -> None:
    assert json.loads(answer.body) == example


def test_patterns_mean_the_same_in_every_language() -> None:
    """ECMA-262 and Python don't agree on what a digit, a letter or a space is."""
    found = {
        part
        for document in MADE.values()
        for path, part in walk(document)
        if path[-1:] == ("pattern",) and isinstance(part, str)
    }
    assert found
    for pattern in found:
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        assert not re.search(r"\\[dwsbAZ]", pattern), pattern
