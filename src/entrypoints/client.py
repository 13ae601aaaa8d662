"""Both servers as the command line asks them: one question, one answer, or one line of why not."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import httpx

from domain.errors import TouchlineError
from entrypoints.credentials import own_headers
from entrypoints.settings import PREFIX

ANSWER_SECONDS = 10
"""How long an answer may take; a server answers 202 long before."""

SILENCE_SECONDS = 40
"""A stream that says nothing for so long is dead: the server says something every 15."""

Json = dict[str, Any]


class NotDone(TouchlineError):
    """A server refused, or could not be reached; the text says why."""


class StreamedMessage(NamedTuple):
    """One message of a stream."""

    name: str
    data: Json
    id: str


def ask(
    method: str,
    url: str,
    body: Mapping[str, object] | None = None,
    *,
    params: Mapping[str, object] | None = None,
    key: str | None = None,
) -> Json:
    """The body of the answer; with `pending` where the request is not decided yet."""
    headers = {**own_headers(), **({} if key is None else {"Idempotency-Key": key})}
    wanted = {name: str(value) for name, value in (params or {}).items() if value is not None}
    try:
        # Straight to the server: a proxy of the environment is not meant for it.
        with httpx.Client(timeout=ANSWER_SECONDS, trust_env=False) as http:
            response = http.request(method, url, json=body, params=wanted, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotDone(_unreachable(url, error)) from error
    found = _body(response)
    if response.is_error:
        raise NotDone(_refusal(response))
    return found | {"pending": True} if response.status_code == 202 else found


def stream(
    url: str, *, params: Mapping[str, object], last_id: str = ""
) -> Iterator[StreamedMessage]:
    """The messages of a stream until it ends. Raises NotDone when it breaks off, or is refused."""
    headers = {**own_headers(), **({"Last-Event-ID": last_id} if last_id else {})}
    wanted = {name: str(value) for name, value in params.items() if value is not None}
    timeout = httpx.Timeout(ANSWER_SECONDS, read=SILENCE_SECONDS)
    try:
        with (
            httpx.Client(timeout=timeout, trust_env=False) as http,
            http.stream("GET", url, params=wanted, headers=headers) as response,
        ):
            if response.is_error:
                response.read()
                # What only is away now will be back.
                is_for_now = response.status_code >= 500 or response.status_code == 429
                error = NotDone if is_for_now else Refused
                raise error(_refusal(response))
            yield from messages(response.iter_lines())
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotDone(_unreachable(url, error)) from error


class Refused(NotDone):
    """The server has understood, and said no: asking again is of no use."""


def messages(lines: Iterable[str]) -> Iterator[StreamedMessage]:
    """Server-sent events, as the HTML standard has them read; all that we send is JSON."""
    name, last_id = "message", ""
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield StreamedMessage(name, json.loads("\n".join(data)), last_id)
            name, data = "message", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            last_id = value


def _body(response: httpx.Response) -> Json:
    try:
        found = response.json()
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _refusal(response: httpx.Response) -> str:
    """Why it was refused, and where that isn't the request's fault, what may be."""
    found = _body(response)
    detail = str(found.get("detail") or response.reason_phrase)
    if response.status_code == 401:
        return f"{detail}: put one into {PREFIX}TOKEN, by `touchline token` or from your login"
    if response.status_code == 404 and found.get("type") in {None, "/problems/not-found"}:
        return f"{response.url}: {detail}; is this API on another server?"
    return detail


def _unreachable(url: str, error: Exception) -> str:
    return f"can't reach {url} ({error}); is Touchline running there? `touchline up` starts it"
