"""The routes of the API. Bodies, keys and errors are handled in their own modules."""

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

HEATMAP = Query(description="Add a heat map to each record.")

EXPLAIN = Query(
    description="Add the scores of each view, the closest training sources and the answers for copies; 9 times slower."
)

PICTURE = Query(description="Include the image itself in the report.")

_HEIC = ["HEIC"] if importlib.util.find_spec("pi_heif") else []

verdicts = APIRouter(tags=["verdicts"], dependencies=[Admitted])
facts = APIRouter(tags=["facts"])


def _analyser(request: Request) -> Analyser:
    """Requests wait while workers are being replaced, so one live worker is not required here."""
    started: Analyser | None = request.app.state.analyser
    if started is None:
        raise _not_ready()
    return started


def _not_ready() -> ProblemError:
    return ProblemError("not_ready", "no worker is ready; retry later", {"Retry-After": "1"})


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
    """One record per file, in request order, with `status: error` for a file that cannot be analysed. The body is a
    form with one or more parts named `file`, or a single image with its own Content-Type."""
    if len(files) > 1:
        await charge(request, len(files) - 1)  # the first was counted by access.admit
    # Sequential, so that a request with many files does not occupy all workers.
    analyser = _analyser(request)
    results = [
        await analyser.analyse(file, mode, heatmap, request.is_disconnected, explain=explain)
        for file in files
    ]
    _note(request, results)
    return JSONResponse({"results": results})


@verdicts.post(
    "/v1/report",
    summary="Report on one file",
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
    """One self-contained HTML file with verdict, evidence, hashes and model. Opening it makes no network requests."""
    if len(files) != 1:
        raise ProblemError("malformed", f"a report covers one file; {len(files)} were sent")
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
    summary="Verdict on one image in JSON",
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
    summary="Call of the original API",
    response_model=schemas.Prediction,
    responses=answers(examples.PREDICTION, 400, 401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=BASE64,
)
async def predict(request: Request, body: Body) -> Response:
    """Returns AI-generated or Real, never unsure. `/v1/detect/base64` returns the full record."""
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
    """If an unsigned record decides, `probability_ai` may be null: the model's probability is used then, or 0.5 if the
    model contradicts the record."""
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
    """The record of the single image in the body. Raises ProblemError if it cannot be analysed."""
    record = await _analyser(request).analyse_json(
        body, mode, heatmap, request.is_disconnected, explain=explain
    )
    _note(request, [record])
    if record["status"] == "error":
        raise of_input(record["error"]["code"], record["error"]["message"])
    return record


def _note(request: Request, records: list[dict[str, Any]]) -> None:
    """Facts about the results for the access log."""
    facts = request.state.facts
    facts["bytes"] = request.state.body_bytes
    facts["results"] = dict(
        Counter(r["verdict"]["label"] if r["status"] == "ok" else r["error"]["code"] for r in records)
    )
    if request.app.state.settings.log_names:
        facts["names"] = [record["source"] for record in records]


# Two routes each: the lower one handles GET and HEAD and is registered first, so that a 405 lists both; the upper one
# is documented.
_READS = ["GET", "HEAD"]


@facts.get("/v1/model", summary="Model card and limits of this service")
@facts.api_route("/v1/model", methods=_READS, include_in_schema=False)
async def model(request: Request) -> dict[str, Any]:
    """The content of model.json (with `measured`), plus `service`."""
    settings = request.app.state.settings
    service = {
        "version": __version__,
        "modes": MODES,
        "formats": ["JPEG", "PNG", "WebP", "AVIF", "GIF", "BMP", "TIFF", *_HEIC],
        "key_required": request.app.state.keys.is_required,
        "limits": settings.model_dump(include={"max_body_bytes", "max_pixels", "max_files"}),
        "jobs": _job_limits(settings),
    }
    return {**request.app.state.spec.facts, "service": service}


def _job_limits(settings: Settings) -> dict[str, Any] | None:
    """None if batch jobs are disabled."""
    names = {"batch_jobs", "batch_max_bytes", "batch_max_files", "batch_lifetime_s"}
    return settings.model_dump(include=names) if settings.batch_jobs else None


@facts.get("/health", summary="Health check of the original API")
@facts.api_route("/health", methods=_READS, include_in_schema=False)
async def health() -> schemas.Health:
    return {"status": "online"}


@facts.get("/healthz", summary="The process is alive")
@facts.api_route("/healthz", methods=_READS, include_in_schema=False)
async def healthz() -> schemas.Health:
    return {"status": "alive"}


@facts.get(
    "/readyz",
    summary="Whether a worker has loaded the model and the service is not shutting down",
    responses=problems(503),
)
@facts.api_route("/readyz", methods=_READS, include_in_schema=False)
async def readyz(request: Request) -> schemas.Health:
    if not _analyser(request).pool.is_ready:
        raise _not_ready()
    if request.app.state.is_draining:
        raise ProblemError("draining", "the service is shutting down", {"Retry-After": "5"})
    return {"status": "ready"}


@facts.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
@facts.api_route("/metrics", methods=_READS, include_in_schema=False)
async def metrics(request: Request) -> Response:
    return Response(request.app.state.metrics.render(), media_type=CONTENT_TYPE)
