"""How the pages behave for everybody: keyboards, screen readers, small screens, slow moments."""

import re
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect
from playwright.sync_api import TimeoutError as Timeout

from tests.browser.conftest import NewPage, hide, show
from tests.integration.system import PATIENCE, Client, Up

SHIFTS = """
window.shifts = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""

WHEN_MINE_CHANGED = """
addEventListener("DOMContentLoaded", () => new MutationObserver(
  () => { window.changedAt = Date.now(); }
).observe(document.getElementById("mine"), { childList: true }));
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


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("dark", 360),
        ("light", 1280),
        pytest.param("light", 360, marks=pytest.mark.long),
        pytest.param("dark", 1280, marks=pytest.mark.long),
    ],
)
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
    for market in ("draw", "team_1"):
        client.bet(event_id, market, user="Ann")
        expect(pages[0].locator("#mine")).to_contain_text("Draw")
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


def wait_until(page: Page, is_so: Callable[[], bool]) -> None:
    """While what the browser asks is answered."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def test_no_press_is_lost_while_the_page_loads(client: Client, new_page: NewPage) -> None:
    """A button can be pressed once somebody listens to it, and not before."""
    event_id = a_match(client)
    player = new_page(client.bets_url, user="Kim")
    held: list[Route] = []
    player.route("**/touchline.js?*", lambda route: held.append(route))  # noqa: PLW0108
    player.goto(player_page(client, event_id), wait_until="commit")
    draw = player.locator("#bet-draw")
    draw.wait_for()
    wait_until(player, lambda: bool(held))
    with pytest.raises(Timeout):
        draw.click(timeout=500)
    held[0].continue_()
    draw.click()
    expect(player.locator("#reply")).to_contain_text("Your bet on Draw stands.")


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
        expect(desk.locator("#reply")).to_contain_text("Done")
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


def bets_of(client: Client, event_id: str, user: str) -> int:
    found = client.http.get(
        f"{client.bets_url}/bets", params={"eventId": event_id, "userId": user}
    ).json()
    return len(found["items"])


def test_who_presses_twice_bets_once(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    page = new_page(client.bets_url, user="Kim")
    page.clock.install(time=0)
    page.clock.pause_at(3600)  # what is a moment later, the test says
    page.goto(player_page(client, event_id))
    draw = page.get_by_role("button", name="Draw")
    draw.dblclick()
    expect(page.locator("#reply")).to_contain_text("stands")
    draw.click()
    draw.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="France").click()
    expect(page.locator("#mine li")).to_have_count(2)
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.clock.run_for(1000)
    assert bets_of(client, event_id, "Kim") == 2
    draw.click()
    expect(page.locator("#mine li")).to_have_count(3)


def test_a_bet_under_way_holds_up_no_other(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    page = new_page(player_page(client, event_id), user="Kim")
    sent: list[Route] = []

    def hold_the_first(route: Route) -> None:
        sent.append(route)
        if len(sent) > 1:
            route.continue_()

    page.route("**/pages/bets", hold_the_first)
    draw = page.get_by_role("button", name="Draw")
    draw.dblclick()
    page.get_by_role("button", name="France").click()
    expect(page.locator("#mine li b")).to_have_text(["France"])
    sent[0].continue_()
    expect(page.locator("#mine li")).to_have_count(2)
    for market in ("Draw", "France"):
        expect(page.locator("#reply")).to_contain_text(f"Your bet on {market} stands.")
    assert len(sent) == 2
    assert bets_of(client, event_id, "Kim") == 2


def test_who_presses_create_twice_creates_one_match(client: Client, new_page: NewPage) -> None:
    page = new_page(client.events_url)
    page.get_by_label("Team 1").fill("Twice ")
    page.get_by_label("Team 2").fill("Once")
    page.get_by_label("Kick-off").fill("2027-07-01T20:00")
    page.get_by_role("button", name="Create").dblclick()
    expect(page.locator("#reply")).to_contain_text("Created: Twice")
    expect(page.get_by_label("Team 1")).to_have_value("")
    found = client.http.get(f"{client.events_url}/events", params={"team": "Twice"}).json()["items"]
    # In summer Berlin is two hours ahead, whenever the form is sent.
    assert [each["event_date"] for each in found] == ["2027-07-01T18:00:00Z"]


def test_a_key_held_down_asks_once_and_does_nothing(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    client.update(event_id, state="active")
    desk = new_page(desk_page(client, event_id))
    desk.locator("#home-up").focus()
    desk.keyboard.down("Enter")
    for _ in range(20):
        desk.keyboard.down("Enter")  # it repeats
        desk.wait_for_timeout(20)
    expect(desk.locator("#confirm")).to_be_focused()
    desk.keyboard.up("Enter")
    assert desk.url == desk_page(client, event_id)
    expect(desk.locator(".teams .score")).to_have_text("0\u20130")
    desk.keyboard.press("Enter")
    expect(desk.locator(".teams .score")).to_have_text("1\u20130")
    expect(desk.locator("#home-up")).to_be_focused()


def test_many_tabs_of_one_browser(client: Client, new_page: NewPage) -> None:
    """A browser has few connections to one server; who is not looked at needs none."""
    event_id = a_match(client)
    first = new_page(player_page(client, event_id), user="Kim")
    hide(first)
    for _ in range(8):
        tab = first.context.new_page()
        tab.goto(player_page(client, event_id))
        expect(tab.locator("#connection")).to_have_text("Live")
        hide(tab)
    client.update(event_id, state="active")
    client.update(event_id, score="1-0")
    show(first)
    expect(first.locator(".teams .score")).to_have_text("1\u20130")
    expect(first.locator("#news")).to_contain_text("Kick-off.")
    expect(first.locator("#news")).to_contain_text("Goal: 1\u20130.")


def test_what_is_being_typed_is_kept(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    client.update(event_id, state="active")
    desk = new_page(desk_page(client, event_id))
    desk.locator("#typed-home").fill("12")
    client.update(event_id, score="0-1")
    expect(desk.locator("#held")).to_be_visible()
    expect(desk.locator("#typed-home")).to_have_value("12")
    desk.locator("#set-score").click()
    expect(desk.locator("#reply")).to_contain_text("Somebody else changed the match first.")
    desk.locator("#show-held").click()
    expect(desk.locator("#typed-home")).to_have_value("0")
    expect(desk.locator("#typed-away")).to_have_value("1")
    expect(desk.locator("#held")).to_be_hidden()


def test_nobody_bets_under_another_name_than_shown(client: Client, new_page: NewPage) -> None:
    event_id = a_match(client)
    page = new_page(player_page(client, event_id), user="Kim")
    other = page.context.new_page()
    other.goto(client.bets_url)
    other.get_by_label("You play as").fill("Lou")
    with other.expect_response("**/pages/user"):
        other.get_by_role("button", name="Change").click()
    expect(other.get_by_label("You play as")).to_have_value("Lou")
    page.get_by_role("button", name="Draw").click()
    expect(page.locator("#reply")).to_contain_text("You play as Lou by now")
    assert bets_of(client, event_id, "Kim") == bets_of(client, event_id, "Lou") == 0


def test_a_deleted_match_is_gone(client: Client, new_page: NewPage) -> None:
    event_id = client.event()["id"]
    page = new_page(player_page(client, event_id))
    desk = new_page(desk_page(client, event_id))
    desk.on("dialog", lambda dialog: dialog.accept())
    desk.locator("#delete").click()
    expect(desk).to_have_url(f"{client.events_url}/")
    expect(page.locator("h1")).to_have_text("The match has been deleted")


def test_a_match_that_was_deleted_while_nobody_looked(client: Client, new_page: NewPage) -> None:
    event_id = client.event()["id"]
    pages = [new_page(of(client, event_id)) for of in (player_page, desk_page)]
    for page in pages:
        expect(page.locator("#connection")).to_have_text("Live")
        hide(page)
    assert client.http.delete(f"{client.events_url}/events/{event_id}").status_code == 204
    for page in pages:
        show(page)
        expect(page.locator("h1")).to_have_text("The match has been deleted")


def test_a_frozen_database_is_said_and_then_that_it_is_back(
    up: Up, client: Client, new_page: NewPage
) -> None:
    event_id = a_match(client)
    page = new_page(player_page(client, event_id), user="Ann")
    expect(page.locator("#connection")).to_have_text("Live")
    terminate = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE 'touchline bets-api%%' AND pid <> pg_backend_pid()"
    )
    with up.connected() as (database, _), database.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO hidden")
        connection.commit()
        try:
            connection.exec_driver_sql(terminate)
            expect(page.locator("#connection")).to_have_text("Connection lost. Trying again\u2026")
        finally:
            connection.exec_driver_sql("ALTER TABLE hidden RENAME TO events")
            connection.commit()
    expect(page.locator("#connection")).to_have_text("Live")
    client.update(event_id, state="active")
    expect(page.locator("#betting")).to_contain_text("Bets are closed")


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
    page = new_page(player_page(client, event_id), user="Ann", script=WHEN_MINE_CHANGED)
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
        began = time.time()
        client.update(event_id, score=score)
        expect(badge).to_have_text(state)
        lapses.append(page.evaluate("window.changedAt") / 1000 - began)
    assert median(lapses) < 1, lapses
