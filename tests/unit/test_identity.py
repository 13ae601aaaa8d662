"""Ids that follow from content: always the same, and different for other content."""

from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bets import Market
from domain.identity import bet_id_of_key, event_id_of_key, origin_of, slice_message_id
from domain.messages import slice_key
from tests.samples import EVENT, OTHER_EVENT, active, an_event, an_id, texts

KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
EVENTS = st.sampled_from([an_id(number) for number in range(3)])


def test_a_bets_id_is_over_user_event_and_key() -> None:
    bets = uuid5(NAMESPACE_DNS, "bets.touchline")
    expected = uuid5(bets, f'["ann","{EVENT}","k-1"]')
    assert bet_id_of_key(user_id="ann", event_id=EVENT, key="k-1") == expected
    assert expected.version == 5


def test_ids_stay_what_they_were_in_earlier_releases() -> None:
    # They lie in databases: should one of these change, retries would make second bets.
    event_id = UUID("0199aaaa-0000-7000-8000-000000000001")
    key = slice_key(event_id, Market.TEAM_1, 12)
    assert (
        str(bet_id_of_key(user_id="Zoë", event_id=event_id, key='a"b')),
        str(event_id_of_key("k-1")),
        str(slice_message_id(event_id=event_id, version=3, key=key)),
        origin_of(an_event()).hex(),
    ) == (
        "456e82d4-26aa-5501-bc89-55a77da219b6",
        "d0fba7e3-af9c-5892-bfc0-fd45f63faaee",
        "c94ec3f8-2008-547e-9284-e5aa6878d5fb",
        "d57ad9b0d710b62a0f75dee3937ec9c1",
    )


@given(st.lists(st.tuples(texts(5), EVENTS, KEYS), unique=True, min_size=2, max_size=8))
def test_other_user_event_or_key_is_another_bet(parts: list[tuple[str, UUID, str]]) -> None:
    ids = [bet_id_of_key(user_id=user, event_id=event, key=key) for user, event, key in parts]
    assert len(set(ids)) == len(ids)
    assert ids == [bet_id_of_key(user_id=u, event_id=e, key=k) for u, e, k in parts]


def test_where_one_part_ends_matters() -> None:
    quoted = f'ann","{EVENT}'
    assert bet_id_of_key(user_id=quoted, event_id=EVENT, key="k") != bet_id_of_key(
        user_id="ann", event_id=EVENT, key=f'{EVENT}","k'
    )


@given(st.lists(KEYS, unique=True, min_size=2))
def test_another_key_is_another_event(keys: list[str]) -> None:
    assert len({event_id_of_key(key) for key in keys}) == len(keys)


def test_a_key_never_names_a_bet_and_an_event_alike() -> None:
    assert event_id_of_key("k") != bet_id_of_key(user_id="k", event_id=EVENT, key="k")


@pytest.mark.parametrize("other", [{"event_id": OTHER_EVENT}, {"version": 3}, {"key": "b"}])
def test_another_slice_has_another_message_id(other: dict[str, Any]) -> None:
    one: dict[str, Any] = {"event_id": EVENT, "version": 2, "key": "a"}
    assert slice_message_id(**one) == slice_message_id(**one)
    assert slice_message_id(**one) != slice_message_id(**one | other)


@pytest.mark.parametrize(
    "other",
    [
        {"type": "rugby"},
        {"team_1": "Brazil"},
        {"team_2": "Brazil"},
        {"event_date": an_event().event_date + timedelta(seconds=1)},
    ],
)
def test_another_creation_has_another_origin(other: dict[str, Any]) -> None:
    assert origin_of(an_event(**other)) != origin_of(an_event())
    assert len(origin_of(an_event(**other))) == 16


def test_an_origin_is_over_what_was_asked_for() -> None:
    event = an_event()
    elsewhere = event.event_date.astimezone(timezone(timedelta(hours=3)))
    assert origin_of(replace(event, event_date=elsewhere)) == origin_of(event)
    assert origin_of(active("2-1", id=OTHER_EVENT)) == origin_of(event)
