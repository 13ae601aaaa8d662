"""What the AsyncAPI document says in words: what no schema can say, and a reader must know."""

from collections.abc import Mapping

from adapters.cloudevents import DEEPEST
from domain.events import EVENT_TRANSITIONS, FROZEN_ONCE_STARTED
from domain.log import BETS_STATE, EVENTS_TAXONOMY
from domain.messages import (
    SLICE_SIZE,
    BetPlaced,
    BetsStateChanged,
    BetUpdated,
    EventCreated,
    EventUpdated,
    Message,
)
from domain.records import ConsumerName

_STEPS = ", ".join(
    f"`{before}` → `{after}`" for before, steps in EVENT_TRANSITIONS.items() for after in steps
)
_FROZEN = ", ".join(f"`{name}`" for name in FROZEN_ONCE_STARTED)
_GROUPS = ", ".join(f"`{name}`" for name in ConsumerName)

READING = f"""\
What Touchline says on Kafka, for readers in any language. (On its embedded bus, without Kafka, the
same can be followed over HTTP: `/stream` of both servers.)

## Every record

- The value is one JSON object in UTF-8: a CloudEvents 1.0 envelope in structured mode, with what is
  said in `data`. An object holds a name once; nothing is nested deeper than {DEEPEST} levels.
- Members that are not described here are tolerated, anywhere: take them as not there. A breaking
  change is a new `type`; a `type` that you know stays as it is.
- Skip a `type` that you don't know, and what you can't read. Touchline keeps such records aside,
  and they change nothing.
- Records come at least once. One that is told again has the same `id` and says the same. It may
  come after what was said later.
- Within a partition the order of the records decides. Times are for people; they decide nothing.
- Touchline itself writes ids in lower case, and times in UTC with `Z`. It takes any other spelling
  that the schemas take.

## Reading

Be a consumer of your own: `auto.offset.reset=earliest`, and no group, or one that is none of
{_GROUPS}. Nothing is ever removed from the topics, so a reader that
begins anew at their start ends where it was.

The topics are Touchline's to write: to create, change or bet, ask its HTTP APIs. Who else may write
to `{BETS_STATE}` could tell its readers anything; keep it to the Bet Scorer.

## Following bets: `{BETS_STATE}`

Keep for each bet the highest `event_version` that you have seen, and the state that came with it.
For each bet of a slice:

- `event_version` is not higher than what you keep: it is told again, or late. Skip it.
- It is higher, and the state another one: the bet flipped. Keep both.
- It is higher, and the state the same: nothing flipped. Keep the version all the same.

Versions that move no bet are not told, and of several versions that follow each other quickly only
the last one may be. That a bet stands as `none` until kick-off is not told either.

## Following events and bets from their start: `{EVENTS_TAXONOMY}`

A record there is a request. It is judged at its place in the log, by these rules; what they don't
let pass changes nothing. Who applies them in order comes to what the APIs show, but for what the
log does not tell:

- `event.created` makes version 1, `created` at `0-0`, of an event whose id is new.
- `event.updated` stands if its `version` is the event's plus one, and what it changes is allowed:
  `state` by the steps {_STEPS};
  {_FROZEN} while it stays `created`;
  `score` while it is `active`, or together with its end.
- `bet.placed` stands if its event is there and `created` at this place in the log, and nothing was
  asked for under this bet's id before: the first verdict on an id holds, also a refusal.
- `bet.updated` stands if the bet does, its event is still `created`, and only `userId` differs.

What the log does not tell: deleting. An event without bets, or a bet before kick-off, is deleted in
the database at once. A bet that was withdrawn is in no slice. Nor does it tell of an operator's
repair of wrong states (`touchline verify --repair`). And a topic that was made anew, or that
Touchline was moved to, begins empty: what was told before is not in it, and bets that had missed an
outcome by then were given it in the database alone. What is true now, the APIs say.
"""

CHANNELS: Mapping[str, str] = {
    EVENTS_TAXONOMY: """\
The ordered story of each event: all that was asked for about it and its bets. The key is the
event's id, so one event's story lies on one partition. A record is a request until it is judged.
""",
    BETS_STATE: f"""\
The bets' new states, in slices of up to {SLICE_SIZE:,}. The key is `EVENT:MARKET:N`, so all that is
said of one bet lies on one partition, in order but for what is told again.
""",
}

MEANINGS: Mapping[type[Message], str] = {
    EventCreated: """\
A request to create the event: `version` 1, `state` `created`, `score` `0-0`.
""",
    EventUpdated: """\
A request to make `data`, the whole event, its next version.
""",
    BetPlaced: """\
A request to place a bet. It stands if this record lies before the one that ends `created`.
""",
    BetUpdated: """\
A request to give a bet to another user. All but `userId` is as it was placed.
""",
    BetsStateChanged: f"""\
Slice N of the event's bets on one market, 1 to {SLICE_SIZE:,} of them, and the state that they all
have by this version of the event. It follows from market, event state and score alone. The
message's `id` follows from event, version and key: a slice that is told again is known by it.
""",
}

SENDERS: Mapping[str, str] = {
    "/touchline/events-api": "The company creates and updates events over HTTP.",
    "/touchline/bets-api": "Players place bets over HTTP; a bet is given to another user.",
    "/touchline/bet-scorer": "After an accepted version of an event: the bets that it moves.",
}

READERS_DO: Mapping[tuple[str, str], str] = {
    (ConsumerName.EVENT_WRITER, EVENTS_TAXONOMY): "Judges what is asked of events, and keeps them.",
    (ConsumerName.BET_WRITER, EVENTS_TAXONOMY): "Judges what is asked of bets, and keeps them.",
    (ConsumerName.BET_SCORER, EVENTS_TAXONOMY): "Finds the bets that an accepted version moves.",
    (ConsumerName.BET_WRITER, BETS_STATE): "Writes the bets' new states, by any reader's guard.",
}
