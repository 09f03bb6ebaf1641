"""API key and CORS: no key by default; with a key, it is checked before the body is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from testkit.pictures import encode, plain
from testkit.service import running

FILES = {"file": ("a.png", encode(plain(250), "PNG"))}


@pytest.fixture(scope="module")
def keyed_client(tiny_model_dir: Path) -> Iterator[httpx.Client]:
    with running(tiny_model_dir, api_key="s3cret-ключ") as address, httpx.Client(base_url=address) as client:
        yield client


def test_no_key_required_by_default(client: httpx.Client) -> None:
    assert client.post("/v1/detect", files=FILES).status_code == 200
    assert client.get("/v1/model").json()["service"]["key_required"] is False


@pytest.mark.parametrize("path", ["/v1/detect", "/v1/detect/base64", "/predict"])
@pytest.mark.parametrize(
    ("key", "status", "code"),
    [(None, 401, "key_missing"), ("", 401, "key_missing"), ("s3cret", 403, "key_wrong"), ("wröng", 403, "key_wrong")],
)  # fmt: skip
def test_request_without_key_is_rejected_before_its_body_is_read(
    keyed_client: httpx.Client, path: str, key: str | None, status: int, code: str
) -> None:
    headers = {} if key is None else {"X-API-Key": key.encode()}
    response = keyed_client.post(path, content=b"neither form nor JSON", headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_request_with_key_is_answered(keyed_client: httpx.Client) -> None:
    response = keyed_client.post("/v1/detect", files=FILES, headers={"X-API-Key": "s3cret-ключ".encode()})
    assert response.json()["results"][0]["verdict"]["label"] == "ai"


def test_bearer_token_is_accepted(keyed_client: httpx.Client) -> None:
    bearer = {"Authorization": "Bearer s3cret-ключ".encode()}
    assert keyed_client.post("/v1/detect", files=FILES, headers=bearer).status_code == 200
    for value, status in [("Bearer no", 403), ("Basic s3cret", 401), ("Bearer", 401)]:
        assert (
            keyed_client.post("/v1/detect", files=FILES, headers={"Authorization": value}).status_code
            == status
        )
    refused = keyed_client.post("/v1/detect", files=FILES)
    assert refused.headers["WWW-Authenticate"] == "ApiKey, Bearer"


def test_cors_allows_only_configured_origins(client: httpx.Client, tiny_model_dir: Path) -> None:
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in client.options("/v1/detect", headers=preflight).headers
    assert "access-control-allow-origin" not in client.get("/v1/model", headers=preflight).headers
    with running(tiny_model_dir, cors_origins="https://a.example, https://b.example") as address:
        answer = httpx.options(f"{address}/v1/detect", headers=preflight)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert "Content-Security-Policy" in answer.headers
        answer = httpx.get(f"{address}/v1/model", headers=preflight)
        assert "X-RateLimit-Remaining" in answer.headers["Access-Control-Expose-Headers"]
        answer = httpx.get(f"{address}/v1/model", headers={"Origin": "https://c.example"})
        assert "access-control-allow-origin" not in answer.headers
        refused = httpx.options(f"{address}/v1/detect", headers=preflight | {"Origin": "https://c.example"})
        assert (refused.status_code, refused.json()["code"]) == (400, "malformed")
        assert refused.json()["request_id"] == refused.headers["X-Request-ID"]
        assert "access-control-allow-origin" not in refused.headers and "Origin" in refused.headers["Vary"]


def test_pages_learn_that_a_key_is_required_but_not_which(keyed_client: httpx.Client) -> None:
    assert keyed_client.get("/v1/model").json()["service"]["key_required"] is True
    for path in ("/", "/predict.html", "/docs", "/openapi.json", "/v1/model", "/metrics"):
        response = keyed_client.get(path)
        assert response.status_code == 200 and "s3cret" not in response.text


@pytest.mark.parametrize("path", ["/health", "/healthz", "/readyz"])
def test_health_probes_need_no_key(keyed_client: httpx.Client, path: str) -> None:
    assert keyed_client.get(path).status_code == 200
