"""What every request passes: an id, the security headers, the counters, and an answer whatever happens."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import Metrics
from .problems import problem

log = logging.getLogger("imageprocess.serve")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# The pages hold no inline script or style and ask no other host for anything; private mode's model is WebAssembly.
# They say so themselves too, for where they are served without us.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate:
    """Pure ASGI, so that bodies stream through it untouched."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        given = request.headers.get("x-request-id", "")
        request.state.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        began = time.perf_counter()
        status = 0  # 0: nothing sent yet

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request.state.request_id
                headers.setdefault("Cache-Control", "no-store")
                headers.update(SECURITY_HEADERS)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = 499  # nginx's number for a client that left; nobody is there to hear an answer
        except Exception:
            log.exception("request %s failed", request.state.request_id)
            if status:
                raise  # too late for an answer; the server cuts the connection
            answer = problem(
                request, 500, "internal", "Something went wrong here; it is not your picture's fault."
            )
            await answer(scope, receive, send_with_headers)
        finally:
            self.metrics.count_request(scope, status, time.perf_counter() - began)
