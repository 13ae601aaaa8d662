"""What the pages say in sentences. Every text for people about bets and goals is here."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from adapters.http.paging import encode_cursor
from domain.bets import Bet, BetState, Market
from domain.events import Event, EventState
from domain.history import BetChange
from domain.records import BetTally, Cursor, EventVersion
from domain.views import (
    MOST_BETS,
    MOST_LETTERS,
    BetInSight,
    EventInSight,
)
from domain.watching import Preview, Step, by_market, by_state, steps

CAUGHT_UP_SECONDS = 3
"""A consumer says once a second that it is at the log's end."""

STATES = {
    EventState.CREATED: "Open for bets",
    EventState.ACTIVE: "Live",
    EventState.FINISHED: "Finished",
}

REASONS = {
    "event-not-open": "Too late: the match has kicked off, and takes no more bets.",
    "event-not-found": "There is no such match any more.",
    "bet-not-found": "There is no such bet.",
    "bet-deleted": "This bet has been withdrawn.",
    "event-has-bets": "It has bets, and can't be deleted.",
    "version-mismatch": "Somebody else changed the match first. Nothing of yours was done.",
    "event-conflict": "Somebody else changed the match first. Nothing of yours was done.",
    "illegal-transition": "The match is past that step.",
    "field-frozen": "That can't be changed once the match has kicked off.",
    "score-not-allowed": "The score changes only while the match is live.",
}
"""For people, by the code of the broken rule."""


