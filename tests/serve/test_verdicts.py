"""POST /v1/detect, /v1/detect/base64 and /predict on a running service; bright is AI, dark is real."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from testkit.pictures import encode, gradient, plain

BRIGHT, GREY, DARK = (encode(plain(brightness), "PNG") for brightness in (250, 128, 5))


def post(client: httpx.Client, *files: tuple[str, bytes], **query: str) -> list[dict[str, Any]]:
    response = client.post("/v1/detect", files=[("file", file) for file in files], params=query)
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def as_base64(data: bytes, prefix: str = "") -> dict[str, str]:
    return {"image_base64": prefix + base64.b64encode(data).decode()}


def test_one_record_per_file_in_order(client: httpx.Client) -> None:
    results = post(client, ("a.png", BRIGHT), ("b.png", DARK), ("c.png", GREY))
    assert [(r["source"], r["verdict"]["label"]) for r in results] == [
        ("a.png", "ai"),
        ("b.png", "real"),
        ("c.png", "unsure"),
    ]
    assert list(results[0]) == [
        "schema", "source", "status", "sha256", "image", "verdict", "evidence", "model", "elapsed_ms",
    ]  # fmt: skip


def test_failed_files_have_error_records(client: httpx.Client) -> None:
    jpeg = encode(gradient(), "JPEG")
    results = post(client, ("text.jpg", b"hello"), ("ok.png", BRIGHT), ("half.jpg", jpeg[: len(jpeg) // 8]))
    assert [r["status"] for r in results] == ["error", "ok", "error"]
    assert [r.get("error", {}).get("code") for r in results] == ["unsupported_format", None, "corrupt"]


def test_html_report_contains_image_only_on_request(client: httpx.Client) -> None:
    response = client.post("/v1/report", files={"file": ("a&b.png", BRIGHT)})
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/html")
    assert "attachment" in response.headers["content-disposition"]
    assert "a&amp;b.png" in response.text and "ery likely AI-made" in response.text
    picture = base64.b64encode(BRIGHT).decode()
    assert picture not in response.text
    with_it = client.post("/v1/report?picture=1", files={"file": ("a.png", BRIGHT)})
    assert picture in with_it.text


def test_report_error_names_cause(client: httpx.Client) -> None:
    assert client.post("/v1/report", files={"file": ("a.txt", b"hello")}).status_code == 415
    two = client.post("/v1/report", files=[("file", ("a.png", BRIGHT)), ("file", ("b.png", DARK))])
    assert two.status_code == 400 and "one file" in two.json()["detail"]


@pytest.mark.parametrize("kind", ["image/png", "image/*", "IMAGE/JPEG", "application/octet-stream"])
def test_raw_image_body_is_accepted(client: httpx.Client, kind: str) -> None:
    answer = client.post("/v1/detect", content=BRIGHT, headers={"Content-Type": kind})
    (record,) = answer.json()["results"]
    assert (record["source"], record["image"]["format"], record["verdict"]["label"]) == ("image", "PNG", "ai")
    empty = client.post("/v1/detect", content=b"", headers={"Content-Type": kind}).json()["results"][0]
    assert empty["status"] == "error"
    large = client.post("/v1/detect", content=bytes(20_000_001), headers={"Content-Type": kind})
    assert (large.status_code, large.json()["code"]) == (413, "too_large")


def test_unsupported_content_type_error_names_accepted_types(client: httpx.Client) -> None:
    answer = client.post("/v1/detect", content=BRIGHT, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert answer.json()["detail"] == "the body must be multipart/form-data or image/*, not text/plain"


def test_url_is_never_fetched(client: httpx.Client) -> None:
    """Only the command line and the Python API fetch URLs: a service must not (SSRF)."""
    for url in ("http://127.0.0.1:9/a.png", "https://example.org/a.png"):
        (record,) = post(client, (url, url.encode()))
        assert record["error"]["code"] == "unsupported_format"
        answer = client.post("/v1/detect/base64", json={"image_base64": url, "name": url})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_mode_changes_unsure_range(client: httpx.Client) -> None:
    labels = [
        post(client, ("a.png", GREY), mode=mode)[0]["verdict"]["label"] for mode in ("balanced", "best-guess")
    ]
    assert labels[0] == "unsure" and labels[1] != "unsure"


def test_heatmap_on_request_has_image_orientation(client: httpx.Client) -> None:
    left_bright = plain(5, 64, 64)
    left_bright.paste((255, 255, 255), (0, 0, 16, 64))
    data = encode(left_bright, "PNG")
    assert "heatmap" not in post(client, ("a.png", data))[0]
    heatmap = post(client, ("a.png", data), heatmap="1")[0]["heatmap"]
    width, height, values = heatmap["width"], heatmap["height"], heatmap["values"]
    assert len(values) == width * height
    assert all(0 <= value <= 1 for value in values)
    rows = [values[i : i + width] for i in range(0, len(values), width)]
    assert all(row[0] == max(row) > row[-1] for row in rows)


def test_file_name_is_kept_verbatim(client: httpx.Client) -> None:
    assert post(client, ("Über <b>&.png", BRIGHT))[0]["source"] == "Über <b>&.png"


def test_undecodable_file_name_is_accepted(client: httpx.Client) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xff.png"\r\n\r\n' + BRIGHT
    response = client.post(
        "/v1/detect",
        content=part + b"\r\n--b--\r\n",
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    (record,) = response.json()["results"]
    assert record["status"] == "ok" and record["source"].endswith(".png")


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_base64(client: httpx.Client, prefix: str) -> None:
    response = client.post("/v1/detect/base64", json={**as_base64(BRIGHT, prefix), "name": "a.png"})
    record = response.json()
    assert (record["source"], record["verdict"]["label"]) == ("a.png", "ai")
    assert record["sha256"] == post(client, ("a.png", BRIGHT))[0]["sha256"]


@pytest.mark.parametrize(
    ("data", "expected"), [(BRIGHT, ("AI-generated", 0, "ai_image")), (DARK, ("Real", 1, "real_image"))]
)
def test_predict_matches_original_response(
    client: httpx.Client, data: bytes, expected: tuple[str, int, str]
) -> None:
    answer = client.post("/predict", json=as_base64(data)).json()
    assert set(answer) == {"label_name", "confidence", "status", "class_id", "class_name"}
    assert (answer["label_name"], answer["class_id"], answer["class_name"]) == expected
    assert answer["status"] == "success"
    assert 0.9 < answer["confidence"] <= 1


def test_predict_never_abstains(client: httpx.Client) -> None:
    answer = client.post("/predict", json=as_base64(GREY)).json()
    assert answer["class_id"] in (0, 1) and 0.5 <= answer["confidence"] < 0.6


@pytest.mark.parametrize("path", ["/v1/detect/base64", "/predict"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"image_base64": "!!!"}, 400, "malformed"),
        ({"image_base64": ""}, 422, "corrupt"),
        (as_base64(b"hello, this is text"), 415, "unsupported_format"),
        (as_base64(BRIGHT[:60]), 422, "corrupt"),
        ({"image": "AAAA"}, 400, "malformed"),
        ({"image_base64": 5}, 400, "malformed"),
        ([], 400, "malformed"),
    ],
)
def test_single_failed_image_is_a_problem(
    client: httpx.Client, path: str, body: object, status: int, code: str
) -> None:
    response = client.post(path, json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 415, "unsupported_media_type"),
        ({"files": {"picture": ("a.png", BRIGHT)}}, 400, "malformed"),
        ({"data": {"file": "text"}, "files": {"other": b""}}, 400, "malformed"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "malformed"),
        ({"content": b"x" * 99, "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400, "malformed"),
        ({"files": {"file": ("a.png", BRIGHT)}, "params": {"mode": "bold"}}, 400, "malformed"),
    ],
)  # fmt: skip
def test_malformed_requests(client: httpx.Client, sent: dict[str, Any], status: int, code: str) -> None:
    response = client.post("/v1/detect", **sent)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_explain_only_on_request(client: httpx.Client) -> None:
    detail = post(client, ("a.png", BRIGHT), explain="true")[0]["evidence"][-1]["detail"]
    assert detail["explain"]["copies"]["same_side"] == 8
    assert "explain" not in post(client, ("a.png", BRIGHT))[0]["evidence"][-1]["detail"]
    response = client.post("/v1/detect/base64?explain=true", json=as_base64(DARK))
    assert response.json()["evidence"][-1]["detail"]["explain"]["copies"]["side"] == "real"
