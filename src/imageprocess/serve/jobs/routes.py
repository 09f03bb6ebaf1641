"""Batch jobs over HTTP."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import JSONResponse, StreamingResponse

from ...types import Mode
from .. import examples, schemas
from ..access import Admitted, Recognised
from ..body import discard
from ..documents import MODE, PICTURE_FORM, body, problems
from ..problems import ProblemError
from ..rates import subject
from .job import Format, Job, Owner
from .jobs import Jobs
from .upload import ARCHIVE_TYPES, receive

_WEBHOOK = Query(
    description="URL that receives a signed request when the job ends; its host must be allowed by this service.",
    max_length=2_000,
)
_FORMAT = Query(
    description="`jsonl`: one record per line; `csv`: the columns of `imageprocess detect --format csv`."
)
_MEDIA_TYPES: dict[Format, str] = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8"}
_ARCHIVE = {"type": "string", "format": "binary"}
_BODY = body(**{"multipart/form-data": PICTURE_FORM, **dict.fromkeys(ARCHIVE_TYPES, _ARCHIVE)})

routes = APIRouter(tags=["jobs"])


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


def _owner(request: Request) -> Owner:
    host = request.client.host if request.client else None
    return Owner(request.state.key, subject(host))


def _find_job(request: Request, job_id: str) -> Job:
    return _jobs(request).find(job_id, _owner(request))


RequestedJob = Annotated[Job, Depends(_find_job)]


@routes.post(
    "/v1/jobs",
    summary="Create a batch job",
    status_code=202,
    response_model=schemas.Job,
    dependencies=[Admitted],
    responses={
        202: {"content": {"application/json": {"example": examples.JOB}}},
        **problems(400, 401, 403, 404, 408, 413, 415, 422, 429, 503),
    },
    openapi_extra=_BODY,
)
async def create(
    request: Request,
    mode: Annotated[Mode, MODE] = "balanced",
    webhook: Annotated[str | None, _WEBHOOK] = None,
) -> Response:
    """A form with parts named `file`, or one tar or zip. Responds once the upload is complete; the images are analysed
    afterwards, within the key's rate limit and with lower priority than single requests. A job exists only in the
    server process that accepted it and is lost when that process ends."""
    if request.app.state.is_draining:
        raise ProblemError("draining", "the service is shutting down", {"Retry-After": "5"})
    jobs, owner = _jobs(request), _owner(request)
    try:
        with jobs.reserve(owner):
            if webhook is not None:
                jobs.webhooks.check(webhook)
            upload = await receive(request)
            job = jobs.begin(upload, owner, mode, webhook)
    except ProblemError:
        await discard(request)
        raise
    request.state.facts["pictures"] = upload.total
    return JSONResponse(job.to_dict(), 202, headers={"Location": f"/v1/jobs/{job.id}"})


# The first of three routes handles both methods, so that a 405 lists both; the other two are documented.
@routes.api_route(
    "/v1/jobs/{job_id}", methods=["GET", "DELETE"], include_in_schema=False, dependencies=[Recognised]
)
async def show_or_delete(request: Request, job: RequestedJob) -> Response:
    return await delete(request, job) if request.method == "DELETE" else JSONResponse(await show(job))


@routes.get(
    "/v1/jobs/{job_id}",
    summary="Progress of a job",
    dependencies=[Recognised],
    responses={
        200: {"content": {"application/json": {"example": examples.JOB}}},
        **problems(401, 403, 404, 429),
    },
)
async def show(job: RequestedJob) -> schemas.Job:
    return cast(schemas.Job, job.to_dict())


@routes.get(
    "/v1/jobs/{job_id}/results",
    summary="Records of a job",
    response_class=Response,
    dependencies=[Recognised],
    responses={
        200: {
            "description": "One record per image, in upload order.",
            "headers": {
                "X-Job-State": {
                    "description": "`running`: more records will follow.",
                    "schema": {"type": "string"},
                }
            },
            "content": {
                "application/jsonl": {"schema": {"type": "string"}, "example": examples.JOB_LINES},
                "text/csv": {"schema": {"type": "string"}},
            },
        },
        **problems(400, 401, 403, 404, 429),
    },
)
async def results(job: RequestedJob, format: Annotated[Format, _FORMAT] = "jsonl") -> Response:
    """The records available so far; repeat the request while the job's `state` is `running`."""
    name = f'attachment; filename="results.{format}"'
    headers = {"X-Job-State": job.state, "Content-Disposition": name}
    return StreamingResponse(job.rows[format].stream(), media_type=_MEDIA_TYPES[format], headers=headers)


@routes.delete(
    "/v1/jobs/{job_id}",
    summary="Cancel and delete a job",
    status_code=204,
    response_class=Response,
    dependencies=[Recognised],
    responses=problems(401, 403, 404, 429),
)
async def delete(request: Request, job: RequestedJob) -> Response:
    """Deletes its images and records. An image that is being analysed is finished, and its result discarded."""
    _jobs(request).forget(job)
    return Response(status_code=204)
