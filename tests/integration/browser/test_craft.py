"""How the pages behave for everybody: keyboards, screen readers, small screens, slow moments."""

import re
import time
from statistics import median
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.integration.browser.conftest import NewPage
from tests.integration.system import Client

SHIFTS = """
window.shifts = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""

SEVERE = {"serious", "critical"}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def a_match(client: Client, *, bets: int = 6, user: str = "Ann") -> str:
    """An event with bets, two of them the user's."""
    event_id: str = client.event()["id"]
    for number in range(bets):
        client.bet(event_id, ("team_1", "draw", "team_2")[number % 3], user=f"player {number}")
    client.bet(event_id, "team_1", user=user)
    client.bet(event_id, "team_2", user=user)
    return event_id


def player_page(client: Client, event_id: str) -> str:
    return f"{client.bets_url}/pages/events/{event_id}"


def desk_page(client: Client, event_id: str) -> str:
    return f"{client.events_url}/pages/events/{event_id}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_serious(
    client: Client, new_page: NewPage, scheme: str, width: int
) -> None:
    event_id = a_match(client)
    urls = {
        "open": player_page(client, event_id),
        "desk": client.events_url,
        "open desk": desk_page(client, event_id),
    }
    found = {
        name: _severe(new_page(url, user="Ann", width=width, scheme=scheme))
        for name, url in urls.items()
    }
    client.update(event_id, state="active")
    client.update(event_id, score="1-0")
    urls = {
        "home": client.bets_url,
        "live": player_page(client, event_id),
        "bets": f"{client.bets_url}/pages/bets",
        "leaderboard": f"{client.bets_url}/pages/leaderboard",
        "missing": player_page(client, "01a20585-a486-751c-8f89-fd61238fbd4a"),
    }
    found |= {
        name: _severe(new_page(url, user="Ann", width=width, scheme=scheme))
        for name, url in urls.items()
    }
    desk = new_page(desk_page(client, event_id), width=width, scheme=scheme)
    desk.locator("#home-up").click()
    expect(desk.locator("#confirm")).to_be_focused()
    found["asked"] = _severe(desk)
    assert {name: problems for name, problems in found.items() if problems} == {}


def _severe(page: Page) -> list[Any]:
    page.wait_for_load_state()
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [
        (each["id"], [node["html"][:150] for node in each["nodes"]])
        for each in found
        if each["impact"] in SEVERE
    ]


def test_axe_can_find_something(client: Client, new_page: NewPage) -> None:
    page = new_page(client.bets_url)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"/x\">')")
    assert "image-alt" in [name for name, _ in _severe(page)]


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_jumps_while_the_match_goes_on(
    client: Client, new_page: NewPage, width: int
) -> None:
    event_id = a_match(client)
    pages = [
        new_page(url, user="Ann", width=width, script=SHIFTS)
        for url in (player_page(client, event_id), client.bets_url, desk_page(client, event_id))
    ]
    client.update(event_id, state="active")
    for score in ("1-0", "1-1", "2-1", "2-2"):
        client.update(event_id, score=score)
        for page in pages:
            expect(page.locator(".score").first).to_have_text(score.replace("-", "\u2013"))
    client.update(event_id, state="finished")
    for page in (pages[0], pages[2]):
        expect(page.locator(".lead")).to_contain_text("is over")
    assert [page.evaluate("window.shifts") < 0.01 for page in pages] == [True] * 3, [
        page.evaluate("window.shifts") for page in pages
    ]


