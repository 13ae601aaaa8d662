"""What of a portion a program is told, and in which order."""

import pytest

from adapters.http.sights import Portion, Sight
from adapters.http.streams import _messages
from domain.views import BetsView, EventInSight, EventView
from tests.samples import EVENT, a_version, active, an_event

SEEN = Sight(EventInSight(active(), [], {}))
HERE, MINE = EventView(event_id=EVENT), BetsView(user_id="ann", event_id=EVENT)
MADE = [a_version(an_event(), at=0), a_version(active(), at=1)]


@pytest.mark.parametrize(
    ("portion", "names"),
    [
        (Portion(), ["reached"]),
        (Portion(is_away=True), ["away"]),
        (Portion(versions=MADE, is_away=True), ["version", "version", "away"]),
        (Portion(sights={HERE: SEEN}, is_away=True), ["event", "tally", "away"]),
        (Portion(versions=MADE, is_gap=True), ["gap", "version", "version"]),
        (Portion(sights={HERE: SEEN, MINE: Sight([])}), ["event", "tally", "bets"]),
        (Portion(versions=MADE[:1], sights={HERE: Sight(None)}), ["version", "deleted"]),
    ],
)
def test_nothing_of_a_portion_is_left_out(portion: Portion, names: list[str]) -> None:
    assert [name for name, _ in _messages(portion, with_bets=True)] == names


def test_the_events_api_tells_of_no_bets() -> None:
    told = _messages(Portion(sights={HERE: SEEN}), with_bets=False)
    assert [name for name, _ in told] == ["event"]
