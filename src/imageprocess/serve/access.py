"""Who may ask for a verdict."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyHeader

from .body import discard
from .problems import ProblemError

_KEY_HEADER = APIKeyHeader(
    name="X-API-Key", auto_error=False, description="Where the service was given an API_KEY."
)


async def require_key(request: Request, given: Annotated[str | None, Security(_KEY_HEADER)]) -> None:
    """Raises ProblemError (401 without a key, 403 with a wrong one) before the body is looked at."""
    expected = request.app.state.settings.api_key
    if expected is None:
        return
    if given is None:
        await discard(request)
        raise ProblemError(401, "key_missing", "send the key in X-API-Key", {"WWW-Authenticate": "ApiKey"})
    # In bytes (Starlette reads headers as Latin-1) and in constant time: the answer's timing must not tell how much
    # of a guess was right.
    if not hmac.compare_digest(given.encode("latin-1"), expected.get_secret_value().encode()):
        await discard(request)
        raise ProblemError(403, "key_wrong", "this key is not known here")
