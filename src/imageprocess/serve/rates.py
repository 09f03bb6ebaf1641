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

_STORAGE_TIMEOUT_S = 1.0
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@dataclass(frozen=True, slots=True)
class Allowance:
    """The state of a client's rate limit, in images."""

    limit: int
    remaining: int
    reset_s: int  # seconds until the window resets
    is_exceeded: bool

    def headers(self) -> dict[str, str]:
        headers = dict(zip(HEADERS, map(str, (self.limit, self.remaining, self.reset_s)), strict=True))
        return headers | ({"Retry-After": str(max(1, self.reset_s))} if self.is_exceeded else {})


class Rates:
    """`per_address` and `per_key` in the notation of the `limits` library: "60/minute". None: no limit. Raises
    UsageError or MissingExtraError if `storage` cannot be used."""

    def __init__(self, per_address: str | None, per_key: str | None, storage: SecretStr) -> None:
        self._per_address = limits.parse(per_address) if per_address else None
        self._per_key = limits.parse(per_key) if per_key else None
        self._storage = _storage(storage.get_secret_value())
        self._counter = SlidingWindowCounterRateLimiter(self._storage)
        # If the shared storage is unavailable, each process counts separately, rather than to refuse or allow all.
        self._local_counter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def close(self) -> None:
        if not isinstance(self._storage, MemoryStorage):
            bridge: Any = self._storage.bridge  # the library has no public method for this
            await bridge.storage.aclose()

    async def charge_key(self, name: str, pictures: int) -> Allowance | None:
        return await self._charge(self._per_key, ("key", name), pictures)

    async def charge_address(self, host: str | None, pictures: int) -> Allowance | None:
        return await self._charge(self._per_address, ("address", subject(host)), pictures)

    async def charge_job(self, key: str | None, host: str | None) -> Allowance | None:
        """Count one image of a batch job. The limit is that of single requests but counted separately, so that a job
        does not use up the limit of its owner's single requests."""
        if key:
            return await self._charge(self._per_key, ("job of key", key), 1)
        return await self._charge(self._per_address, ("job of address", subject(host)), 1)

    async def _charge(
        self, rate: limits.RateLimitItem | None, client: tuple[str, str], pictures: int
    ) -> Allowance | None:
        """Returns None if there is no limit."""
        if rate is None:
            return None
        try:
            return await self._count(self._counter, rate, client, pictures)
        except (StorageError, OSError) as error:
            log.error("rate limit storage unavailable", extra={"facts": {"error": type(error).__name__}})
            return await self._count(self._local_counter, rate, client, pictures)

    async def _count(
        self,
        counter: SlidingWindowCounterRateLimiter,
        rate: limits.RateLimitItem,
        client: tuple[str, str],
        pictures: int,
    ) -> Allowance:
        is_within = await counter.hit(rate, *client, cost=pictures)
        window = await counter.get_window_stats(rate, *client)
        return Allowance(
            limit=rate.amount,
            remaining=max(0, window.remaining),
            reset_s=max(0, math.ceil(window.reset_time - time.time())),
            is_exceeded=not is_within,
        )


def _storage(address: str) -> MemoryStorage | RedisStorage:
    """memory:// or redis://... Raises UsageError, MissingExtraError."""
    scheme = address.partition(":")[0]
    if scheme not in ("memory", "redis", "rediss", "redis+unix", "redis+cluster", "redis+sentinel"):
        raise UsageError("IMAGEPROCESS_RATE_STORAGE must be memory:// or begin with redis://")
    options: dict[str, str | float | bool] = {}
    if scheme != "memory":
        timeouts = {"socket_timeout": _STORAGE_TIMEOUT_S, "socket_connect_timeout": _STORAGE_TIMEOUT_S}
        options = {"implementation": "redispy", "wrap_exceptions": True, **timeouts}
    try:
        storage = storage_from_string(f"async+{address}", **options)
    except ConfigurationError as error:
        if "prerequisite" in str(error):
            raise MissingExtraError("redis, which shares the rate limit counts,", "redis") from error
        raise UsageError(f"IMAGEPROCESS_RATE_STORAGE: {error}") from error
    assert isinstance(storage, MemoryStorage | RedisStorage)  # the types of these schemes with async+
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
