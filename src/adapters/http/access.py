"""Who may do what: one table says which roles may use which operation, and a guard holds to it.

Whose bets a player may see and place is asked of the `Caller`, by the routes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from fastapi import Depends, Request

from adapters.http.limits import RateLimit


class Role(StrEnum):
    """What a token says that its subject is."""

    PLAYER = "player"
    OPERATOR = "operator"
    AUDITOR = "auditor"


ALL = frozenset(Role)
OPERATOR = frozenset({Role.OPERATOR})
PLAYER = frozenset({Role.PLAYER})
STAFF = frozenset({Role.OPERATOR, Role.AUDITOR})
OPEN: frozenset[Role] = frozenset()
"""Needs no token: what probes, scrapers and those who sign in ask for."""

MAY: Mapping[str, frozenset[Role]] = {
    "livez": OPEN,
    "readyz": OPEN,
    "metrics": OPEN,
    # the events API
    "create_event": OPERATOR,
    "list_events": ALL,
    "get_event": ALL,
    "update_event": OPERATOR,
    "delete_event": OPERATOR,
    "get_event_history": ALL,
    "preview_event": STAFF,
    # the bets API
    "place_bet": PLAYER,
    "list_bets": ALL,
    "get_bet": ALL,
    "update_bet": OPERATOR,
    "delete_bet": PLAYER,
    "get_bet_history": ALL,
    "get_tally": ALL,
    "get_leaderboard": ALL,
    # both
    "stream": ALL,
    # pages
    "page_sign_in": OPEN,
    "take_sign_in": OPEN,
    "take_sign_out": OPEN,
    "page_desk": STAFF,
    "page_desk_event": STAFF,
    "page_desk_events": STAFF,
    "page_work": STAFF,
    "page_preview": STAFF,
    "desk_stream": STAFF,
    "take_event": OPERATOR,
    "take_changes": OPERATOR,
    "take_deletion": OPERATOR,
    "page_home": ALL,
    "page_event": ALL,
    "page_events": ALL,
    "page_bets": ALL,
    "page_older_bets": ALL,
    "page_leaderboard": ALL,
    "player_stream": ALL,
    "take_user": ALL,
    "take_bet": PLAYER,
}
"""The roles that may use each operation. A StrictRoute or PageRoute that is in no row does not even
come into being; a test sees that all routes but the documents and static files are such."""


def check_is_listed(operation: str) -> None:
    """Raises KeyError for an operation of which nobody has said who may use it."""
    MAY[operation]


class Unauthenticated(Exception):
    """No token, or one that does not count; answered as 401."""


class Forbidden(Exception):
    """The caller is known, and may not do this; answered as 403."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. Where no tokens are asked for it is anybody, and may do everything."""

    subject: str | None = None
    role: Role | None = None
    until: float | None = None
    """When the token no longer counts, in seconds since 1970."""

    @property
    def owner(self) -> str | None:
        """The only user whose bets the caller may see; None: everybody's."""
        return self.subject if self.role is Role.PLAYER else None

    def acting_for(self, user_id: str | None) -> str | None:
        """The user that the caller names, or a player who names none. Forbidden for another's."""
        if self.owner is None or user_id == self.owner:
            return user_id
        if user_id is None:
            return self.owner
        raise Forbidden("userId: a player's is the token's subject")

    def may(self, operation: str) -> bool:
        return self.role is None or self.role in MAY[operation]


ANYBODY = Caller()


class Tokens(Protocol):
    """What a guard needs of tokens."""

    def caller(self, token: str) -> Caller:
        """Who it was made for. Raises Unauthenticated for one that does not count."""
        ...


class Guard:
    """Lets requests in, or not, before anything but their head is read."""

    def __init__(self, tokens: Tokens | None = None, limit: RateLimit | None = None) -> None:
        self._tokens = tokens
        self._limit = limit

    @property
    def asks_for_tokens(self) -> bool:
        return self._tokens is not None

    def admit(self, request: Request, operation: str, token: str | None) -> None:
        """Note the caller in the request's state. Raises Unauthenticated, Forbidden, RateLimited.

        Who has a token is counted by its subject, for many may share an address; others by that.
        """
        allowed = MAY[operation]
        caller = ANYBODY
        if allowed is not OPEN:
            if self._tokens is None:
                self._count("address", _address(request))
            else:
                caller = self.caller(request, token)
                self._count("subject", caller.subject or "")
                if caller.role not in allowed:
                    raise Forbidden(f"the role {caller.role} may not do this")
        request.state.caller = caller

    def caller(self, request: Request, token: str | None) -> Caller:
        """Who shows this token. Raises Unauthenticated; who tries too often is RateLimited."""
        if self._tokens is None:
            return ANYBODY
        if not token:
            self._count("address", _address(request))
            raise Unauthenticated("a token is needed")
        try:
            return self._tokens.caller(token)
        except Unauthenticated:
            self._count("address", _address(request))
            raise

    def _count(self, kind: str, name: str) -> None:
        if self._limit is not None:
            self._limit.count(f"{kind} {name}")


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host


def bearer(request: Request) -> str | None:
    """The token of the Authorization header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def _caller(request: Request) -> Caller:
    found: Caller = request.state.caller
    return found


CallerOf = Annotated[Caller, Depends(_caller)]
