"""Errors as application/problem+json (RFC 9457), with a `code` for programs and the request's id. The only module
that maps codes to HTTP statuses."""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ..errors import ImageProcessError, InputError, UsageError

_STATUS = {
    "malformed": 400,
    "usage": 400,
    "webhook_refused": 400,
    "key_missing": 401,
    "key_wrong": 403,
    "jobs_off": 404,
    "not_found": 404,
    "too_slow": 408,
    "too_large": 413,
    "unsupported_media_type": 415,
    "corrupt": 422,
    "no_pictures": 422,
    "too_many_requests": 429,
    "internal": 500,
    "busy": 503,
    "draining": 503,
    "no_room": 503,
    "not_ready": 503,
    "workers_lost": 503,
}

# The same for an image that cannot be analysed, by the code of the ImageProcessError.
_INPUT_STATUS = {
    "too_large": 413,
    "too_many_pixels": 413,
    "unsupported_format": 415,
    "corrupt": 422,
    "timeout": 422,
    "crashed": 422,
    "not_found": 422,
    "usage": 400,
}

# A status -> its code, for errors raised by Starlette. The default is Python's name; that of 416 changed in 3.13.
_CODES = {400: "malformed", 416: "range_not_satisfiable"}

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """Raised by a route or a dependency; the response has the status of `code`."""

    def __init__(
        self,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        *,
        status: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.headers = code, detail, headers
        self.status = status or _STATUS[code]

    @property
    def is_temporary(self) -> bool:
        return self.status == http.HTTPStatus.SERVICE_UNAVAILABLE


def problem(request: Request, error: ProblemError) -> Response:
    content = _body(request.state.request_id, error.status, error.code, error.detail)
    return Response(content, error.status, error.headers, MEDIA_TYPE)


def malformed(request_id: str, detail: str) -> tuple[int, bytes]:
    """Status and body for a request that does not parse as HTTP."""
    status = _STATUS["malformed"]
    return status, _body(request_id, status, "malformed", detail)


def of_status(status: int, detail: str | None, headers: Mapping[str, str] | None) -> ProblemError:
    """For errors that are raised outside this package with a status alone."""
    standard = http.HTTPStatus(status)
    code = _CODES.get(status) or standard.name.lower()
    return ProblemError(code, detail or standard.phrase, headers, status=status)


def _body(request_id: str, status: int, code: str, detail: str) -> bytes:
    fields = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "backslashreplace")


def of_input(code: str, message: str, unknown: str = "internal") -> ProblemError:
    """For a request about one image that failed with `code`; a code without a status gets that of `unknown`."""
    return ProblemError(code, message, status=_INPUT_STATUS.get(code, _STATUS[unknown]))


def install(app: FastAPI) -> None:
    """Handle every error that a route raises on purpose; the gate answers unexpected ones."""

    @app.exception_handler(ProblemError)
    async def _(request: Request, error: ProblemError) -> Response:
        return problem(request, error)

    @app.exception_handler(UsageError)
    @app.exception_handler(InputError)
    async def _(request: Request, error: ImageProcessError) -> Response:
        return problem(request, of_input(error.code, str(error), unknown="corrupt"))

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        return problem(request, ProblemError("malformed", explain(error.errors())))

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        return problem(request, of_status(error.status_code, str(error.detail), error.headers))


def explain(errors: Any) -> str:
    """pydantic's error list in one line. Never quotes the input, which may be an image."""
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in errors)
