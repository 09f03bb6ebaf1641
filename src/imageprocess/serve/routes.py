"""The API. Each route is a few lines; bodies, keys and errors are their own modules'."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from .. import __version__
from ..errors import CorruptImageError
from ..sources import from_base64
from ..types import MODES, Mode, Source
from . import schemas
from .access import require_key
from .analyser import Analyser
from .body import read_base64, read_files
from .metrics import CONTENT_TYPE
from .problems import ProblemError, of_input

MODE = Query(description="How sure it must be: who asks for more certainty hears `unsure` more often.")
HEATMAP = Query(description="Add where the model looked to each record.")

_PROBLEMS = {
    400: "Malformed request",
    401: "No key, where one is asked for",
    403: "A wrong key",
    413: "More bytes or pixels than the limit",
    415: "Not an image format, or not a body type, that is read here",
    422: "An image that does not decode",
    503: "Too much waits already; see Retry-After",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _PROBLEMS[status], "content": content} for status in statuses}


def _body(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


_FILES = _body(
    "multipart/form-data",
    {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
    },
)
_BASE64 = _body("application/json", schemas.Base64Picture.model_json_schema())

verdicts = APIRouter(tags=["verdicts"], dependencies=[Depends(require_key)])
facts = APIRouter(tags=["facts"])


def analyser(request: Request) -> Analyser:
    ready: Analyser | None = request.app.state.analyser
    if ready is None:
        raise ProblemError(503, "not_ready", "the model is not loaded", {"Retry-After": "1"})
    return ready


Ready = Annotated[Analyser, Depends(analyser)]
Files = Annotated[list[Source], Depends(read_files)]
Posted = Annotated[schemas.Base64Picture, Depends(read_base64)]


@verdicts.post(
    "/v1/detect",
    summary="Verdicts on one or several files",
    response_model=schemas.Results,
    responses=_problems(400, 401, 403, 413, 415, 503),
    openapi_extra=_FILES,
)
async def detect(
    ready: Ready,
    files: Files,
    mode: Annotated[Mode, MODE] = "balanced",
    heatmap: Annotated[bool, HEATMAP] = False,
) -> Response:
    """One record each, in the order sent; `status: error` in that of a file that cannot be analysed."""
    # One after another: a request with many files must not crowd out the others.
    return JSONResponse({"results": [await ready.analyse(file, mode, heatmap) for file in files]})


@verdicts.post(
    "/v1/detect/base64",
    summary="A verdict on one picture in JSON",
    response_model=schemas.Record,
    responses=_problems(400, 401, 403, 413, 415, 422, 503),
    openapi_extra=_BASE64,
)
async def detect_base64(
    ready: Ready,
    posted: Posted,
    mode: Annotated[Mode, MODE] = "balanced",
    heatmap: Annotated[bool, HEATMAP] = False,
) -> Response:
    return JSONResponse(await _one(ready, posted, mode, heatmap))


@verdicts.post(
    "/predict",
    summary="The original's call",
    response_model=schemas.Prediction,
    responses=_problems(400, 401, 403, 413, 415, 422, 503),
    openapi_extra=_BASE64,
)
async def predict(ready: Ready, posted: Posted) -> Response:
    """AI-generated or Real, nothing between. `/v1/detect/base64` says more."""
    verdict = (await _one(ready, posted, "best-guess"))["verdict"]
    is_ai = verdict["label"] == "ai"
    probability = verdict["probability_ai"]
    return JSONResponse(
        {
            "label_name": "AI-generated" if is_ai else "Real",
            "confidence": round(probability if is_ai else 1 - probability, 2),
            "status": "success",
            "class_id": 0 if is_ai else 1,
            "class_name": "ai_image" if is_ai else "real_image",
        }
    )


async def _one(
    ready: Analyser, posted: schemas.Base64Picture, mode: Mode, heatmap: bool = False
) -> dict[str, Any]:
    """The record of the one picture in the body; its failure is the whole request's."""
    limit = ready.detector.limits.max_bytes
    try:
        source = await run_in_threadpool(from_base64, posted.image_base64, posted.name, max_bytes=limit)
    except CorruptImageError as error:
        raise ProblemError(400, "malformed", str(error)) from error
    record = await ready.analyse(source, mode, heatmap)
    if record["status"] == "error":
        raise of_input(record["error"]["code"], record["error"]["message"])
    return record


@facts.get("/v1/model", summary="The model's card, and what this service allows")
async def model(ready: Ready, request: Request) -> dict[str, Any]:
    """model.json as it is (`measured` included), and beside it `service`."""
    settings = request.app.state.settings
    service = {
        "version": __version__,
        "modes": MODES,
        "key_required": settings.api_key is not None,
        "limits": settings.model_dump(include={"max_body_bytes", "max_pixels", "max_files"}),
    }
    return {**ready.detector.spec.facts, "service": service}


@facts.get("/health", summary="The original's health call")
async def health() -> schemas.Health:
    return {"status": "online"}


@facts.get("/healthz", summary="The process is alive")
async def healthz() -> schemas.Health:
    return {"status": "alive"}


@facts.get("/readyz", summary="The model is loaded", responses=_problems(503))
async def readyz(ready: Ready) -> schemas.Health:
    return {"status": "ready"}


@facts.get("/metrics", summary="For Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    return Response(request.app.state.metrics.render(), media_type=CONTENT_TYPE)
