"""The OpenAPI documents of both servers, from the applications themselves. No socket is opened."""

from typing import Any, cast

from prometheus_client import CollectorRegistry

from adapters.http.bets_api import create_bets_api
from adapters.http.events_api import create_events_api
from adapters.http.feed import Feed

SERVERS = {"events": create_events_api, "bets": create_bets_api}


def documents() -> dict[str, dict[str, Any]]:
    """By the server's name."""
    nothing = cast("Any", None)
    return {
        name: create(nothing, Feed(nothing), health=dict, registry=CollectorRegistry()).openapi()
        for name, create in SERVERS.items()
    }
