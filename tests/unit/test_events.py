"""An event's rules, as tables: states by states, fields by states, and which error comes first."""

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import (
    FieldFrozen,
    IllegalTransition,
    InvalidValue,
    RuleBroken,
    ScoreNotAllowed,
)
from domain.events import (
    EVENT_TRANSITIONS,
    FROZEN_ONCE_STARTED,
    Event,
    EventPatch,
    EventState,
    check_change,
    patch_event,
)
from domain.score import GOALLESS
from tests.samples import (
    IN_STATE,
    KICK_OFF_TIME,
    OTHER_EVENT,
    active,
    an_event,
    close_scores,
    finished,
    score,
)

CREATED, ACTIVE, FINISHED = EventState
STEPS = {(CREATED, ACTIVE), (ACTIVE, FINISHED)}
PAIRS = [(before, after) for before in EventState for after in EventState]
ANOTHER: dict[str, Any] = {
    "type": "rugby",
    "team_1": "Brazil",
    "team_2": "Croatia",
    "event_date": KICK_OFF_TIME + timedelta(days=1),
    "score": score("2-1"),
}
"""For each field a value that no sample has."""

FROZEN, NOT_ALLOWED = FieldFrozen, ScoreNotAllowed
FIELDS: dict[str, dict[EventState, type[RuleBroken] | None]] = {
    "type": {CREATED: None, ACTIVE: FROZEN, FINISHED: FROZEN},
    "team_1": {CREATED: None, ACTIVE: FROZEN, FINISHED: FROZEN},
    "team_2": {CREATED: None, ACTIVE: FROZEN, FINISHED: FROZEN},
    "event_date": {CREATED: None, ACTIVE: FROZEN, FINISHED: FROZEN},
    "score": {CREATED: NOT_ALLOWED, ACTIVE: None, FINISHED: NOT_ALLOWED},
}
FIELDS_BY_STATES = [
    (name, state, broken) for name, row in FIELDS.items() for state, broken in row.items()
]


def refusal(event: Event, **named: Any) -> RuleBroken:
    """The error that a patch of these fields gives."""
    with pytest.raises(RuleBroken) as broken:
        patch_event(event, EventPatch(**named))
    return broken.value


# The state machine


def test_the_table_is_total_and_says_this() -> None:
    assert set(EVENT_TRANSITIONS) == set(EventState)
    assert {(before, after) for before, to in EVENT_TRANSITIONS.items() for after in to} == STEPS
    assert [state.value for state in EventState] == ["created", "active", "finished"]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_every_step(before: EventState, after: EventState) -> None:
    event, patch = IN_STATE[before], EventPatch(state=after)
    if before is after:
        assert patch_event(event, patch) is event
    elif (before, after) in STEPS:
        assert patch_event(event, patch) == replace(event, state=after, version=event.version + 1)
    else:
        broken = refusal(event, state=after)
        assert isinstance(broken, IllegalTransition)
        assert broken.details() == {"from": before.value, "to": after.value}


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_every_change_of_state(before: EventState, after: EventState) -> None:
    if before is after or (before, after) in STEPS:
        check_change(IN_STATE[before], IN_STATE[after])
    else:
        with pytest.raises(IllegalTransition):
            check_change(IN_STATE[before], IN_STATE[after])


# Fields by states


def test_the_table_knows_every_field() -> None:
    assert {*FIELDS, "state"} == set(EventPatch.__slots__)
    assert {name for name, row in FIELDS.items() if row[ACTIVE]} == set(FROZEN_ONCE_STARTED)


@pytest.mark.parametrize(("name", "state", "broken"), FIELDS_BY_STATES)
def test_every_field_in_every_state(
    name: str, state: EventState, broken: type[RuleBroken] | None
) -> None:
    event, change = IN_STATE[state], {name: ANOTHER[name]}
    if broken is None:
        after = patch_event(event, EventPatch(**change))
        assert after == replace(event, **change, version=event.version + 1)
        check_change(event, after)
    else:
        error = refusal(event, **change)
        assert type(error) is broken
        assert error.details() == ({"field": name} if broken is FieldFrozen else {})


