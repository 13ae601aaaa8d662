"""Signing in and out, on both servers: a token is shown once, and remembered by a cookie."""

import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from adapters.http.access import Guard, Unauthenticated
from adapters.http.pages.rendering import html
from adapters.http.pages.route import SIGN_IN, TOKEN, PageRoute, form
from adapters.http.problems import BadRequest

A_YEAR = 365 * 24 * 3600


def sign_in_pages(*, side: str) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=PageRoute)

    @router.get(SIGN_IN, operation_id="page_sign_in")
    async def show(request: Request) -> Response:
        """A form for the token. A link may bring it behind a #, which no server is told of."""
        if not _guard(request).asks_for_tokens:
            return RedirectResponse("/", 303)
        return html("sign_in.html", side=side)

    @router.post(SIGN_IN, operation_id="take_sign_in")
    async def sign_in(request: Request) -> Response:
        token = (await form(request)).get("token", "")
        try:
            caller = _guard(request).caller(request, token)
        except Unauthenticated as error:
            raise BadRequest((["token"], str(error))) from error
        response = Response(status_code=204, headers={"HX-Redirect": "/"})
        lasts = A_YEAR if caller.until is None else min(int(caller.until - time.time()), A_YEAR)
        response.set_cookie(
            TOKEN,
            token,
            max_age=lasts,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    @router.post("/pages/sign-out", operation_id="take_sign_out")
    async def sign_out(request: Request) -> Response:
        response = Response(status_code=204, headers={"HX-Redirect": SIGN_IN})
        response.delete_cookie(TOKEN, httponly=True, samesite="lax")
        return response

    return router


def _guard(request: Request) -> Guard:
    guard: Guard = request.app.state.guard
    return guard
