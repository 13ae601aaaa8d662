"""The ceiling of `POST /bets`: the same server and validation, and one answer for all.

Run as `python -m benchmarks.constant PORT`.
"""

import asyncio
import sys
from uuid import UUID

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry

from adapters.http.app import health_app, json_response
from adapters.http.bodies import StrictRoute
from adapters.http.headers import IdempotencyKey, RespondAsync
from adapters.http.schemas import NewBet
from entrypoints.servers import Server, bind, serve

ANSWER = {
    "id": str(UUID(int=1)),
    "date_created": "2022-12-18T15:00:00Z",
    "userId": "ann",
    "eventId": str(UUID(int=2)),
    "market": "draw",
    "state": "none",
    "event_version": 1,
}


async def main(port: int) -> None:
    app = health_app("constant", health=lambda: {"database": "up"}, registry=CollectorRegistry())
    router = APIRouter(route_class=StrictRoute)

    @router.post("/bets", status_code=201, operation_id="place_bet")
    async def post_bet(body: NewBet, key: IdempotencyKey, respond_async: RespondAsync) -> Response:
        return json_response(ANSWER, 201, {"Location": f"/bets/{ANSWER['id']}"})

    app.include_router(router)
    await serve([Server(app, bind("127.0.0.1", port))], asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
