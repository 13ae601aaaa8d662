"""Two people in two browsers, an operator and a player, on both buses."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.integration.system import (
    PATIENT,
    Client,
    Processes,
    System,
    running_on_kafka,
    running_up,
)


def do(page: Page, control: str, asks: str) -> None:
    """Press a control, read what it would do, and do it."""
    page.locator(control).click()
    expect(page.locator("#reply .asks p")).to_contain_text(asks)
    page.locator("#confirm").click()
    expect(page.locator("#reply .done")).to_contain_text("Done")


def a_reload_shows_the_same(page: Page) -> None:
    parts = ("#head", "#markets", "#timeline", "#mine", "#betting")
    before = [page.locator(each).inner_text() for each in parts]
    page.reload()
    expect(page.locator("#connection")).to_have_text("Live")
    assert [page.locator(each).inner_text() for each in parts] == before


def event_of(client: Client, *teams: str) -> str:
    event: str = client.event(team_1=teams[0], team_2=teams[1])["id"]
    return event


class Match:
    """What happens in both browsers, whatever the bus."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
        raise NotImplementedError

    def test_a_whole_match(self, system: System, new_page: NewPage) -> None:
        client = system.client
        desk = new_page(client.events_url)
        desk.get_by_label("Team 1").fill("Milan")
        desk.get_by_label("Team 2").fill("Liverpool")
        desk.get_by_label("Kick-off").fill("2026-12-01T20:45")
        desk.get_by_role("button", name="Create").click()
        expect(desk.locator("#reply")).to_contain_text("Created: Milan")
        desk.locator("#reply a").click()

        player = new_page(client.bets_url)
        expect(player.locator("#board")).to_contain_text("Milan \u2013 Liverpool")
        player.get_by_label("Who are you?").fill("Ann")
        player.get_by_role("button", name="Remember me").click()
        expect(player.get_by_label("You play as")).to_have_value("Ann")
        player.locator("#board a", has_text="Milan").click()
        player.get_by_role("button", name="Liverpool").click()
        expect(player.locator("#reply")).to_contain_text("Your bet on Liverpool stands.")
        player.get_by_role("button", name="Draw").click()
        expect(player.locator("#mine li")).to_have_count(2)
        expect(player.locator(".lead")).to_contain_text("2 bets so far")

        do(desk, "#kick-off", "Kick off? 2 bets flip: 1 to winning, 1 to losing.")
        liverpool, draw = player.locator("#mine li").last, player.locator("#mine li").first
        expect(player.locator("#betting")).to_contain_text("Bets are closed since kick-off")
        expect(liverpool.locator(".badge")).to_have_text("losing")
        expect(draw.locator(".badge")).to_have_text("winning")

        do(desk, "#home-up", "0\u20130 becomes 1\u20130? 1 bet flips: 1 to losing.")
        expect(player.locator(".teams .score")).to_have_text("1\u20130")
        expect(draw.locator(".badge")).to_have_text("losing")
        expect(player.locator("#news")).to_contain_text("Your bet on Draw is losing.")
        expect(player.locator(".lead")).to_contain_text("0 of 2 bets are winning")
        expect(player.locator("#markets")).not_to_contain_text("winning")
        a_reload_shows_the_same(player)
        do(desk, "#home-down", "1\u20130 becomes 0\u20130?")
        desk.locator("#typed-home").fill("0")
        desk.locator("#typed-away").fill("2")
        do(desk, "#set-score", "0\u20130 becomes 0\u20132? 2 bets flip: 1 to winning, 1 to losing.")
        expect(liverpool.locator(".badge")).to_have_text("winning")
        desk.locator("#typed-home").fill("3")
        desk.locator("#typed-away").fill("3")
        do(desk, "#finish", "Finish at 3\u20133? 2 bets flip: 1 to win, 1 to lose.")
        expect(desk.locator("#controls")).to_contain_text("It is over")
        expect(draw.locator(".badge")).to_have_text("win")
        expect(liverpool.locator(".badge")).to_have_text("lose")
        expect(liverpool.locator(".way")).to_contain_text("placed, losing since kick-off, winning")
        expect(player.locator(".lead")).to_contain_text("Milan 3\u20133 Liverpool is over")
        expect(player.locator(".story li")).to_have_count(6)
        expect(player.locator("[data-chart] canvas")).to_have_count(1)

        player.get_by_role("link", name="Leaderboard").click()
        expect(player.locator(".leaders tbody tr", has_text="Ann").first).to_contain_text("Ann")

    def test_two_operators_in_conflict(self, system: System, new_page: NewPage) -> None:
        client = system.client
        event_id = event_of(client, "One", "Two")
        client.update(event_id, state="active")
        first, second = (new_page(f"{client.events_url}/pages/events/{event_id}") for _ in range(2))
        second.locator("#away-up").click()
        expect(second.locator("#reply")).to_contain_text("0\u20130 becomes 0\u20131?")
        do(first, "#home-up", "0\u20130 becomes 1\u20130?")
        expect(second.locator(".teams .score")).to_have_text("1\u20130")
        second.locator("#confirm").click()
        expect(second.locator("#reply")).to_contain_text("Somebody else changed the match first.")
        assert client.http.get(f"{client.events_url}/events/{event_id}").json()["score"] == "1-0"
        do(second, "#away-up", "1\u20130 becomes 1\u20131?")
        expect(first.locator(".teams .score")).to_have_text("1\u20131")


class TestUp(Match):
    """`touchline up`."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
        with running_up(tmp_path_factory.mktemp("up"), PATIENT) as system:
            yield system


class TestKafka(Match):
    """Processes on real Kafka."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
        with running_on_kafka(tmp_path_factory.mktemp("kafka"), PATIENT) as system:
            yield system

    def test_a_goal_while_the_server_was_away(self, system: Processes, new_page: NewPage) -> None:
        """The page says that it is cut off, and shows what it missed once it is back."""
        client = system.client
        event_id = event_of(client, "Near", "Far")
        client.bet(event_id, "team_1", user="Ann")
        client.update(event_id, state="active")
        page = new_page(f"{client.bets_url}/pages/events/{event_id}", user="Ann")
        expect(page.locator("#mine .badge")).to_have_text("losing")
        system.stop_one("bets-api")
        expect(page.locator("#connection")).to_have_text("Connection lost. Trying again\u2026")
        client.update(event_id, score="1-0")
        client.update(event_id, score="2-0")
        system.start_one("bets-api")
        system.are_ready()
        expect(page.locator("#connection")).to_have_text("Live")
        expect(page.locator("#mine .badge")).to_have_text("winning")
        expect(page.locator(".story li")).to_have_count(4)
