"""Limits of POST /v1/jobs: sizes, malformed orders, quotas, rates, jobs switched off, storage."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from imageprocess.serve.settings import Settings
from testkit.keyfiles import line
from testkit.pictures import encode, scene
from testkit.service import running
from testkit.waiting import wait_until
from tests.support.jobs import (
    BRIGHT,
    DARK,
    SLOW,
    THREE,
    as_tar,
    as_zip,
    job_records,
    send_job,
    wait_for_job,
    wait_for_metric,
)


def test_job_waits_while_queue_is_full(tiny_model_dir: Path) -> None:
    """A full queue rejects single requests; a job waits and continues."""
    with (
        running(tiny_model_dir, jobs=1, max_waiting=1) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        job = send_job(client, [(f"{i}.png", BRIGHT) for i in range(6)])
        stop = threading.Event()
        statuses: list[int] = []

        def send_requests() -> None:
            while not stop.is_set():
                answer = httpx.post(f"{address}/v1/detect", files={"file": SLOW}, timeout=60)
                statuses.append(answer.status_code)

        threads = [threading.Thread(target=send_requests) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: statuses.count(503) >= 10 and statuses.count(200) >= 3, state=lambda: statuses)
        stop.set()
        for thread in threads:
            thread.join()
        finished = wait_for_job(client, job["id"])
    assert (finished["done"], finished["errors"]) == (6, 0)


def test_job_obeys_owner_rate_limit_and_leaves_room_for_single_requests(
    tiny_model_dir: Path,
) -> None:
    with (
        running(tiny_model_dir, jobs=1, rate_per_address="4/minute") as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        job = send_job(client, [(f"{i}.png", BRIGHT) for i in range(8)])
        wait_until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["done"] >= 3)
        time.sleep(1)  # proves that no more are done: at full speed all eight would be by now
        state = client.get(f"/v1/jobs/{job['id']}").json()
        assert state["done"] <= 4 and state["state"] == "running"
        assert client.post("/v1/detect", files={"file": BRIGHT}).status_code == 200
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
        wait_for_metric(client, "imageprocess_jobs 0.0")


@pytest.fixture(scope="module")
def limited_client(tiny_model_dir: Path) -> Iterator[httpx.Client]:
    """A client of a service with small limits."""
    with (
        running(
            tiny_model_dir, jobs=1, max_body_bytes=20_000, batch_max_bytes=100_000, batch_max_files=4
        ) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        yield client


def test_job_size_limit_is_separate_from_request_limit(limited_client: httpx.Client) -> None:
    noise = encode(scene(3, 90, 90), "BMP")  # 24 kB: over the limit of one image
    job = wait_for_job(
        limited_client,
        send_job(limited_client, [("a.png", BRIGHT), ("b.bmp", noise), ("c.bmp", noise)])["id"],
    )
    assert (job["done"], job["errors"]) == (3, 2)
    assert [r.get("error", {}).get("code") for r in job_records(limited_client, job["id"])] == [
        None,
        "too_large",
        "too_large",
    ]


@pytest.mark.parametrize("pack", [as_tar, as_zip])
def test_too_large_image_fails_only_its_own_record(limited_client: httpx.Client, pack: Any) -> None:
    data = pack([("a.png", BRIGHT), ("b.bmp", bytes(30_000)), ("c.png", DARK)])
    answer = limited_client.post("/v1/jobs", content=data, headers={"Content-Type": "application/zip"})
    job = wait_for_job(limited_client, answer.json()["id"])
    assert [r.get("error", {}).get("code") for r in job_records(limited_client, job["id"])] == [
        None,
        "too_large",
        None,
    ]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (bytes(100_001), 413, "too_large"),
        (as_zip([(f"{i}.png", BRIGHT) for i in range(5)]), 413, "too_large"),
        (as_zip([(f"{i}.png", bytes(19_000) + bytes([i])) for i in range(4)] * 2), 413, "too_large"),
        (as_tar([(f"{i}.png", bytes(19_000)) for i in range(12)], "w:gz"), 413, "too_large"),
        (as_zip([]), 422, "no_pictures"),
        (as_tar([("notes.txt", b"text")]), 422, "no_pictures"),
        (as_tar([("a.png", BRIGHT)])[:700], 422, "corrupt"),
        (as_zip([("a.png", BRIGHT)])[:-30], 422, "corrupt"),
        (as_tar([("a.png", BRIGHT)], "w:gz")[:-40], 422, "corrupt"),
        (b"text", 422, "corrupt"),
        (b"", 422, "corrupt"),
    ],
)  # fmt: skip
def test_invalid_job_is_rejected_immediately(
    limited_client: httpx.Client, content: bytes, status: int, code: str
) -> None:
    answer = limited_client.post("/v1/jobs", content=content, headers={"Content-Type": "application/x-tar"})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert "imageprocess_jobs 0.0" in limited_client.get("/metrics").text


def test_malformed_job_requests(limited_client: httpx.Client) -> None:
    five = [("file", (f"{i}.png", BRIGHT)) for i in range(5)]
    requests: list[dict[str, Any]] = [
        {"files": five},
        {"files": {"other": BRIGHT}},
        {"files": {"file": BRIGHT}, "params": {"mode": "bold"}},
        {"files": {"file": BRIGHT}, "params": {"webhook": "https://hooks.example/"}},
    ]
    assert [limited_client.post("/v1/jobs", **sent).status_code for sent in requests] == [400] * 4
    picture = limited_client.post("/v1/jobs", content=BRIGHT, headers={"Content-Type": "image/png"})
    assert (picture.status_code, picture.json()["code"]) == (415, "unsupported_media_type")


def test_job_limits_total_and_per_owner(tiny_model_dir: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("".join(line(name, name) for name in ("one", "two", "three")))
    slow = [(f"{i}.jpg", SLOW) for i in range(20)]
    with running(tiny_model_dir, jobs=1, keys_file=keys, batch_jobs=2) as address:
        clients = {
            name: httpx.Client(base_url=address, headers={"X-API-Key": name}, timeout=60)
            for name in ("one", "two", "three")
        }
        first = send_job(clients["one"], slow)
        assert clients["one"].post("/v1/jobs", files={"file": BRIGHT}).status_code == 503
        second = send_job(clients["two"], slow)
        refused = clients["three"].post("/v1/jobs", files={"file": BRIGHT})
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        clients["one"].delete(f"/v1/jobs/{first['id']}")
        clients["two"].delete(f"/v1/jobs/{second['id']}")
        wait_for_metric(clients["one"], "imageprocess_jobs 0.0")
        assert wait_for_job(clients["three"], send_job(clients["three"], THREE)["id"])["done"] == 3
        for client in clients.values():
            client.close()


def test_jobs_are_disabled_on_public_host_without_key() -> None:
    assert Settings(host="0.0.0.0").batch_jobs == 0
    assert Settings(host="0.0.0.0", api_key="k").batch_jobs > 0  # type: ignore[arg-type]
    assert Settings(host="0.0.0.0", batch_jobs=1).batch_jobs == 1
    assert Settings(host="127.0.0.1").batch_jobs > 0


def test_disabled_jobs_return_404_jobs_off(tiny_model_dir: Path) -> None:
    with running(tiny_model_dir, jobs=1, batch_jobs=0) as address:
        answer = httpx.post(f"{address}/v1/jobs", files={"file": BRIGHT})
        assert (answer.status_code, answer.json()["code"]) == (404, "jobs_off")
        assert httpx.get(f"{address}/v1/model").json()["service"]["jobs"] is None


def test_job_files_are_unlinked(tiny_model_dir: Path, tmp_path: Path) -> None:
    """So nothing is left behind if the service is killed."""
    with (
        running(tiny_model_dir, jobs=1, batch_folder=tmp_path) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        job = send_job(client, [(f"{i}.jpg", SLOW) for i in range(3)])
        assert list(tmp_path.iterdir()) == []
        assert wait_for_job(client, job["id"])["done"] == 3
        assert list(tmp_path.iterdir()) == []


def test_unusable_job_folder_returns_503(tiny_model_dir: Path, tmp_path: Path) -> None:
    with running(tiny_model_dir, jobs=1, batch_folder=tmp_path / "missing") as address:
        answer = httpx.post(f"{address}/v1/jobs", files={"file": BRIGHT})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_room")
    assert str(tmp_path) not in answer.text
