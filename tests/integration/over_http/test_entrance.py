"""The entrance of a server as others run it: keys of a pair, limits, who may reach it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from adapters.http.access import Role
from adapters.http.tokens import JsonWebTokens
from tests.integration.over_http.asking import Web, problem, unique
from tests.integration.over_http.test_access import READER
from tests.integration.system import Up, eventually, run, running_up

RATE = 5
REQUEST_SECONDS = 4.0


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """It has the public key of a pair, and is strict."""
    folder = tmp_path_factory.mktemp("entrance")
    pair = generate_private_key(public_exponent=65537, key_size=2048)
    pem, public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "public.pem").write_bytes(pair.public_key().public_bytes(pem, public))
    private = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    (folder / "private.pem").write_bytes(pair.private_bytes(pem, private, plain))
    (folder / ".env").write_text(
        "TOUCHLINE_AUTH=jwt\n"
        "TOUCHLINE_AUTH_PUBLIC_KEY_FILE=public.pem\n"
        "TOUCHLINE_AUTH_ISSUER=https://login.example\n"
        f"TOUCHLINE_RATE_LIMIT={RATE}\n"
        f"TOUCHLINE_ANSWER_WAIT_MS={REQUEST_SECONDS * 500:.0f}\n"
        f"TOUCHLINE_REQUEST_LIMIT_MS={REQUEST_SECONDS * 500:.0f}\n"
    )
    with running_up(folder) as up:
        yield up


@pytest.fixture
def web(up: Up) -> Iterator[Web]:
    web = Web(up.client.events_url, up.client.bets_url)
    yield web
    web.close()


def made(up: Up, subject: str) -> str:
    done = up.command("token", subject, "--key", "private.pem")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_keys_of_a_pair(up: Up, web: Web) -> None:
    """The server can only read tokens; who has the private key makes them."""
    headers = {"Authorization": f"Bearer {made(up, 'ann')}"}
    assert web.ask("bets", "GET", "/bets", headers=headers).status_code == 200
    others = READER.sign("ann", Role.PLAYER, now=datetime.now(UTC), lifetime=timedelta(hours=1))
    problem(
        web.ask("bets", "GET", "/bets", headers={"Authorization": f"Bearer {others}"}),
        "unauthenticated",
    )


def test_who_asks_too_often(up: Up, web: Web) -> None:
    """Is told when to come again; others, and those who look whether it lives, are not held up."""
    signer = JsonWebTokens(
        key=(up.folder / "private.pem").read_bytes(),
        algorithm="RS256",
        issuer="https://login.example",
        audience="touchline",
    )
    now, hour = datetime.now(UTC), timedelta(hours=1)
    ann, bob = (
        {"Authorization": f"Bearer {signer.sign(unique(), Role.PLAYER, now=now, lifetime=hour)}"}
        for _ in range(2)
    )
    began = time.monotonic()
    answers = [web.ask("bets", "GET", "/bets?limit=1", headers=ann) for _ in range(5 * RATE)]
    refused = [each for each in answers if each.status_code == 429]
    # A second's worth at once, and a share of those that came later.
    allowed = RATE * (2 + time.monotonic() - began)
    assert len(answers) - len(refused) <= allowed
    assert [each.status_code for each in answers[:RATE]] == [200] * RATE
    for each in refused:
        problem(each, "rate-limited")
        assert each.headers["Retry-After"] == "1"
    assert web.ask("bets", "GET", "/bets?limit=1", headers=bob).status_code == 200
    assert {web.ask("bets", "GET", "/livez").status_code for _ in range(3 * RATE)} == {200}


def test_who_guesses_tokens_is_slowed_down(web: Web) -> None:
    guess = {"Authorization": "Bearer nonsense"}
    answers = [web.ask("bets", "GET", "/bets", headers=guess)]
    while answers[-1].status_code != 429:
        problem(answers[-1], "unauthenticated")
        assert len(answers) < 100 * RATE
        answers.append(web.ask("bets", "GET", "/bets", headers=guess))
    problem(answers[-1], "rate-limited")
    form = {"HX-Request": "true"}
    page = f"{web.bets_url}/pages/sign-in"
    eventually(lambda: httpx.post(page, headers=form, data={"token": "x"}).status_code == 429)


def test_a_body_that_never_ends(up: Up, web: Web) -> None:
    def slowly() -> Iterator[bytes]:
        for _ in range(15):
            yield b" "
            time.sleep(REQUEST_SECONDS / 10)  # no wait for something: it is the slowness itself

    headers = {"Authorization": f"Bearer {made(up, 'ann')}", "Content-Type": "application/json"}
    response = httpx.post(f"{web.bets_url}/bets", headers=headers, content=slowly(), timeout=30)
    body = response.json()
    assert (response.status_code, body["type"]) == (503, "/problems/unavailable")
    assert body["detail"] == "the request took too long"


def test_nobody_outside_without_tokens(up: Up) -> None:
    """A server that others reach either asks for tokens, or is told that it need not."""
    data = {"TOUCHLINE_DATA": "elsewhere", "TOUCHLINE_AUTH": "off"}
    for command in (["up"], ["events-api"], ["bets-api", "--workers", "2"]):
        outside = [*command, "--host", "0.0.0.0"]
        done = run(*outside, environment=data, cwd=up.folder)
        assert done.returncode == 1
        assert "TOUCHLINE_ALLOW_UNAUTHENTICATED=1" in done.stderr