def several(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def market_name(event: Event, market: Market) -> str:
    return {Market.TEAM_1: event.team_1, Market.TEAM_2: event.team_2}.get(market, "Draw")


def shown_score(event: Event) -> str:
    return f"{event.score.home}\u2013{event.score.away}"


def headline(event: Event, tally: BetTally) -> str:
    """The event in one sentence."""
    states = by_state(tally)
    bets = states.total()
    match event.state:
        case EventState.CREATED:
            what = f"takes bets until kick-off: {several(bets, 'bet')} so far"
            return f"{event.team_1} against {event.team_2} {what}."
        case EventState.ACTIVE:
            now = f"{event.team_1} {shown_score(event)} {event.team_2}"
            count, verb = states[BetState.WINNING], "is" if bets == 1 else "are"
            return f"{now} is being played: {count:,} of {several(bets, 'bet')} {verb} winning."
        case EventState.FINISHED:
            now = f"{event.team_1} {shown_score(event)} {event.team_2}"
            return f"{now} is over: {states[BetState.WIN]:,} of {several(bets, 'bet')} won."


def flipped(moved: Mapping[Market, BetState], tally: BetTally) -> str:
    """What a step did to the bets, such as `80 bets flip: 40 to winning, 40 to losing`."""
    counts = by_market(tally)
    flips: Counter[BetState] = Counter()
    for market, state in moved.items():
        flips[state] += counts[market]
    return _told_flips(flips)


def _told_flips(flips: Mapping[BetState, int]) -> str:
    total = sum(flips.values())
    if not total:
        return "No bet flips"
    verb = "flips" if total == 1 else "flip"
    good_first = (BetState.WIN, BetState.LOSE, BetState.WINNING, BetState.LOSING)
    ways = [f"{flips[state]:,} to {state}" for state in good_first if flips.get(state)]
    return f"{several(total, 'bet')} {verb}: {', '.join(ways)}"


def step_name(step: Step, before: EventVersion | None) -> str:
    """What happened in a step, such as `Goal: 2-1`."""
    version = step.version
    score = f"{version.score.home}\u2013{version.score.away}"
    if before is None:
        return "Created" if version.version == 1 else f"Version {version.version}: {score}"
    if before.state is not version.state:
        kicked_off = version.state is EventState.ACTIVE
        return "Kick-off" if kicked_off else f"Final whistle: {score}"
    if before.score == version.score:
        return "Changed"
    goals = before.score.home + before.score.away, version.score.home + version.score.away
    return f"Goal: {score}" if goals[1] > goals[0] else f"Score corrected: {score}"


def since(kick_off: EventVersion | None, version: EventVersion) -> str:
    """When it happened, counted from kick-off; nothing before it."""
    if kick_off is None or version.at < kick_off.at:
        return ""
    return lapse(version.at - kick_off.at)


def lapse(time: timedelta) -> str:
    """`23 min`; in seconds for a match that is replayed in less than two minutes."""
    seconds = int(time.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def kick_off_of(versions: Iterable[EventVersion]) -> EventVersion | None:
    return next((each for each in versions if each.state is not EventState.CREATED), None)


def way(bet: BetInSight) -> list[str]:
    """A bet's way, such as `winning since 23 min after kick-off`."""
    kick_off = next((c for c in bet.changes if c.event_state is not EventState.CREATED), None)
    return [_stage(each, kick_off) for each in bet.changes]


def _stage(change: BetChange, kick_off: BetChange | None) -> str:
    if change.state is BetState.NONE or kick_off is None:
        return "placed"
    when = lapse(change.at - kick_off.at)
    score = f"{change.score.home}\u2013{change.score.away}"
    if change is kick_off:
        return f"{change.state} since kick-off"
    if change.event_state is EventState.FINISHED:
        return f"{change.state}, {when} after kick-off, at {score}"
    return f"{change.state} since {when} after kick-off, at {score}"


def news_of_event(seen: EventInSight, new: Collection[tuple[UUID, int]]) -> list[str]:
    """What happened in the new ones of an event's versions, given by event and number."""
    told = zip(seen.versions, _told(seen.versions, seen.tally), strict=True)
    return [
        " ".join(f"{text}." for text in texts if text)
        for version, texts in told
        if (version.event_id, version.version) in new
    ]


def news_of_bet(seen: BetInSight, *, with_match: bool) -> str:
    """What to tell a player whose bet has just flipped."""
    event = seen.event
    match = f"{event.team_1} {shown_score(event)} {event.team_2}: your" if with_match else "Your"
    market = market_name(event, seen.bet.placement.market)
    return f"{match} bet on {market} {_became(seen.bet)}."


def _became(bet: Bet) -> str:
    return {BetState.WIN: "has won", BetState.LOSE: "has lost"}.get(bet.state, f"is {bet.state}")


def of_market(tally: BetTally, market: Market) -> dict[BetState, int]:
    """How many of a market's bets stand how."""
    return {state: tally.get((market, state), 0) for state in BetState}


def standing(states: Mapping[BetState, int]) -> str:
    """Such as `40 winning`; all bets of a market do the same but for the moment of a flip."""
    told = [
        f"{count:,} {'open' if state is BetState.NONE else state}"
        for state, count in states.items()
        if count
    ]
    return ", ".join(told) or "none yet"


def latest(versions: Sequence[EventVersion], tally: BetTally) -> str:
    """The last thing that happened, and what it did to the bets."""
    told = list(_told(versions, tally))
    return " ".join(f"{text}." for text in told[-1] if text) if told else ""


def story(versions: Sequence[EventVersion], tally: BetTally) -> Iterator[tuple[str, str, str]]:
    """When, what, and what it did to the bets: each version of an event."""
    kick_off = kick_off_of(versions)
    for version, (what, then) in zip(versions, _told(versions, tally), strict=True):
        yield since(kick_off, version), what, then


def _told(versions: Sequence[EventVersion], tally: BetTally) -> Iterator[tuple[str, str]]:
    before = None
    for step in steps(versions):
        yield step_name(step, before), flipped(step.moved, tally) if before is not None else ""
        before = step.version


def chart(event: Event, versions: Sequence[EventVersion]) -> dict[str, object]:
    """Seconds since kick-off, and by how many goals team 1 leads from then on."""
    kick_off = kick_off_of(versions)
    played = [] if kick_off is None else [v for v in versions if v.version >= kick_off.version]
    return {
        "teams": [event.team_1, event.team_2],
        "seconds": [(v.at - played[0].at).total_seconds() for v in played],
        "lead": [v.score.home - v.score.away for v in played],
        "over": event.state is EventState.FINISHED,
    }


def change(before: Event, after: Event) -> str:
    """What an operator is about to do."""
    if after.state is not before.state:
        if after.state is EventState.ACTIVE:
            return "Kick off?"
        return f"Finish at {shown_score(after)}?"
    if after.score != before.score:
        return f"{shown_score(before)} becomes {shown_score(after)}?"
    return f"{after.team_1} \u2013 {after.team_2}, {after.type}?"


def consequence(before: Event, found: Preview) -> str:
    """What that would do to the bets."""
    if (before.state, before.score) == (found.event.state, found.event.score):
        if not found.bets:
            return "There are no bets yet."
        verb = "stands" if found.bets == 1 else "stand"
        return f"{several(found.bets, 'bet')} {verb} on it as it was: the players see new names."
    return f"{_told_flips(found.flips)}."


def stands(ago: timedelta | None, behind: int | None) -> str:
    """How far a consumer is behind."""
    if ago is None:
        return "has not been at the end yet"
    seconds = ago.total_seconds()
    if seconds < CAUGHT_UP_SECONDS:
        return "at the end"
    left = f", {several(behind, 'record')} behind the one before it" if behind else ""
    return f"last at the end {lapse(ago)} ago{left}"


def letters(count: int) -> str:
    """How many records could not be read."""
    if count > MOST_LETTERS:
        return f"More than {MOST_LETTERS} records could not be read. The newest:"
    verb = "record that could not be read" if count == 1 else "records that could not be read"
    return f"{count} {verb}:"


def older(bets: Sequence[BetInSight]) -> str | None:
    """Where the bets behind these begin; None if these are the last."""
    if len(bets) < MOST_BETS:
        return None
    placement = bets[-1].bet.placement
    return encode_cursor("bets", Cursor(placement.date_created, placement.id))
