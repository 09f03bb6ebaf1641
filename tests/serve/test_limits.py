"""Limits of bytes, pixels, files and queued requests."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from testkit.pictures import encode, plain, scene
from testkit.service import running

CAP = 20_000_000  # default limit of the request body


def test_body_over_limit_by_content_length_is_rejected(client: httpx.Client) -> None:
    response = client.post("/v1/detect", files={"file": ("a.jpg", b"\xff\xd8\xff" + bytes(CAP))})
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["/v1/detect", "/v1/detect/base64", "/predict"])
def test_streamed_body_over_limit_is_rejected(client: httpx.Client, path: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(CAP // 1_000_000 + 1):
            yield bytes(1_000_000)

    kind = "multipart/form-data; boundary=b" if path == "/v1/detect" else "application/json"
    response = client.post(path, content=_body(path, chunks()), headers={"content-type": kind})
    assert "content-length" not in response.request.headers
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def _body(path: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if path == "/v1/detect":
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    yield from chunks


def test_image_just_under_limit_is_analysed_in_memory(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))  # writing a temporary file would fail
    with pytest.raises(FileNotFoundError), tempfile.TemporaryFile():
        pass
    noise = Image.effect_noise((2200, 2950), 255).convert("RGB")
    picture = encode(noise, "BMP")
    assert 0.95 * CAP < len(picture) < CAP
    results = client.post("/v1/detect", files={"file": ("a.bmp", picture)}).json()["results"]
    assert results[0]["status"] == "ok"


def test_pixel_limit_is_checked_before_decoding(client: httpx.Client) -> None:
    bomb = encode(Image.new("1", (8000, 8000)), "PNG")  # 64 megapixels in a few kilobytes
    assert len(bomb) < 20_000
    (record,) = client.post("/v1/detect", files={"file": ("bomb.png", bomb)}).json()["results"]
    assert record["error"]["code"] == "too_many_pixels"


def test_number_of_files_is_limited(tiny_model_dir: Path) -> None:
    files = [("file", ("a.png", encode(plain(9), "PNG")))] * 3
    with running(tiny_model_dir, max_files=2) as address:
        assert httpx.post(f"{address}/v1/detect", files=files[:2]).status_code == 200
        response = httpx.post(f"{address}/v1/detect", files=files)
    assert (response.status_code, response.json()["code"]) == (400, "malformed")


def test_full_queue_returns_503_with_retry_after(tiny_model_dir: Path) -> None:
    picture = encode(scene(1, 3000, 3000), "JPEG")
    with running(tiny_model_dir, jobs=1, max_waiting=1) as address, ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: httpx.post(f"{address}/v1/detect", files={"file": picture}, timeout=60), range(8)
            )
        )
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    busy = answers[statuses.index(503)]
    assert busy.json()["code"] == "busy" and int(busy.headers["Retry-After"]) >= 1


def test_health_is_answered_during_large_image(client: httpx.Client) -> None:
    large = encode(scene(2, 7000, 7000), "JPEG")
    answered: list[int] = []

    def post_image() -> None:
        answered.append(client.post("/v1/detect", files={"file": large}).status_code)

    poster = threading.Thread(target=post_image)
    poster.start()
    meanwhile = 0
    while poster.is_alive():
        assert client.get("/healthz").status_code == 200
        meanwhile += 1
    poster.join()
    assert answered == [200]
    assert meanwhile > 5  # a blocked event loop would answer only one or two
