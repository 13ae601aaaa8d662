"""The OpenAPI documents of both servers, from the applications themselves, as they serve them where
tokens are asked for. No socket is opened, and nothing is asked of what stands behind them."""

from typing import Any

from prometheus_client import CollectorRegistry

from adapters.http.app import Protection
from adapters.http.bets_api import create_bets_api
from adapters.http.events_api import create_events_api
from adapters.http.feed import Feed

SERVERS = {"events": create_events_api, "bets": create_bets_api}


def documents() -> dict[str, dict[str, Any]]:
    """By the server's name."""
    anything: Any = object()
    return {
        name: create(
            anything,
            Feed(anything),
            health=dict,
            registry=CollectorRegistry(),
            protection=Protection(tokens=anything),
        ).openapi()
        for name, create in SERVERS.items()
    }
