"""HTTP/1.1 as uvicorn speaks it with httptools, less patient: uvicorn itself waits for ever for a request's first line
and headers, and takes as many of them as come."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .gate import SECURITY_HEADERS

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
    _head_bytes: int | None = None  # of the head that is coming; None: none is

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        # Else `data` begins with a body's end, which is not to be counted as a head's.
        in_a_head = self._is_idle or self._head_bytes is not None
        super().data_received(data)
        if self._is_idle:
            self._expect_headers()
        else:
            self._stop_expecting()
        if in_a_head and self._head_bytes is not None and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self.send_400_response("The request's headers are too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

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
        body = {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": msg,
            "code": "malformed",
        }
        content = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/problem+json",
            "Cache-Control": "no-store",
            **SECURITY_HEADERS,
        }
        headers |= {"Content-Length": str(len(content)), "Connection": "close"}
        lines = ["HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
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
