"""Tokens as JSON Web Tokens (RFC 7519): read for the guard, made for the command line."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from adapters.http.access import Caller, Role, Unauthenticated
from domain.bets import check_user_id
from domain.errors import InvalidValue, Misconfigured

LEAST_RSA = 2048
"""Bits (RFC 7518)."""

LEEWAY = timedelta(seconds=30)
"""By how much the clocks of who signs and of who reads may differ."""

LONGEST = 3800
"""Bytes of a token that is looked at: a browser keeps a cookie of 4 KB, name and all."""

LAST_MOMENT = 100_000_000_000
"""Seconds since 1970: what comes later is no time that anything here can wait for."""


class JsonWebTokens:
    """Of one issuer for one audience, signed with one key: HS256 with a secret, or RS256."""

    def __init__(self, *, key: bytes, algorithm: str, issuer: str, audience: str) -> None:
        """`key` is the secret, or the PEM of the key: public to read, private to sign, too."""
        self._algorithm = algorithm
        self._issuer = issuer
        self._audience = audience
        try:
            self._signing: Any = jwt.get_algorithm_by_name(algorithm).prepare_key(key)
        except (jwt.InvalidKeyError, ValueError, TypeError) as error:
            raise Misconfigured(f"the key of tokens can't be read: {error}") from error
        self._key = self._signing
        if isinstance(self._signing, RSAPrivateKey):
            self._key = self._signing.public_key()
        if isinstance(self._key, RSAPublicKey) and self._key.key_size < LEAST_RSA:
            raise Misconfigured(f"the key of tokens must have at least {LEAST_RSA} bits")

    def caller(self, token: str) -> Caller:
        claims = self._claims(token)
        ends = claims["exp"]
        if isinstance(ends, bool) or not isinstance(ends, int | float) or ends > LAST_MOMENT:
            raise Unauthenticated("the token's exp is no time")
        try:
            check_user_id(claims["sub"])
            role = Role(str(claims.get("role")))
        except InvalidValue as error:
            raise Unauthenticated(f"the token's sub {error.problem}") from error
        except ValueError as error:
            raise Unauthenticated(f"the token's role is not one of {', '.join(Role)}") from error
        return Caller(subject=claims["sub"], role=role, until=ends + LEEWAY.total_seconds())

    def _claims(self, token: str) -> Mapping[str, Any]:
        if len(token) > LONGEST:
            raise Unauthenticated("the token is too long")
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[self._algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("the token has expired") from error
        except jwt.InvalidTokenError as error:
            raise Unauthenticated("the token is not valid here") from error
        return claims

    def sign(self, subject: str, role: Role, *, now: datetime, lifetime: timedelta) -> str:
        """A token. Raises InvalidValue for a subject that can't be a user, Misconfigured for a key
        that can only read."""
        check_user_id(subject)
        if isinstance(self._signing, RSAPublicKey):
            raise Misconfigured("a public key can't sign tokens: name the private one")
        claims = {
            "sub": subject,
            "role": role.value,
            "iss": self._issuer,
            "aud": self._audience,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
        }
        return jwt.encode(claims, self._signing, algorithm=self._algorithm)
