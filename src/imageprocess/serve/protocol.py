"""uvicorn's HTTP/1.1 protocol with limits on time and size of the request's head (request line and headers), which
uvicorn does not limit."""

from __future__ import annotations

import asyncio
import logging
import uuid
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from . import problems
from .gate import SECURITY_HEADERS

log = logging.getLogger("imageprocess.serve")

_SHUTDOWN_GRACE_S = 1.0  # for a request that is in transit when the server stops
_MAX_HEAD_BYTES = 65_536  # of request line and headers


class Config(uvicorn.Config):
    """uvicorn's configuration plus `header_timeout_s`, the time limit for receiving a request's head."""

    def __init__(self, app: Any, *, header_timeout_s: float, **more: Any) -> None:
        super().__init__(app, http=LimitedProtocol, ws="none", **more)
        self.header_timeout_s = header_timeout_s


class LimitedProtocol(HttpToolsProtocol):
    """Closes a connection if the head of a request is not complete in time, even if bytes keep arriving."""

    config: Config
    _head_timer: asyncio.TimerHandle | None = None
    _is_in_head = True  # the next byte belongs to a head
    _head_bytes = 0  # of the current head, in pieces that contain nothing else

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Processes the data in pieces, so that an overlong head is refused before its end is parsed."""
        while data and not self.transport.is_closing():
            limit = _MAX_HEAD_BYTES - self._head_bytes if self._is_in_head else len(data)
            self._receive_piece(data[:limit])
            data = data[limit:]
        if self._is_idle:
            self._start_timer()
        else:
            self._stop_timer()

    def _receive_piece(self, data: bytes) -> None:
        was_in_head, cycle = self._is_in_head, self._cycle
        super().data_received(data)
        if was_in_head and self._cycle is cycle:  # no head ended in this piece
            self._head_bytes += len(data)
            if self._head_bytes == _MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The request's headers are too long.")

    def on_headers_complete(self) -> None:
        self._is_in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_head = True
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if (
            self._cycle is None and not self.transport.is_closing()
        ):  # just accepted: its request is in transit
            self.loop.call_later(_SHUTDOWN_GRACE_S, self._shut_down_finally)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """As uvicorn's, but as problem+json and with the headers of all other responses."""
        request_id = uuid.uuid4().hex
        status, content = problems.malformed(request_id, msg)
        log.info(
            "request refused", extra={"facts": {"request_id": request_id, "status": status, "detail": msg}}
        )
        headers = {
            "Content-Type": problems.MEDIA_TYPE,
            "Content-Length": str(len(content)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "X-Request-ID": request_id,
            **SECURITY_HEADERS,
        }
        status_line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
        lines = [status_line, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.transport.write("\r\n".join(lines).encode("latin-1") + content)
        self.transport.close()

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The request being answered, or the last one; None before the first, contrary to uvicorn's annotation."""
        return self.cycle

    @property
    def _is_idle(self) -> bool:
        """Whether no request is being answered, so that the next data is a head."""
        return self._cycle is None or self._cycle.response_complete

    def _start_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.config.header_timeout_s, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_timeout(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _shut_down_finally(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
