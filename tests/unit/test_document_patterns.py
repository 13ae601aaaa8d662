"""What the OpenAPI documents say of texts and headers is what is taken, and nothing else is."""

import re
import sys
from itertools import product

import pytest
from starlette.requests import Request

from adapters.http.headers import ENTITY_TAGS_PATTERN, KEY_PATTERN, idempotency_key, if_match
from adapters.http.problems import BadRequest
from adapters.http.schemas import TEXT_PATTERN
from domain.errors import InvalidValue
from domain.text import check_text

SURROGATES = range(0xD800, 0xE000)
"""No Unicode string has them: no pattern can speak of them."""

BEYOND_THE_FIRST_PLANE = 0x10000
"""No white space lies there, which alone is another thing at an end than inside."""

LETTERS = ('"', "\\", ",", "*", "W/", "a", "\x7f", "\xff", " a", "\ta")
"""What the grammars of the two headers tell apart. (White space around a value is HTTP's.)"""


def is_text(value: str) -> bool:
    try:
        check_text("text", value, longest=3)
    except InvalidValue:
        return False
    return True


@pytest.mark.parametrize(
    ("template", "end"),
    [
        ("{}", sys.maxunicode + 1),
        *((each, BEYOND_THE_FIRST_PLANE) for each in ("a{}", "{}a", "a{}a")),
    ],
)
def test_texts(template: str, end: int) -> None:
    pattern = re.compile(TEXT_PATTERN)
    wrong = [
        hex(code)
        for code in range(end)
        if code not in SURROGATES
        and is_text(text := template.format(chr(code))) is not bool(pattern.fullmatch(text))
    ]
    assert wrong == []


def request_with(name: str, value: str) -> Request:
    headers = [(name.encode(), value.encode("latin-1"))]
    return Request({"type": "http", "headers": headers})


def is_key(value: str) -> bool:
    try:
        return idempotency_key(request_with("idempotency-key", value)) is not None
    except BadRequest:
        return False


def is_entity_tags(value: str) -> bool:
    try:
        if_match(request_with("if-match", value))
    except BadRequest:
        return False
    return True


@pytest.mark.parametrize("length", range(6))
def test_headers(length: int) -> None:
    for letters in product(LETTERS, repeat=length):
        value = "".join(letters).strip(" \t")
        assert is_key(value) is bool(re.fullmatch(KEY_PATTERN, value)), value
        assert is_entity_tags(value) is bool(re.fullmatch(ENTITY_TAGS_PATTERN, value)), value


@pytest.mark.parametrize("quoted", ["{}", '"{}"'])
def test_the_length_of_a_key(quoted: str) -> None:
    for length in (1, 255, 256):
        value = quoted.format("k" * length)
        assert is_key(value) is (length < 256)
        assert bool(re.fullmatch(KEY_PATTERN, value)) is (length < 256)
