"""What goes wrong -> application/problem+json (RFC 9457), with a `code` for programs and the request's id."""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ..errors import ImageProcessError, InputError, UsageError

# One picture that cannot be analysed, by the error's code.
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

# A status -> its code, where nothing more is known. The others take Python's name; that of 416 changed in 3.13.
_CODES = {400: "malformed", 416: "range_not_satisfiable"}

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """Raised by a route or a dependency; answered with `status`."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers = status, code, detail, headers


def problem(
    request: Request, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(body(request.state.request_id, status, code, detail), status, headers, MEDIA_TYPE)


def body(request_id: str, status: int, code: str, detail: str) -> bytes:
    told = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    return json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace")


def code_of(status: int) -> str:
    return _CODES.get(status) or http.HTTPStatus(status).name.lower()


def of_input(code: str, message: str) -> ProblemError:
    """The problem that one failed picture is, where the answer has room for one picture alone."""
    return ProblemError(_INPUT_STATUS.get(code, 500), code, message)


def install(app: FastAPI) -> None:
    """Every error that a route can raise, but the unforeseen: those are the gate's."""

    @app.exception_handler(ProblemError)
    async def _(request: Request, error: ProblemError) -> Response:
        return problem(request, error.status, error.code, error.detail, error.headers)

    @app.exception_handler(UsageError)
    @app.exception_handler(InputError)
    async def _(request: Request, error: ImageProcessError) -> Response:
        return problem(request, _INPUT_STATUS.get(error.code, 422), error.code, str(error))

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        return problem(request, 400, "malformed", explain(error.errors()))

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        code = code_of(error.status_code)
        return problem(request, error.status_code, code, str(error.detail), error.headers)


def explain(errors: Any) -> str:
    """pydantic's error list in one line. Never quotes the input: it may be a picture."""
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in errors)
