"""What text may be in Touchline."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidValue
from domain.text import check_text, fold

LONGEST = 5
WHITE_SPACE = [" ", "\t", "\n", "\x0b", "\x1c", "\x85", "\xa0", "\u2003", "\u2028", "\u3000"]
CONTROL = ["\x00", "\x01", "\t", "\n", "\x1f", "\x7f", "\x80", "\x9f"]
LONE_SURROGATES = ["\ud800", "\udbff", "\udc00", "\udfff"]
ALLOWED = {
    "plain": "Ajax",
    "one character": "A",
    "white space within": "a b",
    "no-break space within": "a\xa0b",
    "line separator within": "a\u2028b",
    "accents": "Malmö",
    "combining": "e\u0301",
    "emoji with joiners": "👩\u200d👩",
    "byte order mark": "\ufeffa",
    "private use": "\ue000",
    "unassigned": "\u0378",
    "not a character": "\uffff",
    "the last one": "\U0010ffff",
}


def problem_of(value: str) -> str:
    with pytest.raises(InvalidValue) as refused:
        check_text("team_1", value, longest=LONGEST)
    assert refused.value.field == "team_1"
    assert str(refused.value) == f"team_1: {refused.value.problem}"
    return refused.value.problem


@pytest.mark.parametrize("value", ALLOWED.values(), ids=ALLOWED)
def test_text_that_is_allowed_stays_as_it_is(value: str) -> None:
    assert check_text("team_1", value, longest=LONGEST) == value


@pytest.mark.parametrize("length", [0, LONGEST + 1, 10 * LONGEST])
def test_the_length_has_limits(length: int) -> None:
    assert problem_of("a" * length) == "must have 1 to 5 characters"


@pytest.mark.parametrize("length", [1, LONGEST])
def test_both_limits_are_allowed(length: int) -> None:
    # Astral characters count as one each.
    assert check_text("team_1", "👩" * length, longest=LONGEST) == "👩" * length


@pytest.mark.parametrize("space", WHITE_SPACE)
@pytest.mark.parametrize("shape", ["{}a", "a{}", "{}", "{0}a{0}"])
def test_no_white_space_around(space: str, shape: str) -> None:
    assert problem_of(shape.format(space)) == "must not begin or end with white space"


@pytest.mark.parametrize("character", CONTROL + LONE_SURROGATES)
def test_nothing_unprintable_within(character: str) -> None:
    assert problem_of(f"a{character}b") == "must not hold control characters or lone surrogates"


@pytest.mark.parametrize("character", ["\x00", "\x7f", *LONE_SURROGATES])
@pytest.mark.parametrize("shape", ["{}a", "a{}", "{}"])
def test_nothing_unprintable_at_the_edges(character: str, shape: str) -> None:
    assert problem_of(shape.format(character))


@given(st.text(st.characters(), max_size=LONGEST + 2))
def test_exactly_this_is_allowed(value: str) -> None:
    allowed = (
        1 <= len(value) <= LONGEST
        and value == value.strip()
        and not any(unicodedata.category(character) in {"Cc", "Cs"} for character in value)
    )
    if allowed:
        assert check_text("team_1", value, longest=LONGEST) == value
        value.encode()
        assert "\0" not in value
    else:
        assert problem_of(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ajax", "AJAX"), ("Ajax", " ajax\t"), ("Straße", "STRASSE"), ("ΑΣ", "ας")],
)
def test_names_are_compared_folded(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("Ajax", "Ajax 2"), ("Malmö", "Malmo"), ("A B", "AB")])
def test_other_names_stay_others(one: str, other: str) -> None:
    assert fold(one) != fold(other)
