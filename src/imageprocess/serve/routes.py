"""The API. Each route is a few lines; bodies, keys and errors are their own modules'."""

from __future__ import annotations

import importlib.util
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import HTMLResponse, JSONResponse

from .. import __version__
from ..types import MODES, Mode, Source
from . import examples, schemas
from .access import Admitted, charge
from .analyser import Analyser
from .body import read_files, read_json
from .documents import BASE64, FILES, MODE, answers, problems
from .metrics import CONTENT_TYPE
from .problems import ProblemError, of_input
from .settings import Settings

HEATMAP = Query(description="Add where the model looked to each record.")

EXPLAIN = Query(
    description="Tell more of the model: each view, closest sources, re-saved copies; nine times the work."
)

PICTURE = Query(description="Put the picture itself into the report.")

_HEIC = ["HEIC"] if importlib.util.find_spec("pi_heif") else []

verdicts = APIRouter(tags=["verdicts"], dependencies=[Admitted])
facts = APIRouter(tags=["facts"])


def _analyser(request: Request) -> Analyser:
    """While its workers are being replaced, a picture waits for one like any other."""
    started: Analyser | None = request.app.state.analyser
    if started is None:
        raise _not_ready()
    return started


def _not_ready() -> ProblemError:
    return ProblemError("not_ready", "no worker is ready", {"Retry-After": "1"})


Files = Annotated[list[Source], Depends(read_files)]
Body = Annotated[bytes, Depends(read_json)]


@verdicts.post(
    "/v1/detect",
    summary="Verdicts on one or several files",
    response_model=schemas.Results,
    responses=answers(examples.RESULTS, 400, 401, 403, 408, 413, 415, 429, 503),
    openapi_extra=FILES,
)
async def detect(
    request: Request,
    files: Files,
    mode: Annotated[Mode, MODE] = "balanced",
    heatmap: Annotated[bool, HEATMAP] = False,
    explain: Annotated[bool, EXPLAIN] = False,
) -> Response:
    """One record each, in the order sent; `status: error` in that of a file that cannot be analysed. The body is a form
    with one or several parts named `file`, or one picture itself, under its own Content-Type."""
    if len(files) > 1:
        await charge(request, len(files) - 1)  # the first was paid for at the door
    # One after another: a request with many files must not crowd out the others.
    ready = _analyser(request)
    results = [
        await ready.analyse(file, mode, heatmap, request.is_disconnected, explain=explain) for file in files
    ]
    _note(request, results)
    return JSONResponse({"results": results})


@verdicts.post(
    "/v1/report",
    summary="A report to pass on, of one file",
    response_class=HTMLResponse,
    responses=problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=FILES,
)
async def report(
    request: Request,
    files: Files,
    mode: Annotated[Mode, MODE] = "balanced",
    picture: Annotated[bool, PICTURE] = False,
) -> Response:
    """One self-contained HTML file: verdict, evidence, hashes, model. It asks for nothing when it is opened."""
    if len(files) != 1:
        raise ProblemError("malformed", f"a report is of one file; {len(files)} were sent")
    heatmap = request.app.state.spec.has_heatmap
    record, page = await _analyser(request).report(
        files[0], mode, heatmap, request.is_disconnected, with_picture=picture
    )
    _note(request, [record])
    if page is None:
        raise of_input(record["error"]["code"], record["error"]["message"])
    return HTMLResponse(page, headers={"Content-Disposition": 'attachment; filename="report.html"'})


