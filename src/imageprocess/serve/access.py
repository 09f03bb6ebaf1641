"""API key check and rate limits of a request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from .body import discard
from .problems import ProblemError
from .rates import Allowance

_WHEN = "Required if the service has keys."
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description=_WHEN)
_BEARER = HTTPBearer(auto_error=False, description=_WHEN)


Header = Annotated[str | None, Security(_HEADER)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


async def admit(request: Request, in_header: Header, as_bearer: Bearer) -> None:
    """Before the body is looked at. Raises ProblemError: 401 without a key, 403 with a wrong one, 429 too often."""
    key = _read_key(request, in_header, as_bearer)
    await charge(request, 1)  # also who has no key, or a wrong one: guessing is slow
    await _refuse_strangers(request, key)


async def recognise(request: Request, in_header: Header, as_bearer: Bearer) -> None:
    """The same for calls that cost nothing, as a job's progress does: only strangers are counted."""
    key = _read_key(request, in_header, as_bearer)
    if request.app.state.keys.is_asked_for and not request.state.key:
        await charge(request, 1)
    await _refuse_strangers(request, key)


def _read_key(
    request: Request, in_header: str | None, as_bearer: HTTPAuthorizationCredentials | None
) -> str | None:
    """-> what was given; `request.state.key` is its name where it is known."""
    ring = request.app.state.keys
    key = in_header or (as_bearer.credentials if as_bearer else None)
    # Starlette reads headers as Latin-1; what was sent are the bytes.
    request.state.key = ring.name_of(key.encode("latin-1")) if key and ring.is_asked_for else None
    return key


async def _refuse_strangers(request: Request, key: str | None) -> None:
    if not request.app.state.keys.is_asked_for or request.state.key:
        return
    await discard(request)
    if not key:
        challenge = {"WWW-Authenticate": "ApiKey, Bearer"}
        raise ProblemError("key_missing", "send a key in X-API-Key or as a bearer token", challenge)
    raise ProblemError("key_wrong", "unknown API key")


async def charge(request: Request, pictures: int) -> None:
    """Counts against the key, where one was given, or else against the address. Raises ProblemError (429)."""
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
