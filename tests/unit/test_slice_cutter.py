"""How the bets of moved markets are cut into slices, page by page."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import bet_scorer
from domain.bet_scorer import SliceCutter
from domain.bets import BetColumns, BetState, Market
from domain.identity import slice_message_id
from domain.messages import BetsStateChanged
from domain.records import BetRun, MarketOfEvent
from tests.samples import EVENT, OTHER_EVENT, a_version, an_id, finished

SMALL = 3
"""The size of slices here: small ones show the same, sooner."""

CAUSE = a_version(finished("1-0", version=7), at=9)
MARKETS = [MarketOfEvent(event, market) for event in (EVENT, OTHER_EVENT) for market in Market]
TEAM_1 = MARKETS[0]


@pytest.fixture(autouse=True, scope="module")
def _small_slices() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bet_scorer, "SLICE_SIZE", SMALL)
        yield


Place = tuple[MarketOfEvent, UUID, str]


def cut(places: Sequence[Place], pages: Sequence[int]) -> list[BetsStateChanged]:
    """Cut these places, given in pages of these sizes and a last one with what is left."""
    cutter = SliceCutter({market: CAUSE for market, _, _ in places})
    slices: list[BetsStateChanged] = []
    rest = list(places)
    for size in pages:
        page, rest = rest[:size], rest[size:]
        slices += cutter.cut(runs(page), more=True)
    return slices + list(cutter.cut(runs(rest), more=False))


def runs(page: Sequence[Place]) -> list[BetRun]:
    return [
        BetRun(market, BetColumns.of(place[1:] for place in places))
        for market, places in groupby(page, key=itemgetter(0))
    ]


def places_of(counts: Sequence[int]) -> list[Place]:
    """So many bets on the markets, in the order in which they are read."""
    return [
        a_place(number, market)
        for market, count in zip(MARKETS, counts, strict=True)
        for number in range(count)
    ]


def a_place(number: int, market: MarketOfEvent) -> Place:
    return market, an_id(number), f"user-{number}"


counts = st.lists(st.integers(0, 3 * SMALL), min_size=6, max_size=6)
pages = st.lists(st.integers(0, 3 * SMALL), max_size=8)


@given(counts, pages)
def test_every_bet_is_in_exactly_one_slice(bets: list[int], sizes: list[int]) -> None:
    places = places_of(bets)
    slices = cut(places, sizes)
    told = [
        (MarketOfEvent(s.event_id, s.market), UUID(bet_id), user_id)
        for s in slices
        for bet_id, user_id in zip(s.bets.ids, s.bets.user_ids, strict=True)
    ]
    assert told == places


@given(counts, pages)
def test_only_a_markets_last_slice_is_short(bets: list[int], sizes: list[int]) -> None:
    slices = cut(places_of(bets), sizes)
    for market, count in zip(MARKETS, bets, strict=True):
        found = [s for s in slices if (s.event_id, s.market) == market]
        assert [s.number for s in found] == list(range(-(-count // SMALL)))
        assert [len(s.bets) for s in found[:-1]] == [SMALL] * (len(found) - 1)
        assert sum(len(s.bets) for s in found) == count


@given(counts, pages, pages)
def test_pages_make_no_difference(bets: list[int], sizes: list[int], others: list[int]) -> None:
    assert cut(places_of(bets), sizes) == cut(places_of(bets), others)


def test_what_a_slice_says() -> None:
    (only,) = cut([a_place(1, TEAM_1), a_place(2, TEAM_1)], [])
    assert only == BetsStateChanged(
        id=slice_message_id(event_id=EVENT, version=7, key=f"{EVENT}:team_1:0"),
        time=CAUSE.at,
        event_id=EVENT,
        event_version=7,
        market=Market.TEAM_1,
        state=BetState.WIN,
        number=0,
        bets=BetColumns.of([(an_id(1), "user-1"), (an_id(2), "user-2")]),
    )
    assert only.key == f"{EVENT}:team_1:0"


def test_ids_differ_by_event_version_market_and_number() -> None:
    slices = cut(places_of([SMALL + 1] * 6), [])
    again = a_version(finished("1-0", version=8), at=10)
    later = list(SliceCutter({TEAM_1: again}).cut(runs([a_place(0, TEAM_1)]), more=False))
    ids = {piece.id for piece in slices + later}
    assert len(ids) == len(slices) + len(later) == 13


def test_a_slice_ends_with_its_page_when_it_is_full() -> None:
    cutter = SliceCutter({TEAM_1: CAUSE})
    full = [a_place(number, TEAM_1) for number in range(SMALL)]
    assert len(list(cutter.cut(runs(full), more=True))) == 1
    assert list(cutter.cut([], more=False)) == []
