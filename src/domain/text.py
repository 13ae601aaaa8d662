"""What text may be in Touchline: short, trimmed, printable, and storable everywhere."""

import unicodedata

from domain.errors import InvalidValue

_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs"})
"""Control characters (U+0000 among them, which PostgreSQL can't hold) and lone surrogates."""


def check_text(field: str, value: str, *, longest: int) -> str:
    """Return `value` when it has 1 to `longest` characters, no white space around, nothing
    unprintable; else raise InvalidValue that names `field`."""
    if not 1 <= len(value) <= longest:
        raise InvalidValue(field, f"must have 1 to {longest} characters")
    if value[0].isspace() or value[-1].isspace():
        raise InvalidValue(field, "must not begin or end with white space")
    # Most text is plain ASCII or at least printable: look closer only where it is not.
    if not value.isprintable() and any(
        unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in value
    ):
        raise InvalidValue(field, "must not hold control characters or lone surrogates")
    return value


def fold(value: str) -> str:
    """The form in which names are compared: trimmed and case-folded."""
    return value.strip().casefold()