@verdicts.post(
    "/v1/detect/base64",
    summary="A verdict on one picture in JSON",
    response_model=schemas.Record,
    responses=answers(examples.RECORD, 400, 401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=BASE64,
)
async def detect_base64(
    request: Request,
    body: Body,
    mode: Annotated[Mode, MODE] = "balanced",
    heatmap: Annotated[bool, HEATMAP] = False,
    explain: Annotated[bool, EXPLAIN] = False,
) -> Response:
    return JSONResponse(await _one(request, body, mode, heatmap, explain))


@verdicts.post(
    "/predict",
    summary="The original's call",
    response_model=schemas.Prediction,
    responses=answers(examples.PREDICTION, 400, 401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=BASE64,
)
async def predict(request: Request, body: Body) -> Response:
    """AI-generated or Real, nothing between. `/v1/detect/base64` says more."""
    record = await _one(request, body, "best-guess")
    verdict, probability = record["verdict"], _probability_ai(record)
    is_ai = verdict["label"] == "ai"
    return JSONResponse(
        {
            "label_name": "AI-generated" if is_ai else "Real",
            "confidence": round(probability if is_ai else 1 - probability, 2),
            "status": "success",
            "class_id": 0 if is_ai else 1,
            "class_name": "ai_image" if is_ai else "real_image",
        }
    )


def _probability_ai(record: dict[str, Any]) -> float:
    """Where a record that anyone could have typed decides, nothing estimates how often such are true: the model's own
    word, or a half where that speaks against it."""
    stated: float | None = record["verdict"]["probability_ai"]
    if stated is not None:
        return stated
    probabilities = (
        item["detail"]["probability_ai"] for item in record["evidence"] if item["kind"] == "model"
    )
    return max(0.5, next(probabilities, 0.5))


async def _one(
    request: Request, body: bytes, mode: Mode, heatmap: bool = False, explain: bool = False
) -> dict[str, Any]:
    """The record of the one picture in the body; its failure is the whole request's."""
    record = await _analyser(request).analyse_json(
        body, mode, heatmap, request.is_disconnected, explain=explain
    )
    _note(request, [record])
    if record["status"] == "error":
        raise of_input(record["error"]["code"], record["error"]["message"])
    return record


def _note(request: Request, records: list[dict[str, Any]]) -> None:
    """What the log's line says of them."""
    facts = request.state.facts
    facts["bytes"] = request.state.held_bytes
    facts["results"] = dict(
        Counter(r["verdict"]["label"] if r["status"] == "ok" else r["error"]["code"] for r in records)
    )
    if request.app.state.settings.log_names:
        facts["names"] = [record["source"] for record in records]


# Two routes each: the lower one answers, HEAD too, and is the first, or a 405 would not allow HEAD; of the upper one,
# GET alone, the document tells.
_READS = ["GET", "HEAD"]


@facts.get("/v1/model", summary="The model's card, and what this service allows")
@facts.api_route("/v1/model", methods=_READS, include_in_schema=False)
async def model(request: Request) -> dict[str, Any]:
    """model.json as it is (`measured` included), and beside it `service`."""
    settings = request.app.state.settings
    service = {
        "version": __version__,
        "modes": MODES,
        "formats": ["JPEG", "PNG", "WebP", "AVIF", "GIF", "BMP", "TIFF", *_HEIC],
        "key_required": request.app.state.keys.is_asked_for,
        "limits": settings.model_dump(include={"max_body_bytes", "max_pixels", "max_files"}),
        "jobs": _job_limits(settings),
    }
    return {**request.app.state.spec.facts, "service": service}


def _job_limits(settings: Settings) -> dict[str, Any] | None:
    """None where no batch jobs are taken."""
    names = {"batch_jobs", "batch_max_bytes", "batch_max_files", "batch_lifetime_s"}
    return settings.model_dump(include=names) if settings.batch_jobs else None


@facts.get("/health", summary="The original's health call")
@facts.api_route("/health", methods=_READS, include_in_schema=False)
async def health() -> schemas.Health:
    return {"status": "online"}


@facts.get("/healthz", summary="The process is alive")
@facts.api_route("/healthz", methods=_READS, include_in_schema=False)
async def healthz() -> schemas.Health:
    return {"status": "alive"}


@facts.get(
    "/readyz",
    summary="A worker has the model loaded, and the service is not ending",
    responses=problems(503),
)
@facts.api_route("/readyz", methods=_READS, include_in_schema=False)
async def readyz(request: Request) -> schemas.Health:
    if not _analyser(request).pool.is_ready:
        raise _not_ready()
    if request.app.state.is_draining:
        raise ProblemError("draining", "the service is ending", {"Retry-After": "5"})
    return {"status": "ready"}


@facts.get("/metrics", summary="For Prometheus", response_class=Response)
@facts.api_route("/metrics", methods=_READS, include_in_schema=False)
async def metrics(request: Request) -> Response:
    return Response(request.app.state.metrics.render(), media_type=CONTENT_TYPE)
