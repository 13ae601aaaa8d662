"""What the Compose Specification's own schema says of a document, and what it leaves out."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from jsonschema import Draft202012Validator

from tests.compose.document import Document, services

SCHEMA = Path(__file__).with_name("compose-spec.json")

_DURATION = re.compile(r"(?:[0-9]+(?:us|ms|s|m|h))+")


def schema_violations(document: Document) -> Iterator[str]:
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    for error in validator.iter_errors(document):
        yield f"{error.json_path}: {error.message}"


def wrong_durations(document: Document) -> Iterator[str]:
    """The schema takes any text for a duration."""
    for name, service in services(document).items():
        check = service.get("healthcheck", {})
        given = {key: check.get(key) for key in ("interval", "timeout", "start_period")}
        for key, value in {**given, "stop_grace_period": service.get("stop_grace_period")}.items():
            if value is not None and not _DURATION.fullmatch(str(value)):
                yield f"{name}: {key} is no duration: {value!r}"


def interpolations(document: Document) -> Iterator[str]:
    """What may be left out has a default: Compose fills in nothing but `${NAME:-default}`, of
    which none is left in a document that has been read."""
    for path, text in _texts(document, "$"):
        if "$" in text:
            yield f"{path} holds a $ that is no ${{NAME:-default}}: {text!r}"


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, f"{path}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, f"{path}[{index}]")
