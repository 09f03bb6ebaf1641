"""Jobs of POST /v1/jobs: submit, wait for the end, read the records."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from typing import Any

import httpx

from testkit.pictures import encode, plain, scene
from testkit.waiting import wait_until

BRIGHT, GREY, DARK = (encode(plain(brightness), "PNG") for brightness in (250, 128, 5))
SLOW = encode(scene(1, 3000, 3000), "JPEG")
Files = list[tuple[str, bytes]]
THREE: Files = [("a.png", BRIGHT), ("b.txt", b"text"), ("c.png", GREY)]


def as_tar(files: Files, mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def as_zip(files: Files) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return stream.getvalue()


def send_job(client: httpx.Client, files: Files, **query: str) -> dict[str, Any]:
    response = client.post("/v1/jobs", files=[("file", file) for file in files], params=query)
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    return job


def wait_for_job(client: httpx.Client, job_id: str, **headers: str) -> dict[str, Any]:
    """Wait until the job has ended."""

    def ended() -> dict[str, Any] | None:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}", headers=headers).json()
        return job if job["state"] != "running" else None

    job = wait_until(ended, timeout_s=120)
    assert job is not None
    return job


def job_records(client: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/jobs/{job_id}/results")
    assert answer.headers["content-type"] == "application/jsonl"
    return [json.loads(row) for row in answer.text.splitlines()]


def wait_for_metric(client: httpx.Client, line: str) -> None:
    wait_until(lambda: line in client.get("/metrics").text)
