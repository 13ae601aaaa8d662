"""What requests ask the tables while many of them ask at once."""

from uuid import UUID

from pytest_mock import MockerFixture

from adapters.http.desk import EventsAskedOnce
from tests.samples import EVENT, an_event, stored


def test_an_event_is_looked_up_once_for_all_who_ask_for_it(mocker: MockerFixture) -> None:
    found, missing = stored(an_event()), UUID(int=7)
    events = mocker.Mock()
    events.among.side_effect = lambda ids: {each: found for each in ids if each == EVENT}
    asked_once = EventsAskedOnce(events)
    answers = [asked_once.among(ids) for ids in ([EVENT], [EVENT, missing], [missing], [])]
    assert answers == [{EVENT: found}, {EVENT: found}, {}, {}]
    assert [list(*call.args) for call in events.among.call_args_list] == [[EVENT], [missing]]


def test_all_else_is_asked_as_ever(mocker: MockerFixture) -> None:
    events = mocker.Mock()
    assert EventsAskedOnce(events).lock is events.lock
