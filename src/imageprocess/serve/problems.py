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


class ProblemError(Exception):
    """Raised by a route or a dependency; answered with `status`."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers = status, code, detail, headers


def problem(
    request: Request, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    body = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.state.request_id,
    }
    return Response(
        json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace"),
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )


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
        code = http.HTTPStatus(error.status_code).name.lower()
        return problem(request, error.status_code, code, str(error.detail), error.headers)


def explain(errors: Any) -> str:
    """pydantic's error list in one line. Never quotes the input: it may be a picture."""
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in errors)
