"""What a score may be, and how it is spelt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidValue
from domain.score import GOALLESS, SCORE_RULE, Score
from tests.samples import scores

SPELT = [
    ("0-0", (0, 0)),
    ("1-0", (1, 0)),
    ("0-1", (0, 1)),
    ("10-9", (10, 9)),
    ("100-101", (100, 101)),
    ("999-999", (999, 999)),
]

MISSPELT = [
    "",
    "-",
    "1",
    "1-",
    "-1",
    "1-0-0",
    "a-b",
    "1:0",
    "1–0",  # noqa: RUF001 - an en dash
    "1 - 0",
    " 1-0",
    "1-0 ",
    "1-0\n",
    "+1-0",
    "-1-0",
    "1--0",
    "1.0-0",
    "1_0-0",
    "00-0",
    "01-0",
    "1-00",
    "1-01",
    "1000-0",
    "0-1000",
    "١-٠",  # noqa: RUF001 - Arabic digits
    "１-0",  # noqa: RUF001 - a full-width digit
    "1-²",
    "1-0\x00",
    "1-\ud800",
]


@pytest.mark.parametrize(("text", "goals"), SPELT)
def test_a_score_is_read_and_written(text: str, goals: tuple[int, int]) -> None:
    score = Score.parse(text)
    assert (score.home, score.away) == goals
    assert str(score) == text


@pytest.mark.parametrize("text", MISSPELT)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Score.parse(text)
    assert (refused.value.field, refused.value.problem) == ("score", SCORE_RULE)


@pytest.mark.parametrize(("home", "away"), [(-1, 0), (0, -1), (1000, 0), (0, 1000)])
def test_goals_out_of_range_are_refused(home: int, away: int) -> None:
    with pytest.raises(InvalidValue) as refused:
        Score(home=home, away=away)
    assert refused.value.field == "score"


@given(scores)
def test_every_score_has_one_spelling(score: Score) -> None:
    assert Score.parse(str(score)) == score


@given(st.text(st.sampled_from("0123456789-"), max_size=8))
def test_what_is_read_was_spelt_that_way(text: str) -> None:
    try:
        score = Score.parse(text)
    except InvalidValue:
        return
    assert str(score) == text


def test_a_match_begins_goalless() -> None:
    assert str(GOALLESS) == "0-0"
