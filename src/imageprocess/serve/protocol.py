"""HTTP/1.1 as uvicorn speaks it with httptools, less patient: uvicorn itself waits for ever for a request's first line
and headers, and takes as many of them as come."""

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

_LAST_WORDS_S = 1.0  # for a request on its way when the server stops
_MAX_HEAD_BYTES = 65_536  # of a request's first line and headers


class Config(uvicorn.Config):
    """uvicorn's, and how long a request's headers may take."""

    def __init__(self, app: Any, *, header_timeout_s: float, **more: Any) -> None:
        super().__init__(app, http=ImpatientProtocol, ws="none", **more)
        self.header_timeout_s = header_timeout_s


class ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request's headers are not whole in time, however busily they trickle in."""

    config: Config
    _patience: asyncio.TimerHandle | None = None
    _is_in_head = True  # the next byte is a head's
    _head_bytes = 0  # of the head that is coming, in the pieces that were wholly its own

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """In pieces, so that a head that is too long is met before its end is, however fast it comes."""
        while data and not self.transport.is_closing():
            most = _MAX_HEAD_BYTES - self._head_bytes if self._is_in_head else len(data)
            self._receive_piece(data[:most])
            data = data[most:]
        if self._is_idle:
            self._expect_headers()
        else:
            self._stop_expecting()

    def _receive_piece(self, data: bytes) -> None:
        was_in_head, cycle = self._is_in_head, self._cycle
        super().data_received(data)
        if was_in_head and self._cycle is cycle:  # no head has ended in it
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
        self._stop_expecting()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self._cycle is None and not self.transport.is_closing():  # just accepted: its request is coming
            self.loop.call_later(_LAST_WORDS_S, self._shut_down_at_last)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's, as the problem and with the headers that every other answer of ours has."""
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
        """The request being answered, or the last one; None before the first, whatever uvicorn's annotation says."""
        return self.cycle

    @property
    def _is_idle(self) -> bool:
        """No request is being answered: what comes next is a head."""
        return self._cycle is None or self._cycle.response_complete

    def _expect_headers(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(self.config.header_timeout_s, self._lose_patience)

    def _stop_expecting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self.transport.close()

    def _shut_down_at_last(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
