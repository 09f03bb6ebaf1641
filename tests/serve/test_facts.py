"""Health, model, metrics and OpenAPI of the service, and headers of every response."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

import imageprocess
from imageprocess.serve import schemas
from imageprocess.serve.settings import Settings
from testkit.pictures import encode, plain
from testkit.service import running

POST_PATHS = ["/v1/detect", "/v1/report", "/v1/detect/base64", "/predict", "/v1/jobs"]
JOB_PATHS = ["/v1/jobs/{job_id}", "/v1/jobs/{job_id}/results"]
GET_PATHS = ["/health", "/healthz", "/readyz", "/v1/model", "/metrics"]


def test_health(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "online"}
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize("path", GET_PATHS)
def test_head_is_get_without_body(client: httpx.Client, path: str) -> None:
    answer, whole = client.head(path), client.get(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Type"] == whole.headers["Content-Type"]
    assert set(client.post(path).headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_v1_model_returns_model_json_and_limits(client: httpx.Client, tiny_model_dir: Path) -> None:
    answer = client.get("/v1/model").json()
    service = answer.pop("service")
    assert answer == json.loads((tiny_model_dir / "model.json").read_text())
    assert service["version"] == imageprocess.__version__
    assert service["limits"] == {"max_body_bytes": 20_000_000, "max_pixels": 50_000_000, "max_files": 100}
    assert service["jobs"] == {
        "batch_jobs": 4, "batch_max_bytes": 200_000_000, "batch_max_files": 2_000, "batch_lifetime_s": 3600,
    }  # fmt: skip


def test_metrics_count_verdicts_errors_and_requests(tiny_model_dir: Path) -> None:
    with running(tiny_model_dir) as address, httpx.Client(base_url=address) as client:
        files = [("file", ("a.png", encode(plain(250), "PNG"))), ("file", ("b.txt", b"text"))]
        client.post("/v1/detect", files=files)
        client.get("/nowhere/1")
        client.get("/nowhere/2")
        text = client.get("/metrics").text
    assert 'imageprocess_verdicts_total{decided_by="model",label="ai"} 1.0' in text
    assert 'imageprocess_failures_total{code="unsupported_format"} 1.0' in text
    assert 'imageprocess_requests_total{method="POST",route="/v1/detect",status="200"} 1.0' in text
    assert 'imageprocess_requests_total{method="GET",route="other",status="404"} 2.0' in text
    assert "nowhere" not in text and "a.png" not in text


def _answers(client: httpx.Client) -> list[httpx.Response]:
    return [
        client.get("/"),
        client.get("/assets/style.css"),
        client.get("/v1/model"),
        client.get("/nowhere"),
        client.get("/v1/detect"),
        client.post("/v1/detect", content=b"x"),
        client.post("/predict", json={}),
        client.get("/broken"),
    ]


def test_every_response_has_security_headers_and_request_id(tiny_model_dir: Path) -> None:
    def broken() -> None:
        raise RuntimeError("provoked error")

    def prepare(app: FastAPI) -> None:
        app.add_api_route("/broken", broken)

    with running(tiny_model_dir, prepare=prepare) as address, httpx.Client(base_url=address) as client:
        answers = _answers(client)
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 405, 415, 400, 500]
    for answer in answers:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'; ")
        unsafe = re.findall(r"'[\w-]*unsafe[\w-]*'", answer.headers["Content-Security-Policy"])
        assert unsafe == ["'wasm-unsafe-eval'"]  # for WebAssembly; inline scripts and styles stay forbidden
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
        assert "server" not in answer.headers
    for answer in answers[3:]:
        assert answer.headers["Content-Type"] == "application/problem+json"
        body = answer.json()
        assert set(body) == {"type", "title", "status", "detail", "code", "request_id"}
        assert body["status"] == answer.status_code
        assert body["request_id"] == answer.headers["X-Request-ID"]
        assert "provoked error" not in answer.text


def test_valid_request_id_is_kept(client: httpx.Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    for bad in ("a b", "x" * 65, '"', "é".encode()):
        assert client.get("/healthz", headers={"X-Request-ID": bad}).headers["X-Request-ID"] != bad


def test_openapi_describes_every_route_and_resolves_references(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert sorted(document["paths"]) == sorted(POST_PATHS + GET_PATHS + JOB_PATHS)
    assert all(list(document["paths"][path]) == ["get"] for path in GET_PATHS)
    names = set(document["components"]["schemas"])
    assert set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document))) <= names
    for path in POST_PATHS:
        operation = document["paths"][path]["post"]
        assert operation["requestBody"]["required"] is True
        good = "202" if path == "/v1/jobs" else "200"
        assert {good, "400", "401", "403", "413", "415", "503"} <= set(operation["responses"])
    assert [list(document["paths"][path]) for path in JOB_PATHS] == [["get", "delete"], ["get"]]


def test_openapi_schema_matches_records(client: httpx.Client) -> None:
    schemas: dict[str, Any] = client.get("/openapi.json").json()["components"]["schemas"]
    files = [("file", ("a.png", encode(plain(250), "PNG"))), ("file", ("b.txt", b"text"))]
    good, bad = client.post("/v1/detect?heatmap=1", files=files).json()["results"]
    parts = {
        "Record": good,
        "Image": good["image"],
        "Verdict": good["verdict"],
        "Evidence": good["evidence"][0],
        "Model": good["model"],
        "Heatmap": good["heatmap"],
        "FailedRecord": bad,
        "Failure": bad["error"],
    }
    unmeasured = {"Verdict": {"measured"}}  # the tiny model has no measurements
    for name, part in parts.items():
        assert set(part) | unmeasured.get(name, set()) == set(schemas[name]["properties"]), name


def test_openapi_examples_are_real_responses(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    answers = {
        "/v1/detect": schemas.Results, "/v1/detect/base64": schemas.Record, "/predict": schemas.Prediction,
    }  # fmt: skip
    for path, shape in answers.items():
        example = paths[path]["post"]["responses"]["200"]["content"]["application/json"]["example"]
        TypeAdapter(shape).validate_python(example, strict=True, extra="forbid")
        record = example["results"][0] if "results" in example else example
        if path != "/predict":
            real = client.post("/v1/detect", files={"file": encode(plain(255), "PNG")}).json()["results"][0]
            assert list(record) == list(real) and list(record["verdict"]) == list(real["verdict"])
    job = paths["/v1/jobs"]["post"]["responses"]["202"]["content"]["application/json"]["example"]
    TypeAdapter(schemas.Job).validate_python(job, strict=True, extra="forbid")
    real_job = client.post("/v1/jobs", files={"file": encode(plain(255), "PNG")}).json()
    assert list(job) == list(real_job) and list(job["grades"]) == list(real_job["grades"])
    labels = [
        r["verdict"]["label"] if "verdict" in r else r["status"]
        for r in paths["/v1/detect"]["post"]["responses"]["200"]["content"]["application/json"]["example"][
            "results"
        ]
    ]
    assert labels == ["ai", "unsure", "error"]


def test_openapi_document_without_running_service(client: httpx.Client) -> None:
    completed = subprocess.run([sys.executable, "-m", "imageprocess.serve"], capture_output=True, check=True)
    assert json.loads(completed.stdout) == client.get("/openapi.json").json()


@pytest.mark.parametrize("issues", ["https://code.example/issues/new", "mailto:us@code.example", None])
def test_wrong_verdict_report_address_is_a_setting(tiny_model_dir: Path, issues: str | None) -> None:
    with running(tiny_model_dir, jobs=1, issues=issues) as address:
        assert httpx.get(f"{address}/site.json").json()["issues"] == issues
    with pytest.raises(ValueError, match="mailto"):
        Settings(issues="javascript:alert(1)")
