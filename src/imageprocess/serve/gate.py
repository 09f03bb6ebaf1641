"""Middleware of every request: request id, security headers, timing, counters, and a response to any exception."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import Metrics
from .problems import ProblemError, of_status, problem

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger("imageprocess.serve")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = ("/healthz", "/readyz", "/metrics")  # polled every few seconds by monitors; counted, not logged

# The pages have no inline script or style and load nothing from other hosts; private mode's model is WebAssembly.
# They also declare this policy in a meta element, for static hosting.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # These two isolate the page, which browsers require for WebAssembly with threads (private mode).
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate:
    """Pure ASGI, so that bodies stream through it untouched."""

    def __init__(self, app: ASGIApp, *, service: FastAPI, metrics: Metrics) -> None:
        self.app = app
        self.service = service
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        request_id = request.headers.get("x-request-id", "")
        request.state.request_id = request_id if _REQUEST_ID.fullmatch(request_id) else uuid.uuid4().hex
        request.state.body_bytes, request.state.extra_headers, request.state.facts = 0, {}, {}
        began = time.perf_counter()
        status = 0  # 0: nothing sent yet

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(MutableHeaders(scope=message), request)
            await send(message)

        try:
            await self.app(
                scope, self._with_deadline(receive, scope), _with_problems(request, send_with_headers)
            )
        except ClientDisconnect:
            status = 499  # nginx's status for a client that disconnected before the response
        except Exception:
            log.exception("request failed", extra={"facts": {"request_id": request.state.request_id}})
            if status:
                raise  # the response has begun; the server closes the connection
            detail = "Internal error of the service; the image is not the cause."
            response = problem(request, ProblemError("internal", detail))
            await response(scope, receive, send_with_headers)
        finally:
            self._account(request, status, time.perf_counter() - began)

    def _add_headers(self, headers: MutableHeaders, request: Request) -> None:
        headers["X-Request-ID"] = request.state.request_id
        headers.setdefault("Cache-Control", "no-store")
        headers.update(SECURITY_HEADERS)
        headers.update(request.state.extra_headers)
        if self.service.state.is_draining:
            headers["Connection"] = "close"

    def _with_deadline(self, receive: Receive, scope: Scope) -> Receive:
        """`receive`, raising ProblemError if the whole body has not arrived in time, even if data still arrives."""
        settings = self.service.state.settings
        timeout_s = settings.batch_body_timeout_s if scope["path"] == "/v1/jobs" else settings.body_timeout_s
        deadline = asyncio.get_running_loop().time() + timeout_s
        is_complete = False

        async def receive_in_time() -> Message:
            nonlocal is_complete
            if is_complete:  # the next message is the client's disconnect
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                detail, headers = "the request body was not received in time", {"Connection": "close"}
                raise ProblemError("too_slow", detail, headers) from error
            is_complete = not message.get("more_body", False)
            return message

        return receive_in_time

    def _account(self, request: Request, status: int, seconds: float) -> None:
        self.service.state.body_memory.release(request)
        self.metrics.count_request(request.scope, status, seconds)
        route = getattr(request.scope.get("route"), "path", "other")
        if route in _QUIET:
            return
        facts = {
            "request_id": request.state.request_id,
            "method": request.method,
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 1),
        }
        log.info("request", extra={"facts": facts | request.state.facts})


def _with_problems(request: Request, send: Send) -> Send:
    """`send`, but a library's plain-text error (invalid range, disallowed origin) becomes problem+json."""
    start: Message | None = None  # the text of such an error arrives in one piece

    async def send_problems(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and _is_plain_error(message):
            start = message
        elif start is None:
            await send(message)
        else:
            headers = MutableHeaders(raw=list(start["headers"]))
            del headers["content-type"], headers["content-length"]
            response = problem(request, of_status(start["status"], message["body"].decode(), headers))
            await response(request.scope, request.receive, send)

    return send_problems


def _is_plain_error(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] >= 400 and kind.startswith("text/plain")
