"""Parameters, bodies and responses that several calls share in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from fastapi import Query

from . import schemas

MODE = Query(description="Required certainty; a stricter mode answers `unsure` more often.")

_PROBLEMS = {
    400: "Malformed request",
    401: "Missing API key",
    403: "Unknown API key",
    404: "No such job for this key",
    408: "The body was not received in time",
    413: "More bytes or pixels than the limit",
    415: "Unsupported image format or body type",
    422: "The image cannot be decoded",
    429: "Rate limit exceeded; see Retry-After and X-RateLimit-*",
    503: "The service is at capacity; see Retry-After",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _PROBLEMS[status], "content": content} for status in statuses}


def body(**schemas_by_type: dict[str, Any]) -> dict[str, Any]:
    content = {media_type: {"schema": schema} for media_type, schema in schemas_by_type.items()}
    return {"requestBody": {"required": True, "content": content}}


def answers(example: dict[str, Any], *statuses: int) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": example}}}, **problems(*statuses)}


PICTURE: dict[str, Any] = {"type": "string", "format": "binary"}
PICTURE_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "array", "minItems": 1, "items": PICTURE}},
}
FILES = body(**{"multipart/form-data": PICTURE_FORM, "image/*": PICTURE, "application/octet-stream": PICTURE})
BASE64 = body(**{"application/json": schemas.Base64Picture.model_json_schema()})
