"""Tokens: what counts, and what does not, whoever made it."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.access import Caller, Role, Unauthenticated
from adapters.http.tokens import LEEWAY, JsonWebTokens
from domain.errors import InvalidValue, Misconfigured

SECRET = b"a secret that has more than 32 bytes"
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


def tokens(key: bytes = SECRET, algorithm: str = "HS256") -> JsonWebTokens:
    return JsonWebTokens(key=key, algorithm=algorithm, issuer="us", audience="touchline")


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a token that counts; what is None is left out."""
    ends = int((NOW + HOUR).timestamp())
    right = {"sub": "ann", "role": "player", "iss": "us", "aud": "touchline", "exp": ends}
    return {name: value for name, value in (right | changes).items() if value is not None}


def signed(key: Any = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm)


@pytest.fixture(scope="module")
def pair() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(pair: RSAPrivateKey) -> bytes:
    return pair.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(pair: RSAPrivateKey) -> bytes:
    return pair.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize("role", Role)
def test_what_we_sign_counts(role: Role) -> None:
    token = tokens().sign("ann", role, now=NOW, lifetime=HOUR)
    ends = (NOW + HOUR + LEEWAY).timestamp()
    assert tokens().caller(token) == Caller(subject="ann", role=role, until=ends)


def test_what_others_sign_with_the_secret_counts() -> None:
    assert tokens().caller(signed(aud=["others", "touchline"], extra=1)).subject == "ann"


def test_keys_of_a_pair(pair: RSAPrivateKey) -> None:
    signer, reader = tokens(private_pem(pair), "RS256"), tokens(public_pem(pair), "RS256")
    token = signer.sign("ann", Role.OPERATOR, now=NOW, lifetime=HOUR)
    assert reader.caller(token).role is Role.OPERATOR
    with pytest.raises(Unauthenticated, match="not valid"):
        tokens().caller(token)
    with pytest.raises(Unauthenticated, match="not valid"):
        reader.caller(signed())


def test_a_public_key_is_no_secret(pair: RSAPrivateKey) -> None:
    """Who knows only the public key must not be able to sign with it as a secret."""
    head, body = (
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "typ": "JWT"}, claims())
    )
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = algorithm.sign(head + b"." + body, public_pem(pair))
    forged = b".".join([head, body, urlsafe_b64encode(signature).rstrip(b"=")]).decode()
    with pytest.raises(Unauthenticated, match="not valid"):
        tokens(public_pem(pair), "RS256").caller(forged)
    with pytest.raises(Misconfigured):
        tokens(public_pem(pair), "HS256")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "others"},
        {"aud": "others"},
        {"iss": None},
        {"aud": None},
        {"sub": None},
        {"exp": None},
        {"sub": 7},
        {"sub": ""},
        {"sub": " ann"},
        {"sub": "a" * 65},
        {"role": None},
        {"role": "admin"},
        {"role": ["operator"]},
        {"role": "Operator"},
        {"exp": "soon"},
        {"exp": "99999999999"},
        {"exp": True},
        {"exp": 10**400},
        {"exp": 10**11 + 1},
        {"nbf": 99_999_999_999},
    ],
    ids=str,
)
def test_what_does_not_count(changes: dict[str, Any]) -> None:
    body = claims(**changes)
    token = jwt.api_jws.encode(json.dumps(body).encode(), SECRET, algorithm="HS256")
    with pytest.raises(Unauthenticated):
        tokens().caller(token)


def test_no_signature_does_not_count() -> None:
    with pytest.raises(Unauthenticated):
        tokens().caller(jwt.encode(claims(), "", algorithm="none"))
    with pytest.raises(Unauthenticated):
        tokens().caller(signed(b"another secret of more than 32 bytes"))
    with pytest.raises(Unauthenticated):
        tokens().caller(signed(algorithm="HS512", key=SECRET * 2))


@pytest.mark.parametrize(("seconds_ago", "counts"), [(25, True), (60, False)])
def test_clocks_may_differ_by_half_a_minute(seconds_ago: int, counts: bool) -> None:
    ended = int((datetime.now(UTC) - timedelta(seconds=seconds_ago)).timestamp())
    if counts:
        assert tokens().caller(signed(exp=ended)).subject == "ann"
    else:
        with pytest.raises(Unauthenticated, match="expired"):
            tokens().caller(signed(exp=ended))


@given(st.text(max_size=200))
def test_any_text_is_no_token(text: str) -> None:
    with pytest.raises(Unauthenticated):
        tokens().caller(text)


def test_a_huge_token_is_not_looked_at() -> None:
    with pytest.raises(Unauthenticated, match="too long"):
        tokens().caller(signed(extra="x" * 10_000))


def test_a_subject_is_a_user_id() -> None:
    with pytest.raises(InvalidValue):
        tokens().sign(" ann", Role.PLAYER, now=NOW, lifetime=HOUR)


def test_a_private_key_reads_too(pair: RSAPrivateKey) -> None:
    both = tokens(private_pem(pair), "RS256")
    assert both.caller(signed(pair, "RS256")).subject == "ann"


def test_a_public_key_does_not_sign(pair: RSAPrivateKey) -> None:
    with pytest.raises(Misconfigured, match="private"):
        tokens(public_pem(pair), "RS256").sign("ann", Role.PLAYER, now=NOW, lifetime=HOUR)


def test_a_key_that_is_too_short() -> None:
    short = generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(Misconfigured, match="2048"):
        tokens(public_pem(short), "RS256")


def test_a_key_that_is_none() -> None:
    with pytest.raises(Misconfigured, match="can't be read"):
        tokens(b"no key", "RS256")
