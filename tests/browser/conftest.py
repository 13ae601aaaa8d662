"""A real Chromium, and a Touchline to open in it."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.integration.system import PATIENT, Client, Up, running_up
from tests.setup import chromium

ARGUMENTS = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Its own questions to the network have nothing to do with ours.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


NewPage = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Opens a page in a browser of its own: `width`, `scheme`, `time_zone`, `user`. What the page
    says in its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def new(
        url: str,
        *,
        user: str | None = None,
        width: int = 1280,
        scheme: str = "light",
        time_zone: str = "Europe/Berlin",
        script: str = "",
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 740},
            color_scheme="dark" if scheme == "dark" else "light",
            timezone_id=time_zone,
            locale="en-GB",
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        if user is not None:
            origin = str(httpx.URL(url).copy_with(path="/"))
            context.add_cookies([{"name": "touchline_user", "value": user, "url": origin}])
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield new
    for context in contexts:
        context.close()
    assert complaints == []


_VISIBILITY = """hidden => {
  Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def hide(page: Page) -> None:
    """Nobody looks at it any more."""
    page.evaluate(_VISIBILITY, True)


def show(page: Page) -> None:
    page.evaluate(_VISIBILITY, False)


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running_up(tmp_path_factory.mktemp("browser"), PATIENT) as up:
        yield up


@pytest.fixture
def client(up: Up) -> Client:
    return up.client
