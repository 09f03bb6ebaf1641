"""API key check and rate limits of a request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from .body import discard
from .problems import ProblemError
from .rates import Allowance

_DESCRIPTION = "Required if the service has keys."
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description=_DESCRIPTION)
_BEARER = HTTPBearer(auto_error=False, description=_DESCRIPTION)


Header = Annotated[str | None, Security(_HEADER)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


async def admit(request: Request, in_header: Header, as_bearer: Bearer) -> None:
    """Check key and rate before the body is read. Raises ProblemError: 401 without a key, 403 with an unknown key, 429
    above the rate limit."""
    key = _read_key(request, in_header, as_bearer)
    await charge(request, 1)  # also without a valid key, so that guessing keys is slow
    await _require_known_key(request, key)


async def recognise(request: Request, in_header: Header, as_bearer: Bearer) -> None:
    """As `admit`, for calls without analysis, such as a job's progress: only requests without a valid key count against
    the rate limit."""
    key = _read_key(request, in_header, as_bearer)
    if request.app.state.keys.is_required and not request.state.key:
        await charge(request, 1)
    await _require_known_key(request, key)


def _read_key(
    request: Request, in_header: str | None, as_bearer: HTTPAuthorizationCredentials | None
) -> str | None:
    """The key of the request; sets `request.state.key` to its name, or None if it is unknown."""
    ring = request.app.state.keys
    key = in_header or (as_bearer.credentials if as_bearer else None)
    # Starlette decodes headers as Latin-1; encoding gives the original bytes.
    request.state.key = ring.name_of(key.encode("latin-1")) if key and ring.is_required else None
    return key


async def _require_known_key(request: Request, key: str | None) -> None:
    if not request.app.state.keys.is_required or request.state.key:
        return
    await discard(request)
    if not key:
        challenge = {"WWW-Authenticate": "ApiKey, Bearer"}
        raise ProblemError("key_missing", "send a key in X-API-Key or as a bearer token", challenge)
    raise ProblemError("key_wrong", "unknown API key")


async def charge(request: Request, pictures: int) -> None:
    """Count `pictures` against the key of the request, or its address without one. Raises ProblemError (429)."""
    rates, key = request.app.state.rates, request.state.key
    allowance: Allowance | None
    if key:
        allowance = await rates.charge_key(key, pictures)
    else:
        allowance = await rates.charge_address(request.client.host if request.client else None, pictures)
    if allowance is None:
        return
    request.state.extra_headers = allowance.headers()
    if allowance.is_exceeded:
        await discard(request)
        raise ProblemError("too_many_requests", f"more than {allowance.limit} images in that time")


Admitted = Depends(admit)
Recognised = Depends(recognise)
