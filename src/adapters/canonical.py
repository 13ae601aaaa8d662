"""Records spelt exactly as Touchline itself spells them, read in one go.

Nearly all records are, and reading them member by member costs ten times as much. What is found
here is what the careful reader in `cloudevents` would find (a test compares the two); whatever
looks different in any way, wrong or merely unusual, is left to that one.
"""

import re
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring
from uuid import UUID

from domain.bets import LONGEST_USER_ID, BetColumns, BetState, Market, Placement
from domain.errors import InvalidValue
from domain.events import LONGEST_TEAM, LONGEST_TYPE, Event, EventState
from domain.log import BETS_STATE, Headers, Record
from domain.messages import (
    MESSAGE_TYPES,
    SLICE_SIZE,
    BetPlaced,
    BetsStateChanged,
    BetUpdated,
    EventCreated,
    EventUpdated,
    Kinds,
    Message,
    Other,
    slice_key,
)
from domain.score import Score

ALL_KINDS: Kinds = frozenset(MESSAGE_TYPES)

CAUSE = "touchline-cause"
"""The header of a slice that names the message that caused it."""

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{6})?Z"
_NUMBER = r"[1-9][0-9]{0,8}"
_STRING = r'[^"\\\x00-\x1f]*'
_GOALS = r"(?:0|[1-9][0-9]{0,2})"


def _text(longest: int) -> str:
    """What `check_text` takes and JSON writes without an escape."""
    return rf'(?!\s)[^"\\\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{longest}}}(?<!\s)'


def _envelope(kind: str, data: str) -> re.Pattern[str]:
    return re.compile(
        rf'\{{"specversion":"1\.0","id":"({_ID})","source":"{_STRING}","type":"{kind}",'
        rf'"subject":"(?P<subject>{_ID})","time":"({_TIME})","data":\{{{data}\}}\}}'
    )


_BET = _envelope(
    r"bet\.(placed|updated)",
    rf'"id":"(?P=subject)","date_created":"({_TIME})",'
    rf'"userId":"({_text(LONGEST_USER_ID)})","eventId":"({_ID})",'
    rf'"market":"({"|".join(Market)})"',
)

_EVENT = _envelope(
    r"event\.(created|updated)",
    rf'"id":"(?P=subject)","type":"({_text(LONGEST_TYPE)})",'
    rf'"team_1":"({_text(LONGEST_TEAM)})","team_2":"({_text(LONGEST_TEAM)})",'
    rf'"event_date":"({_TIME})","score":"({_GOALS}-{_GOALS})",'
    rf'"state":"({"|".join(EventState)})","version":({_NUMBER})',
)

_SLICE = _envelope(
    r"bets\.state_changed",
    rf'"eventId":"(?P=subject)","event_version":({_NUMBER}),'
    rf'"market":"({"|".join(Market)})","state":"({"|".join(BetState)})",'
    r'"bets":\[(.*)\]',
)

_SLICED_BET = re.compile(rf'\{{"id":"({_ID})","userId":"({_text(LONGEST_USER_ID)})"\}}(?:,|\Z)')
_SLICED_BET_LENGTH = len('{"id":"","userId":""},') + 36
"""Characters of one bet in a slice, without its user."""

_SLICE_NUMBER = re.compile(rb"0|[1-9][0-9]{0,8}")

_EVENT_STATES = {state.value: state for state in EventState}
_BET_STATES = {state.value: state for state in BetState}
_MARKETS = {market.value: market for market in Market}

_event_id = lru_cache(10_000)(UUID)
_moment = lru_cache(100)(datetime.fromisoformat)
_score = lru_cache(1_000)(Score.parse)


def read_canonical(record: Record, kinds: Kinds) -> Message | Other | None:
    """The record's message, or that it is none of these kinds; None when it is spelt in another
    way, or is no message."""
    if record.value is None or record.key is None:
        return None
    try:
        text = record.value.decode()
        if record.source.topic == BETS_STATE:
            found = _slice(text, record.key, record.headers)
            return found if found is None or BetsStateChanged in kinds else Other.OTHER
        return _bet(text, record.key, kinds) or _event(text, record.key, kinds)
    except (ValueError, InvalidValue):
        return None


def _bet(text: str, key: bytes, kinds: Kinds) -> Message | Other | None:
    found = _BET.fullmatch(text)
    if found is None:
        return None
    message, what, subject, time, created, user, event, market = found.groups()
    if key != event.encode():
        return None
    at, date_created = _moment(time), _moment(created)
    kind = BetPlaced if what == "placed" else BetUpdated
    if kind not in kinds:
        return Other.OTHER
    placement = Placement(
        id=UUID(subject),
        date_created=date_created,
        user_id=user,
        event_id=_event_id(event),
        market=_MARKETS[market],
    )
    return kind(id=UUID(message), time=at, placement=placement)


def _event(text: str, key: bytes, kinds: Kinds) -> Message | Other | None:
    found = _EVENT.fullmatch(text)
    if found is None:
        return None
    message, what, subject, time, sport, team_1, team_2, date, score, state, version = (
        found.groups()
    )
    if key != subject.encode():
        return None
    event = Event(
        id=_event_id(subject),
        type=sport,
        team_1=team_1,
        team_2=team_2,
        event_date=_moment(date),
        score=_score(score),
        state=_EVENT_STATES[state],
        version=int(version),
    )
    at = _moment(time)
    kind = EventCreated if what == "created" else EventUpdated
    return kind(id=UUID(message), time=at, event=event) if kind in kinds else Other.OTHER


def _slice(text: str, key: bytes, headers: Headers) -> Message | None:
    found = _SLICE.fullmatch(text)
    if found is None:
        return None
    message, subject, time, version, market, state, bets = found.groups()
    number = key.rpartition(b":")[2]
    columns = _columns(bets)
    if columns is None or not _SLICE_NUMBER.fullmatch(number):
        return None
    event_id = _event_id(subject)
    if key != slice_key(event_id, _MARKETS[market], int(number)).encode():
        return None
    return BetsStateChanged(
        id=UUID(message),
        time=_moment(time),
        event_id=event_id,
        event_version=int(version),
        market=_MARKETS[market],
        state=_BET_STATES[state],
        number=int(number),
        bets=columns,
        cause=cause_in(headers),
    )


def cause_in(headers: Headers) -> UUID | None:
    """What the header says, if anything: a hint, and no reason to refuse a record."""
    for name, value in headers:
        if name == CAUSE:
            try:
                return UUID(value.decode("ascii"))
            except ValueError:
                return None
    return None


def _columns(text: str) -> BetColumns | None:
    """A slice's bets, 1 to SLICE_SIZE, when the text is nothing else."""
    ids, user_ids = tuple(zip(*_SLICED_BET.findall(text), strict=True)) or ((), ())
    length = _SLICED_BET_LENGTH * len(ids) - 1 + sum(map(len, user_ids))
    if length != len(text) or len(ids) > SLICE_SIZE:
        return None
    return BetColumns(ids=ids, user_ids=user_ids)


def spell_columns(bets: BetColumns) -> str:
    """A slice's bets as JSON."""
    rows = zip(bets.ids, map(encode_basestring, bets.user_ids), strict=True)
    return '{"id":"' + '},{"id":"'.join(map('","userId":'.join, rows)) + "}"