@pytest.mark.parametrize(("name", "state", "broken"), FIELDS_BY_STATES)
def test_every_change_of_a_field(
    name: str, state: EventState, broken: type[RuleBroken] | None
) -> None:
    if broken is not None:
        with pytest.raises(broken):
            check_change(IN_STATE[state], replace(IN_STATE[state], **{name: ANOTHER[name]}))


@pytest.mark.parametrize("state", EventState)
def test_what_changes_nothing_makes_no_version(state: EventState) -> None:
    event = IN_STATE[state]
    same = {name: getattr(event, name) for name in EventPatch.__slots__}
    assert patch_event(event, EventPatch(**same)) is event
    assert patch_event(event, EventPatch()) is event


def test_the_score_may_go_down() -> None:
    assert patch_event(active("2-1"), EventPatch(score=score("1-1"))).score == score("1-1")


def test_a_change_counts_one_version_whatever_it_was_before() -> None:
    assert patch_event(active(version=41), EventPatch(score=score("1-0"))).version == 42


def test_several_fields_at_once() -> None:
    named = {name: ANOTHER[name] for name in FROZEN_ONCE_STARTED}
    assert patch_event(an_event(), EventPatch(**named)) == an_event(**named, version=2)


# What a step carries


@pytest.mark.parametrize("name", FROZEN_ONCE_STARTED)
@pytest.mark.parametrize("to", [ACTIVE, FINISHED])
@pytest.mark.parametrize("changed", [True, False])
def test_a_step_carries_no_field(name: str, to: EventState, changed: bool) -> None:
    event = an_event() if to is ACTIVE else active()
    value = ANOTHER[name] if changed else getattr(event, name)
    assert refusal(event, state=to, **{name: value}).details() == {"field": name}


@pytest.mark.parametrize("goals", ["0-0", "1-0"])
def test_a_step_to_active_carries_no_score(goals: str) -> None:
    assert isinstance(refusal(an_event(), state=ACTIVE, score=score(goals)), ScoreNotAllowed)


@pytest.mark.parametrize("goals", ["1-1", "0-0"])
def test_a_step_to_finished_may_carry_the_score(goals: str) -> None:
    after = patch_event(active("1-0"), EventPatch(state=FINISHED, score=score(goals)))
    assert after == finished(goals)
    check_change(active("1-0"), after)


@pytest.mark.parametrize("name", [*FROZEN_ONCE_STARTED, "score"])
def test_a_change_with_kick_off_changes_nothing_else(name: str) -> None:
    expected = ScoreNotAllowed if name == "score" else FieldFrozen
    with pytest.raises(expected):
        check_change(an_event(), active(**{name: ANOTHER[name]}))


@pytest.mark.parametrize("name", FROZEN_ONCE_STARTED)
def test_a_change_with_the_end_changes_at_most_the_score(name: str) -> None:
    with pytest.raises(FieldFrozen) as frozen:
        check_change(active("1-0"), finished("1-1", **{name: ANOTHER[name]}))
    assert frozen.value.field == name


def test_versions_are_not_looked_at_by_check_change() -> None:
    check_change(active(version=7), active("1-0", version=3))


# Which error comes first

ALL_WRONG: dict[str, Any] = {"type": "rugby", "score": score("1-0"), "team_2": "ARGENTINA"}


