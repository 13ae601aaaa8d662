"""The one tree of errors, by cause: a rule was broken, the outside is away, or input is malformed.

    TouchlineError
    ├── RuleBroken             the request was understood and is not allowed; nothing has changed
    │   ├── InvalidValue       a value is outside what its field allows
    │   ├── NotFound           EventNotFound, BetNotFound, BetRefused
    │   ├── EventConflict, VersionMismatch
    │   ├── IllegalTransition, FieldFrozen, ScoreNotAllowed
    │   ├── EventNotOpen, EventHasBets
    │   └── IdempotencyKeyReused, BetDeleted, EventDeleted
    ├── Unavailable            transient: try again (BusUnavailable, DatabaseUnavailable, Lagging)
    ├── MalformedRecord        permanent for one record: it goes to the dead letters
    └── Misconfigured          permanent until a person acts: topics, schema or settings are wrong

Adapters turn every driver's error into one of these and keep the cause with `from`.
"""

from typing import ClassVar


class TouchlineError(Exception):
    """Root of everything that Touchline raises on purpose."""


class RuleBroken(TouchlineError):
    """A request that the rules don't allow. `code` is the API's name of the problem."""

    code: ClassVar[str]

    def details(self) -> dict[str, object]:
        """Members that clients may rely on, beyond the text."""
        return {}


class InvalidValue(RuleBroken):
    """A value outside what its field allows; `field` names it."""

    code = "validation-error"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class NotFound(RuleBroken):
    """The named thing is not there."""


class EventNotFound(NotFound):
    """No event has this id."""

    code = "event-not-found"


class BetNotFound(NotFound):
    """No bet has this id."""

    code = "bet-not-found"


class BetRefused(NotFound):
    """The bet was refused after its request had been answered with 202."""

    code = "bet-refused"

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason

    def details(self) -> dict[str, object]:
        return {"reason": self.reason}


class VersionMismatch(RuleBroken):
    """The event is not at the version that the client's If-Match names."""

    code = "version-mismatch"


class EventConflict(RuleBroken):
    """A concurrent update of the same event came first in the log."""

    code = "event-conflict"


class IllegalTransition(RuleBroken):
    """The state machine has no such step."""

    code = "illegal-transition"

    def __init__(self, *, from_state: str, to_state: str) -> None:
        super().__init__(f"an event that is {from_state} can't become {to_state}")
        self.from_state = from_state
        self.to_state = to_state

    def details(self) -> dict[str, object]:
        return {"from": self.from_state, "to": self.to_state}


class FieldFrozen(RuleBroken):
    """The field can no longer change, or not together with this step."""

    code = "field-frozen"

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} may change only while the event is created, and not with a step")
        self.field = field

    def details(self) -> dict[str, object]:
        return {"field": self.field}


class ScoreNotAllowed(RuleBroken):
    """The score may change only while active, or together with the step to finished."""

    code = "score-not-allowed"

    def __init__(self) -> None:
        super().__init__(
            "the score may change only while the event is active or with the step to finished"
        )


class EventNotOpen(RuleBroken):
    """Betting on the event has ended: it has left `created`."""

    code = "event-not-open"

    def __init__(self) -> None:
        super().__init__("the event is no longer open for bets: it has left created")


class EventHasBets(RuleBroken):
    """An event with bets can't be deleted."""

    code = "event-has-bets"

    def __init__(self, bets: int) -> None:
        super().__init__(f"the event has {bets} bets; only an event without bets can be deleted")
        self.bets = bets

    def details(self) -> dict[str, object]:
        return {"bets": self.bets}


class IdempotencyKeyReused(RuleBroken):
    """The key was used before for a request with other content."""

    code = "idempotency-key-reused"


class BetDeleted(RuleBroken):
    """The bet of this Idempotency-Key has been deleted since."""

    code = "bet-deleted"


class EventDeleted(RuleBroken):
    """The event of this Idempotency-Key has been deleted since."""

    code = "event-deleted"


class Unavailable(TouchlineError):
    """Something outside is away for now; the outcome is *refused or unknown*, and a retry helps."""


class BusUnavailable(Unavailable):
    """The message bus didn't acknowledge in time."""


class DatabaseUnavailable(Unavailable):
    """The database is away, or the transaction has to be tried again."""


class Lagging(Unavailable):
    """A consumer is too far behind for the answer to be safe."""


class MalformedRecord(TouchlineError):
    """A record that can never be read as a message; the text says why."""


class Misconfigured(TouchlineError):
    """A person has to act: settings, topics or the database schema are not as they must be."""
