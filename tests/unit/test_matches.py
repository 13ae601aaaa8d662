"""The demo's matches: each one's way from goalless to its final score, and what can't be one."""

from dataclasses import replace
from uuid import UUID

import pytest

from domain.errors import InvalidValue
from domain.events import Event
from domain.score import Score
from entrypoints.matches import MATCHES, Goal

WAYS = {
    "world-cup-2022": "23' 1-0, 36' 2-0, 80' 2-1, 81' 2-2, 108' 3-2, 118' 3-3",
    "world-cup-2014": "11' 0-1, 23' 0-2, 24' 0-3, 26' 0-4, 29' 0-5, 69' 0-6, 79' 0-7, 90' 1-7",
    "istanbul-2005": "1' 1-0, 39' 2-0, 44' 3-0, 54' 3-1, 56' 3-2, 60' 3-3",
    "istanbul-2005-taken-back": (
        "1' 1-0, 39' 2-0, 44' 3-0, 54' 3-1, 56' 3-2, 60' 3-3, 85' 3-4, 89' 3-3"
    ),
}
FINAL_SCORES = {
    "world-cup-2022": "3-3",
    "world-cup-2014": "1-7",
    "istanbul-2005": "3-3",
    "istanbul-2005-taken-back": "3-3",
}
LENGTHS = {
    "world-cup-2022": 120,
    "world-cup-2014": 90,
    "istanbul-2005": 120,
    "istanbul-2005-taken-back": 120,
}
FINAL = MATCHES["world-cup-2022"]


@pytest.mark.parametrize("name", MATCHES)
def test_scores_follow_from_the_goals(name: str) -> None:
    match = MATCHES[name]
    assert ", ".join(f"{c.minute}' {c.score}" for c in match.score_changes()) == WAYS[name]
    assert str(match.final_score) == FINAL_SCORES[name]
    assert match.length == LENGTHS[name]


@pytest.mark.parametrize("name", MATCHES)
def test_every_match_can_be_an_event(name: str) -> None:
    match = MATCHES[name]
    Event(
        id=UUID(int=1),
        type=match.type,
        team_1=match.team_1,
        team_2=match.team_2,
        event_date=match.kick_off,
    )


def test_what_is_invented_says_so() -> None:
    for name, match in MATCHES.items():
        taken_back = any(change.taken_back for change in match.score_changes())
        assert taken_back == ("invented" in match.title) == name.endswith("taken-back")


@pytest.mark.parametrize(
    ("goals", "why"),
    [
        ((), "lead to 0-0, not to 3-3"),
        (FINAL.goals[:-1], "lead to 3-2, not to 3-3"),
        ((*FINAL.goals[:-1], Goal(minute=121, team=2)), "minutes 1 to 120"),
        ((*FINAL.goals[:-1], Goal(minute=0, team=2)), "minutes 1 to 120"),
        ((*FINAL.goals, Goal(minute=90, team=1, taken_back_at=121)), "minutes 1 to 120"),
        ((*FINAL.goals, Goal(minute=90, team=1, taken_back_at=90)), "only after it was given"),
        ((*FINAL.goals, Goal(minute=90, team=1, taken_back_at=85)), "only after it was given"),
    ],
)
def test_goals_that_dont_fit_are_refused(goals: tuple[Goal, ...], why: str) -> None:
    with pytest.raises(InvalidValue, match=why):
        replace(FINAL, goals=goals)


def test_teams_by_number() -> None:
    assert (FINAL.team(1), FINAL.team(2)) == ("Argentina", "France")
    assert FINAL.score_changes()[0].score == Score(home=1, away=0)