@pytest.mark.parametrize("width", [360, 1920])
def test_nothing_is_wider_than_the_screen(client: Client, new_page: NewPage, width: int) -> None:
    long = "A team whose name is as long as a name can be, " * 2
    event_id = client.event(team_1=long[:100].strip(), team_2="x" * 100)["id"]
    client.bet(event_id, "team_2", user="y" * 64)
    client.update(event_id, state="active")
    for url in (
        client.bets_url,
        client.events_url,
        player_page(client, event_id),
        desk_page(client, event_id),
        f"{client.bets_url}/pages/leaderboard",
    ):
        page = new_page(url, user="y" * 64, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, url


def _tab_to(page: Page, element_id: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == element_id:
            return
    pytest.fail(f"no Tab leads to {element_id}")


def test_the_keyboard_is_enough(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    player = new_page(player_page(client, event_id), user="Kim")
    _tab_to(player, "bet-draw")
    player.keyboard.press("Enter")
    expect(player.locator("#reply")).to_contain_text("Your bet on Draw stands.")
    desk = new_page(desk_page(client, event_id))
    for control, then in (("kick-off", "Kick-off"), ("home-up", "Goal: 1\u20130")):
        _tab_to(desk, control)
        desk.keyboard.press("Enter")
        expect(desk.locator("#confirm")).to_be_focused()
        desk.keyboard.press("Enter")
        expect(desk.locator(".story li").last).to_contain_text(then)
    expect(player.locator("#mine .badge")).to_have_text("losing")
    player.keyboard.press("Tab")
    assert player.evaluate("document.activeElement !== document.body"), "the focus was lost"


def test_the_focus_stays_where_it_is_while_parts_change(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    client.update(event_id, state="active")
    desk = new_page(desk_page(client, event_id))
    desk.locator("#away-up").focus()
    client.update(event_id, score="1-0")
    expect(desk.locator(".teams .score")).to_have_text("1\u20130")
    expect(desk.locator("#away-up")).to_be_focused()


def test_screen_readers_are_told_of_flips(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    client.update(event_id, state="active")
    page = new_page(player_page(client, event_id), user="Ann")
    news = page.locator("[aria-live=polite]#news")
    expect(page.locator("#connection")).to_have_text("Live")
    client.update(event_id, score="1-0")
    expect(news).to_contain_text("Your bet on Argentina is winning.")
    expect(page.locator(".last")).to_contain_text("Goal: 1\u20130. 5 bets flip")


def test_a_late_bet_is_told_why(client: Client, new_page: NewPage) -> None:
    """The page has not heard of the kick-off yet."""
    event_id = a_match(client)
    page = new_page(player_page(client, event_id), user="Kim")
    page.context.route("**/pages/stream*", lambda route: route.abort())
    page.reload()
    client.update(event_id, state="active")
    page.get_by_role("button", name="Draw").click()
    expect(page.locator("#reply")).to_contain_text("Too late: the match has kicked off")
    expect(page.locator("#mine li")).to_have_count(0)


def test_who_sends_twice_bets_once(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    page = new_page(player_page(client, event_id), user="Kim")
    page.get_by_role("button", name="Draw").dblclick()
    expect(page.locator("#mine li")).to_have_count(1)
    page.get_by_role("button", name="Draw").click()
    expect(page.locator("#mine li")).to_have_count(2)


def test_no_connection_is_said_at_the_form(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    page = new_page(player_page(client, event_id), user="Kim")
    page.context.set_offline(True)
    page.get_by_role("button", name="Draw").click()
    expect(page.locator("#reply")).to_contain_text("No connection: nothing is known")
    page.context.set_offline(False)
    page.get_by_role("button", name="Draw").click()
    expect(page.locator("#mine li")).to_have_count(1)


@pytest.mark.parametrize(
    ("time_zone", "shown"), [("Asia/Tokyo", "19 Dec 2022, 00:00"), ("UTC", "18 Dec 2022, 15:00")]
)
def test_times_are_the_viewers(
    client: Client, new_page: NewPage, time_zone: str, shown: str
) -> None:
    page = new_page(player_page(client, client.event()["id"]), time_zone=time_zone)
    expect(page.locator("time")).to_have_text(shown)


def test_a_flip_is_seen_within_a_second(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    client.update(event_id, state="active")
    page = new_page(player_page(client, event_id), user="Ann")
    expect(page.locator("#connection")).to_have_text("Live")
    badge = page.locator("#mine li", has_text=re.compile("^Argentina")).locator(".badge")
    lapses = []
    for score, state in (
        ("1-0", "winning"),
        ("1-1", "losing"),
        ("2-1", "winning"),
        ("2-2", "losing"),
        ("3-2", "winning"),
    ):
        began = time.monotonic()
        client.update(event_id, score=score)
        expect(badge).to_have_text(state)
        lapses.append(time.monotonic() - began)
    assert median(lapses) < 1, lapses
