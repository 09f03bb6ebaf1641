"""Abusive and mistaken clients, and how the service responds."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import httpx

from testkit.loading import form
from testkit.pictures import encode, plain

_SLOW_ONES = 500
_PICTURE = encode(plain(250), "PNG")
_PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
_START = b"POST /v1/detect HTTP/1.1\r\nHost: a\r\n"


def abuse(address: str, keys: list[str], *, patience_s: float) -> dict[str, Any]:
    """`keys`: the valid keys; `patience_s`: the header and body timeouts of the service."""
    key = {"X-API-Key": keys[0]}
    with httpx.Client(base_url=address, timeout=60) as client:
        return {
            "slow": asyncio.run(_slow(address, keys[0], patience_s)),
            "answers": {
                "oversize, declared": _status(client, headers=key, files={"file": bytes(25_000_000)}),
                "oversize, streamed": _status(
                    client,
                    headers=key | {"Content-Type": "multipart/form-data; boundary=b"},
                    content=chain([_PART], (bytes(1_000_000) for _ in range(25))),
                ),
                "wrong content type": _status(
                    client, headers=key | {"Content-Type": "text/plain"}, content=b"x"
                ),
                "no key": _status(client, files={"file": _PICTURE}),
                "wrong key": _status(client, headers={"X-API-Key": "guess"}, files={"file": _PICTURE}),
                "wrong bearer": _status(
                    client, headers={"Authorization": "Bearer x"}, files={"file": _PICTURE}
                ),
            },
            "documented": EXPECTED,
            "keys": dict(
                Counter(
                    _status(client, headers={"X-API-Key": each}, files={"file": _PICTURE}) for each in keys
                )
            ),
        }


EXPECTED = {
    "oversize, declared": 413,
    "oversize, streamed": 413,
    "wrong content type": 415,
    "no key": 401,
    "wrong key": 403,
    "wrong bearer": 403,
}


def _status(client: httpx.Client, **sent: Any) -> int:
    return client.post("/v1/detect", **sent).status_code


async def _slow(address: str, key: str, patience_s: float) -> dict[str, Any]:
    """Hundreds of clients that send headers or a body slowly, and one normal client at the same time."""
    parts = urlsplit(address)
    whole = form(_PICTURE, headers=f"X-API-Key: {key}\r\n")
    began_at: list[float] = []
    ended: list[float] = []

    async def trickle(request: bytes) -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        began = time.perf_counter()
        began_at.append(began)
        closing = asyncio.create_task(reader.read())
        try:
            writer.write(request)
            while not closing.done() and time.perf_counter() - began < 10 * patience_s:
                await asyncio.sleep(0.5)
                writer.write(b"a")
        finally:
            ended.append(time.perf_counter() - began)
            closing.cancel()
            writer.close()

    slow_ones = [trickle(_START + b"X-A: ") for _ in range(_SLOW_ONES)]
    slow_ones += [trickle(whole[:-60]) for _ in range(_SLOW_ONES)]
    running = asyncio.gather(*slow_ones)
    while len(began_at) < len(slow_ones) and not running.done():
        await asyncio.sleep(0.02)
    taken: list[float] = []
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        while not running.done():
            began = time.perf_counter()
            answer = await client.post("/v1/detect", files={"file": _PICTURE}, headers={"X-API-Key": key})
            assert answer.status_code == 200
            taken.append(time.perf_counter() - began)
            await asyncio.sleep(0.1)
    await running
    return {
        "connections": len(ended),
        "last_ended_after_s": round(max(ended), 1),
        "others_answered": len(taken),
        "slowest_other_s": round(max(taken), 2),
    }