@pytest.mark.parametrize(
    ("event", "named", "broken"),
    [
        (an_event(), {"state": FINISHED} | ALL_WRONG, InvalidValue),
        (active(), {"state": CREATED} | ALL_WRONG, InvalidValue),
        (active(), ALL_WRONG, InvalidValue),
        (an_event(), {"state": FINISHED, "type": "x", "score": score("1-0")}, IllegalTransition),
        (finished(), {"state": ACTIVE, "type": "x", "score": score("1-0")}, IllegalTransition),
        (an_event(), {"state": ACTIVE, "type": "x", "score": score("1-0")}, FieldFrozen),
        (active(), {"state": FINISHED, "type": "x", "score": score("1-0")}, FieldFrozen),
        (active(), {"type": "x", "score": score("1-0")}, FieldFrozen),
        (finished(), {"type": "x", "score": score("1-0")}, FieldFrozen),
        (an_event(), {"type": "x", "score": score("1-0")}, ScoreNotAllowed),
        (an_event(), {"team_2": "argentina", "score": score("1-0")}, InvalidValue),
        (an_event(), {"state": CREATED, "score": score("1-0")}, ScoreNotAllowed),
    ],
)
def test_which_error_comes_first(
    event: Event, named: dict[str, Any], broken: type[RuleBroken]
) -> None:
    assert type(refusal(event, **named)) is broken


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({"team_1": "France"}, "team_1: must differ from team_2"),
        ({"team_2": "Argentina"}, "team_2: must differ from team_1"),
    ],
)
def test_the_team_that_a_patch_names_is_wrong(named: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidValue) as invalid:
        patch_event(an_event(), EventPatch(**named))
    assert str(invalid.value) == problem


def test_a_patch_cannot_name_equal_teams() -> None:
    # Wrong whatever the event is: so it comes before the event is even looked for.
    with pytest.raises(InvalidValue) as invalid:
        EventPatch(team_1="Brazil", team_2="BRAZIL")
    assert invalid.value.field == "team_2"


def test_teams_are_swapped_at_once() -> None:
    after = patch_event(an_event(), EventPatch(team_1="France", team_2="Argentina"))
    assert (after.team_1, after.team_2) == ("France", "Argentina")


# What an event may be


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"type": ""}, "type: must have 1 to 50 characters"),
        ({"type": "x" * 51}, "type: must have 1 to 50 characters"),
        ({"type": "a\x00b"}, "type: must not hold control characters or lone surrogates"),
        ({"team_1": ""}, "team_1: must have 1 to 100 characters"),
        ({"team_1": "x" * 101}, "team_1: must have 1 to 100 characters"),
        ({"team_2": "x" * 101}, "team_2: must have 1 to 100 characters"),
        ({"team_2": " x"}, "team_2: must not begin or end with white space"),
        ({"team_2": "Argentina"}, "team_2: must differ from team_1"),
        ({"team_2": "aRGENTINA"}, "team_2: must differ from team_1"),
        ({"team_1": "Straße", "team_2": "STRASSE"}, "team_2: must differ from team_1"),
        ({"version": 0}, "version: must be 1 or more"),
    ],
)
def test_an_event_cannot_be_wrong(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidValue) as invalid:
        an_event(**fields)
    assert str(invalid.value) == problem


def test_the_longest_event() -> None:
    an_event(type="x" * 50, team_1="x" * 100, team_2="y" * 100, version=1)


def test_an_event_does_not_change_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        an_event().version = 2  # type: ignore[misc]


@pytest.mark.parametrize("name", [*FIELDS, "state", "id"])
def test_content_is_everything_but_the_version(name: str) -> None:
    event = active()
    assert event.same_content(replace(event, version=9))
    other = ANOTHER | {"state": FINISHED, "id": OTHER_EVENT}
    assert not event.same_content(replace(event, **{name: other[name]}))


# Whatever is asked for, in whatever order

patches = st.builds(
    EventPatch,
    type=st.none() | st.sampled_from(["football", "rugby"]),
    team_1=st.none() | st.sampled_from(["Argentina", "france"]),
    score=st.none() | close_scores,
    state=st.none() | st.sampled_from(EventState),
)


@given(st.lists(patches, max_size=8))
def test_a_story_only_goes_on_by_legal_versions(asked: list[EventPatch]) -> None:
    event = an_event()
    for patch in asked:
        try:
            after = patch_event(event, patch)
        except RuleBroken:
            continue
        check_change(event, after)
        assert after.version == event.version + (after != event)
        assert after.score == GOALLESS or after.state is not CREATED
        event = after
