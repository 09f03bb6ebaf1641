"""Rate limits in images per key or client address, counted by the `limits` library."""

from __future__ import annotations

import ipaddress
import logging
import math
import time
from dataclasses import dataclass
from typing import Any

import limits
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string
from pydantic import SecretStr

from ..errors import MissingExtraError, UsageError

log = logging.getLogger("imageprocess.serve")

_PATIENCE_S = 1.0  # with a storage that does not answer
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to who asked."""

    limit: int
    remaining: int
    reset_s: int  # seconds until some or all of it is back
    is_exceeded: bool

    def headers(self) -> dict[str, str]:
        headers = dict(zip(HEADERS, map(str, (self.limit, self.remaining, self.reset_s)), strict=True))
        return headers | ({"Retry-After": str(max(1, self.reset_s))} if self.is_exceeded else {})


class Rates:
    """`per_address` and `per_key` as the `limits` library writes them: "60/minute". None: no limit."""

    def __init__(self, per_address: str | None, per_key: str | None, storage: SecretStr) -> None:
        self._per_address = limits.parse(per_address) if per_address else None
        self._per_key = limits.parse(per_key) if per_key else None
        self._storage = _storage(storage.get_secret_value())
        self._counter = SlidingWindowCounterRateLimiter(self._storage)
        # Where the shared storage does not answer, each process counts for itself: neither a closed nor an open door.
        self._own_counter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def close(self) -> None:
        if not isinstance(self._storage, MemoryStorage):
            bridge: Any = self._storage.bridge  # the library has no call for it
            await bridge.storage.aclose()

    async def charge_key(self, name: str, pictures: int) -> Allowance | None:
        return await self._charge(self._per_key, ("key", name), pictures)

    async def charge_address(self, host: str | None, pictures: int) -> Allowance | None:
        return await self._charge(self._per_address, ("address", subject(host)), pictures)

    async def charge_job(self, key: str | None, host: str | None) -> Allowance | None:
        """One picture of a batch job: as many in a time as single requests may have, counted apart from those, so that
        a job leaves its owner's own requests their share."""
        if key:
            return await self._charge(self._per_key, ("job of key", key), 1)
        return await self._charge(self._per_address, ("job of address", subject(host)), 1)

    async def _charge(
        self, rate: limits.RateLimitItem | None, who: tuple[str, str], pictures: int
    ) -> Allowance | None:
        """None where there is no limit."""
        if rate is None:
            return None
        try:
            return await self._count(self._counter, rate, who, pictures)
        except (StorageError, OSError) as error:
            log.error("rate limit storage unavailable", extra={"facts": {"error": type(error).__name__}})
            return await self._count(self._own_counter, rate, who, pictures)

    async def _count(
        self,
        counter: SlidingWindowCounterRateLimiter,
        rate: limits.RateLimitItem,
        who: tuple[str, str],
        pictures: int,
    ) -> Allowance:
        is_within = await counter.hit(rate, *who, cost=pictures)
        left = await counter.get_window_stats(rate, *who)
        return Allowance(
            limit=rate.amount,
            remaining=max(0, left.remaining),
            reset_s=max(0, math.ceil(left.reset_time - time.time())),
            is_exceeded=not is_within,
        )


def _storage(address: str) -> MemoryStorage | RedisStorage:
    """memory:// or redis://... Raises UsageError, MissingExtraError."""
    scheme = address.partition(":")[0]
    if scheme not in ("memory", "redis", "rediss", "redis+unix", "redis+cluster", "redis+sentinel"):
        raise UsageError("IMAGEPROCESS_RATE_STORAGE must be memory:// or begin with redis://")
    options: dict[str, str | float | bool] = {}
    if scheme != "memory":
        patience = {"socket_timeout": _PATIENCE_S, "socket_connect_timeout": _PATIENCE_S}
        options = {"implementation": "redispy", "wrap_exceptions": True, **patience}
    try:
        storage = storage_from_string(f"async+{address}", **options)
    except ConfigurationError as error:
        if "prerequisite" in str(error):
            raise MissingExtraError("redis, which shares the rate limit counts,", "redis") from error
        raise UsageError(f"IMAGEPROCESS_RATE_STORAGE: {error}") from error
    assert isinstance(storage, MemoryStorage | RedisStorage)  # what these schemes are, with async+
    return storage


def subject(host: str | None) -> str:
    """The client to count: an IPv4 address, or the /64 network of an IPv6 address (one customer's usual allocation)."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:  # no address at all (a Unix socket, a proxy's "unknown"): all such count as one
        return "other"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
