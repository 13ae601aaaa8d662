"""Takes the pictures in docs/pages: `make screenshots`. Each page in both themes, in the midst of a
match, from a Touchline of its own."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.integration.system import Client, running_up
from tests.setup import chromium

PAGES = Path(__file__).parent / "pages"
USERS = ("Ann", "Bo", "Carla", "Dmitri", "Emeka", "Fatima", "Goran", "Hana", "Ines", "Jun")
GOALS = ("1-0", "2-0", "2-1", "2-2", "3-2")


def main() -> None:
    PAGES.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="touchline-") as folder, running_up(Path(folder)) as up:
        event_id = _play(up.client)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            for scheme in ("light", "dark"):
                _take_all(browser, up.client, event_id, scheme)
            browser.close()


def _play(client: Client) -> str:
    """One match that is over, one that is played, two that are to come."""
    over, live = _match(client, "Italy", "Spain"), _match(client, "Argentina", "France")
    for teams in (("Brazil", "Croatia"), ("Morocco", "Portugal")):
        _match(client, *teams)
    client.update(over, state="active")
    client.update(over, score="0-1")
    client.update(over, state="finished")
    client.update(live, state="active")
    for score in GOALS:
        time.sleep(1)
        client.update(live, score=score)
    time.sleep(1)
    return live


def _match(client: Client, team_1: str, team_2: str) -> str:
    event_id: str = client.event(team_1=team_1, team_2=team_2)["id"]
    for number, user in enumerate(USERS):
        for market in ("team_1", "draw", "team_2")[number % 3 :][: 1 + number % 2]:
            client.bet(event_id, market, user=user)
    return event_id


def _take_all(browser: Browser, client: Client, event_id: str, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": 1000, "height": 720},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    for url in (client.bets_url, client.events_url):
        context.add_cookies([{"name": "touchline_user", "value": "Ann", "url": url}])
    page = context.new_page()
    for name, url in {
        "matches": client.bets_url,
        "match": f"{client.bets_url}/pages/events/{event_id}",
        "my-bets": f"{client.bets_url}/pages/bets",
        "leaderboard": f"{client.bets_url}/pages/leaderboard",
        "desk": client.events_url,
    }.items():
        page.goto(url)
        _take(page, f"{name}-{scheme}")
    page.goto(f"{client.events_url}/pages/events/{event_id}")
    page.locator("#away-up").click()
    expect(page.locator("#confirm")).to_be_focused()
    _take(page, f"desk-match-{scheme}")
    context.close()


def _take(page: Page, name: str) -> None:
    expect(page.locator("#connection")).to_have_text("Live")
    page.screenshot(path=PAGES / f"{name}.jpg", type="jpeg", quality=72)


if __name__ == "__main__":
    main()
