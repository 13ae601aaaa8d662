"""One running Touchline for all tests of the HTTP contract, and how they ask it."""

from collections.abc import Iterator

import pytest

from tests.integration.over_http.asking import Web
from tests.integration.over_http.story import Story
from tests.integration.system import PATIENT, Up, running_up


@pytest.fixture(scope="session")
def touchline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running_up(tmp_path_factory.mktemp("http"), PATIENT) as up:
        yield up


@pytest.fixture(scope="session")
def web(touchline: Up) -> Iterator[Web]:
    """Both servers."""
    yield from _asking(touchline)


@pytest.fixture(scope="session")
def hasty_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A Touchline of its own that waits for no verdict."""
    folder = tmp_path_factory.mktemp("http")
    with running_up(folder, PATIENT, TOUCHLINE_ANSWER_WAIT_MS="0") as up:
        yield from _asking(up)


SECRET = "what signs the tokens of these tests"


@pytest.fixture(scope="session")
def guarded_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A Touchline that asks for tokens, and tells everything that it logs."""
    folder = tmp_path_factory.mktemp("http")
    (folder / "secret").write_text(SECRET + "\n")
    with (folder / ".env").open("a") as settings:
        settings.write("TOUCHLINE_AUTH=jwt\nTOUCHLINE_AUTH_SECRET_FILE=secret\n")
        settings.write("TOUCHLINE_CORS_ORIGINS=https://pool.example\nTOUCHLINE_LOG_LEVEL=DEBUG\n")
    with running_up(folder, PATIENT) as up:
        yield up


@pytest.fixture(scope="session")
def guarded_web(guarded_up: Up) -> Iterator[Web]:
    """Its two servers."""
    yield from _asking(guarded_up)


@pytest.fixture(scope="session")
def story(touchline: Up) -> Iterator[Story]:
    """The inside of the Touchline behind `web`."""
    story = Story(touchline.folder / "data")
    yield story
    story.close()


@pytest.fixture
def nothing_is_published(story: Story) -> Iterator[None]:
    """All requests of the test are refused by the quick checks."""
    before = story.length()
    yield
    assert story.length() == before


def _asking(up: Up) -> Iterator[Web]:
    web = Web(up.client.events_url, up.client.bets_url)
    yield web
    web.close()
