"""Templates to HTML. Everything that is put in is escaped."""

import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from adapters.http.pages import words
from domain import views
from domain.bets import BetState, Market
from domain.events import EventState

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
FOREVER = "public, max-age=31536000, immutable"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing is loaded from elsewhere, and nothing runs that is not a file of ours."""


DOCS_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""Swagger UI gives its elements styles of their own."""


@cache
def static(name: str) -> str:
    """The path of a file, which changes with its content."""
    digest = hashlib.blake2b((STATIC / name).read_bytes(), digest_size=6).hexdigest()
    return f"/static/{name}?v={digest}"


def moment(when: datetime) -> Markup:
    """A time: in the viewer's zone once the page's script has run, in UTC without it."""
    utc = when.astimezone(UTC)
    text = f"{utc:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(), escape(text))


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "static": static,
        "views": views,
        "words": words,
        "BetState": BetState,
        "EventState": EventState,
        "Market": Market,
    }
    environment.filters["moment"] = moment
    return environment


def render(template: str, **context: Any) -> str:
    return _templates().get_template(template).render(context)


def html(template: str, status: int = 200, **context: Any) -> Response:
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(render(template, **context), status, headers)


async def docs_page(request: Request) -> Response:
    """The API's own description, to be read and tried."""
    page = html("docs.html", title=request.app.title)
    page.headers["Content-Security-Policy"] = DOCS_POLICY
    return page


class LastingFiles(StaticFiles):
    """Static files that browsers keep: another content has another address. Under one that is not
    this content's, they ask again. All are small: who asks for a range is given the whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        others = [header for header in scope["headers"] if header[0] != b"range"]
        await super().__call__({**scope, "headers": others}, receive, send)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Accept-Ranges"] = "none"
        if static(path).endswith(f"?{scope['query_string'].decode('latin-1')}"):
            response.headers["Cache-Control"] = FOREVER
        return response
