"""The extreme values that fields may have: they come back as they were sent."""

import pytest

from domain.bets import LONGEST_USER_ID
from domain.events import LONGEST_TEAM, LONGEST_TYPE
from tests.integration.over_http.asking import Web, unique
from tests.integration.over_http.wrong_values import RIGHT_SCORES, RIGHT_TIMES, right_texts


def test_texts_of_an_event(web: Web) -> None:
    types, teams = right_texts(LONGEST_TYPE), right_texts(LONGEST_TEAM)
    for type_, team in zip(types, teams, strict=True):
        sent = {"type": type_, "team_1": team, "team_2": f"not {team}"[:LONGEST_TEAM]}
        event = web.event(**sent)
        assert event.items() >= sent.items()
        assert web.get_event(event["id"]) == event
        assert event in web.listed("events", "/events", type=type_)
        assert event in web.listed("events", "/events", team=team)


def test_users_are_opaque(web: Web) -> None:
    event = web.event()
    for user in right_texts(LONGEST_USER_ID):
        bet = web.bet(event["id"], "draw", user=user)
        assert bet["userId"] == user
        assert web.listed("bets", "/bets", userId=user, eventId=event["id"]) == [bet]


@pytest.mark.parametrize(("sent", "shown"), RIGHT_TIMES.items())
def test_times_come_back_in_utc(web: Web, sent: str, shown: str) -> None:
    event = web.event(event_date=sent)
    assert event["event_date"] == shown
    assert web.get_event(event["id"]) == event


def test_scores(web: Web) -> None:
    event = web.event()
    web.update(event["id"], state="active")
    for score in RIGHT_SCORES:
        assert web.update(event["id"], score=score)["score"] == score


def test_score_and_state_of_a_new_event_may_be_named(web: Web) -> None:
    plain = web.event(type=unique())
    named = web.event(type=plain["type"], score="0-0", state="created")
    assert named == plain | {"id": named["id"]}
