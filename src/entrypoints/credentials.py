"""What commands show to servers that ask for tokens."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from domain.errors import Misconfigured
from entrypoints.settings import PREFIX, Settings, load_settings

Headers = Mapping[str, str]
Credentials = Callable[[str | None], Headers]
"""The headers of a player, or, for None, of an operator."""

DEMO_HOURS = 24


@cache
def own_headers() -> Headers:
    """Those of who uses the command line. Raises WrongSettings."""
    return _bearer(load_settings().token.get_secret_value())


def no_headers(user: str | None) -> Headers:
    """Where nobody is asked for a token."""
    return {}


def credentials_of_all(settings: Settings) -> Credentials:
    """Of everybody in the demo. Raises Misconfigured where we can't sign tokens for them."""
    if settings.auth == "off":
        return no_headers
    if not settings.auth_secret.get_secret_value():
        raise Misconfigured(
            f"the demo signs tokens for its players, and needs {PREFIX}AUTH_SECRET for it"
        )
    from entrypoints.bootstrap import sign_token

    lifetime = timedelta(hours=DEMO_HOURS)
    now = datetime.now(UTC)

    @cache
    def headers(user: str | None) -> Headers:
        role = "operator" if user is None else "player"
        token = sign_token(settings, user or "demo", role=role, now=now, lifetime=lifetime)
        return _bearer(token)

    return headers


def _bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"} if token else {}
