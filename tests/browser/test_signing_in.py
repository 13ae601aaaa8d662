"""Two people who have to sign in: by a link, and with a typed token."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from adapters.http.access import Role
from adapters.http.tokens import LEEWAY, JsonWebTokens
from tests.browser.conftest import NewPage, hide, show
from tests.integration.system import PATIENT, Up, running_up

SECRET = "what signs the tokens of these tests"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / ".env").write_text(f"TOUCHLINE_AUTH=jwt\nTOUCHLINE_AUTH_SECRET={SECRET}\n")
    with running_up(folder, PATIENT) as up:
        yield up


def token(up: Up, *arguments: str) -> str:
    done = up.command("token", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def brief_token(subject: str) -> str:
    """One that is over already, and counts for a quarter of a minute yet."""
    tokens = JsonWebTokens(
        key=SECRET.encode(), algorithm="HS256", issuer="touchline", audience="touchline"
    )
    ago = LEEWAY / 2
    return tokens.sign(subject, Role.PLAYER, now=datetime.now(UTC), lifetime=-ago)


def cookies(page: Page) -> dict[str, bool]:
    """Which there are, and whether no script can read them."""
    return {each["name"]: each["httpOnly"] for each in page.context.cookies()}


def test_a_match_between_two_who_signed_in(guarded: Up, new_page: NewPage) -> None:
    client = guarded.client
    desk = new_page(client.events_url)
    expect(desk).to_have_url(f"{client.events_url}/pages/sign-in")
    expect(desk.get_by_label("Your token")).to_be_focused()
    desk.get_by_label("Your token").fill("nonsense")
    desk.keyboard.press("Enter")
    expect(desk.locator("#reply")).to_contain_text("the token is not valid here")
    desk.get_by_label("Your token").fill(token(guarded, "olga", "--role", "operator"))
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("button", name="Sign out olga")).to_be_visible()
    assert cookies(desk) == {"touchline_token": True}
    brief = new_page(f"{client.bets_url}/pages/sign-in#{brief_token('Bea')}")
    brief.get_by_role("button", name="Sign in").click()
    expect(brief.locator("p.who")).to_have_text("You play as Bea")
    asleep = brief.context.new_page()
    asleep.goto(client.bets_url)
    hide(asleep)
    desk.goto(f"{client.events_url}/docs")
    expect(desk.locator("#operations-events-create_event")).to_contain_text("/events")
    desk.go_back()
    desk.get_by_label("Team 1").fill("Milan")
    desk.get_by_label("Team 2").fill("Liverpool")
    desk.get_by_label("Kick-off").fill("2026-12-01T20:45")
    desk.get_by_role("button", name="Create").click()
    expect(desk.locator("#reply")).to_contain_text("Created: Milan")
    desk.locator("#reply a").click()

    player = new_page(token(guarded, "Ann", "--link", client.bets_url))
    expect(player).to_have_url(f"{client.bets_url}/pages/sign-in")
    player.get_by_role("button", name="Sign in").click()
    expect(player.locator("p.who")).to_have_text("You play as Ann")
    player.locator("#board a", has_text="Milan").click()
    player.get_by_role("button", name="Liverpool").click()
    expect(player.locator("#reply")).to_contain_text("Your bet on Liverpool stands.")
    expect(player.locator("#connection")).to_have_text("Live")

    desk.locator("#kick-off").click()
    desk.locator("#confirm").click()
    expect(player.locator("#mine .badge")).to_have_text("losing")

    player.goto(client.events_url)
    expect(player.locator("main")).to_contain_text("the role player may not do this")
    expect(player.get_by_role("link", name="Sign in as somebody else")).to_be_visible()
    player.goto(client.bets_url)
    player.get_by_role("button", name="Sign out Ann").click()
    expect(player).to_have_url(f"{client.bets_url}/pages/sign-in")
    assert cookies(player) == {}
    player.goto(f"{client.bets_url}/pages/bets")
    expect(player).to_have_url(f"{client.bets_url}/pages/sign-in")
    # What it showed is over with its token, and it says what to do.
    brief.wait_for_url("**/pages/sign-in")
    show(asleep)
    asleep.wait_for_url("**/pages/sign-in")
