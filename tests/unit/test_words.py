"""What the pages say."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.http.pages import words
from adapters.http.schemas import EventChanges
from domain.bets import BetState, Market
from domain.events import Event, EventPatch
from domain.history import BetChange
from domain.records import BetTally, EventVersion
from domain.views import BetInSight, EventInSight
from domain.watching import preview
from tests.samples import (
    EVENT,
    NOW,
    OTHER_EVENT,
    a_bet,
    a_version,
    active,
    an_event,
    an_id,
    finished,
    score,
)

NONE, WINNING, LOSING, WIN, LOSE = BetState
TALLY = {(Market.TEAM_1, WINNING): 40, (Market.DRAW, LOSING): 40, (Market.TEAM_2, LOSING): 1240}


@pytest.mark.parametrize(
    ("event", "tally", "said"),
    [
        (an_event(), {}, "Argentina against France takes bets until kick-off: 0 bets so far."),
        (
            an_event(),
            {(Market.DRAW, NONE): 1},
            "Argentina against France takes bets until kick-off: 1 bet so far.",
        ),
        (
            active("2-1"),
            TALLY,
            "Argentina 2\u20131 France is being played: 40 of 1,320 bets are winning.",
        ),
        (
            active("0-0"),
            {(Market.DRAW, WINNING): 1},
            "Argentina 0\u20130 France is being played: 1 of 1 bet is winning.",
        ),
        (
            finished("0-3"),
            {(Market.TEAM_2, WIN): 2, (Market.DRAW, LOSE): 1},
            "Argentina 0\u20133 France is over: 2 of 3 bets won.",
        ),
    ],
)
def test_an_event_in_one_sentence(event: Event, tally: BetTally, said: str) -> None:
    assert words.headline(event, tally) == said


def minutes(event: Event, after: int) -> EventVersion:
    return replace(a_version(event, at=event.version), at=NOW + timedelta(minutes=after))


STORY = [
    minutes(an_event(), 0),
    minutes(an_event(version=2, type="rugby"), 5),
    minutes(active("0-0", version=3), 10),
    minutes(active("1-0", version=4), 33),
    minutes(active("2-0", version=5), 34),
    minutes(active("1-0", version=6), 35),
    minutes(active("1-1", version=7), 91),
    minutes(finished("1-1", version=8), 100),
]
STANDING = {(Market.TEAM_1, LOSE): 2, (Market.DRAW, WIN): 3, (Market.TEAM_2, LOSE): 1}


def test_the_story_of_a_match() -> None:
    assert list(words.story(STORY, STANDING)) == [
        ("", "Created", ""),
        ("", "Changed", "No bet flips"),
        ("0 s", "Kick-off", "6 bets flip: 3 to winning, 3 to losing"),
        ("23 min", "Goal: 1\u20130", "5 bets flip: 2 to winning, 3 to losing"),
        ("24 min", "Goal: 2\u20130", "No bet flips"),
        ("25 min", "Score corrected: 1\u20130", "No bet flips"),
        ("81 min", "Goal: 1\u20131", "5 bets flip: 3 to winning, 2 to losing"),
        ("90 min", "Final whistle: 1\u20131", "6 bets flip: 3 to win, 3 to lose"),
    ]
    assert words.latest(STORY[-2:], STANDING) == (
        "Final whistle: 1\u20131. 6 bets flip: 3 to win, 3 to lose."
    )
    assert words.latest(STORY[:1], {}) == "Created."
    assert words.latest([], {}) == ""
    assert next(words.story(STORY[3:], {}))[1] == "Version 4: 1\u20130"


def test_one_bet_flips() -> None:
    assert words.flipped({Market.DRAW: WINNING}, {(Market.DRAW, LOSING): 1}) == (
        "1 bet flips: 1 to winning"
    )


def test_the_chart_begins_at_kick_off() -> None:
    assert words.chart(finished("1-1"), STORY) == {
        "teams": ["Argentina", "France"],
        "seconds": [0, 23 * 60, 24 * 60, 25 * 60, 81 * 60, 90 * 60],
        "lead": [0, 1, 2, 1, 0, 0],
        "over": True,
    }
    assert words.chart(an_event(), STORY[:2])["seconds"] == []


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119.9, "119 s"), (120, "2 min"), (5400, "90 min")]
)
def test_a_lapse_of_time(seconds: float, said: str) -> None:
    assert words.lapse(timedelta(seconds=seconds)) == said


def step(version: EventVersion, state: BetState) -> BetChange:
    return BetChange(
        event_version=version.version,
        event_state=version.state,
        score=version.score,
        state=state,
        at=version.at,
    )


def test_the_way_of_a_bet() -> None:
    placed = step(STORY[0], NONE)
    changes = [placed, step(STORY[2], LOSING), step(STORY[3], WINNING), step(STORY[6], LOSING)]
    seen = BetInSight(a_bet(), active("1-1"), [*changes, step(STORY[7], LOSE)])
    assert words.way(seen) == [
        "placed",
        "losing since kick-off",
        "winning since 23 min after kick-off, at 1\u20130",
        "losing since 81 min after kick-off, at 1\u20131",
        "lose, 90 min after kick-off, at 1\u20131",
    ]
    assert words.way(BetInSight(a_bet(), an_event(), [placed])) == ["placed"]


def test_the_news_of_a_players_bets() -> None:
    bets = [
        replace(a_bet(id=an_id(number), market=market), state=state)
        for number, (market, state) in enumerate(
            [
                (Market.TEAM_1, WINNING),
                (Market.DRAW, LOSING),
                (Market.TEAM_2, WIN),
                (Market.DRAW, LOSE),
            ]
        )
    ]
    told = [words.news_of_bet(BetInSight(bet, active("1-0"), []), with_match=False) for bet in bets]
    assert told == [
        "Your bet on Argentina is winning.",
        "Your bet on Draw is losing.",
        "Your bet on France has won.",
        "Your bet on Draw has lost.",
    ]
    one = words.news_of_bet(BetInSight(bets[0], active("1-0"), []), with_match=True)
    assert one == "Argentina 1\u20130 France: your bet on Argentina is winning."


def test_the_news_of_a_match() -> None:
    seen = EventInSight(finished("1-1"), STORY, STANDING)
    new = {(EVENT, 8), (EVENT, 1), (OTHER_EVENT, 3)}
    assert words.news_of_event(seen, new) == [
        "Created.",
        "Final whistle: 1\u20131. 6 bets flip: 3 to win, 3 to lose.",
    ]


def test_how_many_could_not_be_read() -> None:
    assert words.letters(1) == "1 record that could not be read:"
    assert words.letters(20) == "20 records that could not be read:"
    assert words.letters(21) == "More than 20 records could not be read. The newest:"


@pytest.mark.parametrize(
    ("before", "fields", "asks", "tells"),
    [
        (
            an_event(),
            {"state": "active"},
            "Kick off?",
            "1,320 bets flip: 40 to winning, 1,280 to losing.",
        ),
        (
            active("0-0"),
            {"score": "1-0"},
            "0\u20130 becomes 1\u20130?",
            "80 bets flip: 40 to winning, 40 to losing.",
        ),
        (active("1-0"), {"score": "2-0"}, "1\u20130 becomes 2\u20130?", "No bet flips."),
        (
            active("1-0"),
            {"state": "finished"},
            "Finish at 1\u20130?",
            "1,320 bets flip: 40 to win, 1,280 to lose.",
        ),
        (
            an_event(),
            {"team_1": "Milan"},
            "Milan \u2013 France, football?",
            "1,320 bets stand on it as it was: the players see new names.",
        ),
    ],
)
def test_what_an_operator_is_asked(
    before: Event, fields: dict[str, str], asks: str, tells: str
) -> None:
    found = preview(before, EventChanges.model_validate(fields).patch(), TALLY)
    assert words.change(before, found.event) == asks
    assert words.consequence(before, found) == tells


def test_renaming_without_bets_or_with_one() -> None:
    patch = EventPatch(team_1="Milan")
    none = preview(an_event(), patch, {})
    assert words.consequence(an_event(), none) == "There are no bets yet."
    one = preview(an_event(), patch, {(Market.DRAW, NONE): 1})
    assert words.consequence(an_event(), one).startswith("1 bet stands on it")


def test_how_bets_of_a_market_stand() -> None:
    assert words.standing(words.of_market(TALLY, Market.TEAM_1)) == "40 winning"
    halfway = {(Market.DRAW, WINNING): 1000, (Market.DRAW, LOSING): 7, (Market.DRAW, NONE): 1}
    told = words.standing(words.of_market(halfway, Market.DRAW))
    assert told == "1 open, 1,000 winning, 7 losing"
    assert words.standing(words.of_market({}, Market.DRAW)) == "none yet"


def test_how_far_a_consumer_is_behind() -> None:
    assert words.stands(None, None) == "has not been at the end yet"
    assert words.stands(timedelta(seconds=1), 0) == "at the end"
    assert words.stands(timedelta(seconds=9), 0) == "last at the end 9 s ago"
    behind = words.stands(timedelta(minutes=9), 1)
    assert behind == "last at the end 9 min ago, 1 record behind the one before it"


def test_scores_have_a_dash() -> None:
    assert words.shown_score(an_event(score=score("12-3"))) == "12\u20133"
