"""Many concurrent clients on bare sockets, so that the clients cost little beside the service."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Answer = tuple[int, Any]  # status, JSON body
PATIENCE_S = 60.0


def form(data: bytes, path: str = "/v1/detect", headers: str = "") -> bytes:
    """A complete HTTP request whose body is a form with one file."""
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        + data
        + b"\r\n--edge--\r\n"
    )
    head = (
        f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: multipart/form-data; boundary=edge\r\n{headers}"
    )
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection:
    """A persistent connection that is reopened if the service closes it."""

    def __init__(self, address: str) -> None:
        self._host, self._port = urlsplit(address).hostname, urlsplit(address).port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Answer:
        """Raises OSError or IncompleteReadError without a response, TimeoutError if it comes too late."""
        async with asyncio.timeout(PATIENCE_S):
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port)
            reader, writer = self._streams
            try:
                writer.write(request)
                await writer.drain()
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
            except BaseException:
                self.close()
                raise
            if b"connection: close" in head:
                self.close()
            return int(head.split(b" ", 2)[1]), json.loads(body) if b"json" in head else body

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


@dataclass
class Tally:
    """Results of a load."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)  # of correct responses
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[Any] = field(default_factory=list)  # unexpected responses
    lost: list[str] = field(default_factory=list)  # requests without a response

    @property
    def per_second(self) -> float:
        return len(self.latencies_s) / self.seconds

    def quantile_s(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def load(
    address: str,
    requests: list[bytes],
    is_right: Callable[[int, Answer], bool],
    *,
    clients: int,
    seconds: float,
    per_second: float | None = None,
    allowed: frozenset[int] = frozenset(),
) -> Tally:
    """`clients` send `requests` in turn for `seconds`: each after its previous response or, with `per_second`, all
    together at that rate. `is_right(request index, response)` decides whether a response is correct; responses with a
    status in `allowed` are counted separately."""
    tally = Tally()
    began = time.perf_counter()
    pause_s = clients / per_second if per_second else 0.0

    async def client(number: int) -> None:
        connection, turn = Connection(address), number
        due = began + pause_s * number / clients
        while True:
            if pause_s:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            sent = time.perf_counter()
            if sent - began >= seconds:
                break
            which, turn, due = turn % len(requests), turn + clients, due + pause_s
            try:
                answer = await connection.ask(requests[which])
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                tally.lost.append(repr(error))
                continue
            tally.statuses[answer[0]] += 1
            if answer[0] in allowed:
                await asyncio.sleep(0.05)  # shorter than Retry-After
            elif is_right(which, answer):
                # Measured from the due time: a late client would hide latency of the service.
                tally.latencies_s.append(time.perf_counter() - (due - pause_s if pause_s else sent))
            else:
                tally.wrong.append(answer)
        connection.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    tally.seconds = time.perf_counter() - began
    return tally
