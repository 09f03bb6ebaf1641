"""Worker failures affect only one image: crash, hang, memory limit, kill."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import random
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

from imageprocess.errors import ModelError
from testkit.loading import Answer, form, load
from testkit.pictures import encode, plain, scene
from testkit.service import running, worker_pids
from testkit.waiting import wait_until

BRIGHT = encode(plain(250), "PNG")
# Seconds of decoding in a few kilobytes: long enough to interrupt the analysis.
SLOW = encode(Image.new("L", (7000, 7000), 9), "WEBP", lossless=True, quality=0, method=0)

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")


@contextmanager
def service_and_app(model: Path, **settings: Any) -> Iterator[tuple[httpx.Client, FastAPI]]:
    """A client of a service, and the app inside it."""
    apps: list[FastAPI] = []
    with (
        running(model, prepare=apps.append, **settings) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield client, apps[0]


def detect(client: httpx.Client, data: bytes) -> dict[str, Any]:
    response = client.post("/v1/detect", files={"file": ("a", data)})
    assert response.status_code == 200, response.text
    record: dict[str, Any] = response.json()["results"][0]
    return record


def analysed_count(client: httpx.Client) -> int:
    """Number of analysed images."""
    match = re.search(
        r"^imageprocess_analysis_seconds_count (\d+)", client.get("/metrics").text, re.MULTILINE
    )
    assert match
    return int(match[1])


def busy_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def signal_while_busy(pid: int, number: int) -> None:
    before = busy_seconds(pid)
    wait_until(lambda: busy_seconds(pid) > before + 0.1)
    os.kill(pid, number)


def kill(pid: int) -> None:
    """Only if the process is still our worker: process ids are reused."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        if b"imageprocess.serve.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_worker_crash_fails_only_that_image(tiny_model_dir: Path, number: int) -> None:
    with service_and_app(tiny_model_dir, jobs=1) as (client, app), ThreadPoolExecutor() as threads:
        (pid,) = worker_pids(app)
        slow = threads.submit(detect, client, SLOW)
        signal_while_busy(pid, number)
        after = threads.submit(detect, client, BRIGHT)  # waits while another worker starts
        assert client.get("/healthz").status_code == 200
        assert slow.result()["error"]["code"] == "crashed"
        assert after.result()["verdict"]["label"] == "ai"
        assert pid not in worker_pids(app)
        metrics = client.get("/metrics").text
    assert 'imageprocess_worker_restarts_total{reason="crashed"} 1.0' in metrics
    assert 'imageprocess_failures_total{code="crashed"} 1.0' in metrics


def test_crash_response_is_documented(tiny_model_dir: Path) -> None:
    with service_and_app(tiny_model_dir, jobs=1) as (client, app), ThreadPoolExecutor() as threads:
        body = {"image_base64": base64.b64encode(SLOW).decode()}
        future = threads.submit(client.post, "/v1/detect/base64", json=body)
        signal_while_busy(worker_pids(app)[0], signal.SIGSEGV)
        assert (future.result().status_code, future.result().json()["code"]) == (422, "crashed")


def test_hanging_image_times_out(tiny_model_dir: Path) -> None:
    with service_and_app(tiny_model_dir, jobs=1, timeout_s=0.3) as (client, _):
        assert detect(client, SLOW)["error"]["code"] == "timeout"
        assert detect(client, BRIGHT)["verdict"]["label"] == "ai"
        assert 'restarts_total{reason="timeout"} 1.0' in client.get("/metrics").text


def test_disconnect_stops_analysis_of_remaining_images(tiny_model_dir: Path) -> None:
    with service_and_app(tiny_model_dir, jobs=1) as (client, _):
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/detect", files=[("file", SLOW)] * 50, timeout=0.5)
        wait_until(lambda: 'route="/v1/detect",status="499"' in client.get("/metrics").text)
        assert analysed_count(client) < 50


def test_disconnect_while_queued_stops_analysis(tiny_model_dir: Path) -> None:
    large = encode(Image.effect_noise((1000, 1000), 255), "BMP")  # arrives in several chunks
    posted: dict[str, dict[str, Any]] = {
        "/v1/detect": {"files": {"file": large}},
        "/predict": {"json": {"image_base64": base64.b64encode(large).decode()}},
    }
    with service_and_app(tiny_model_dir, jobs=1) as (client, app), ThreadPoolExecutor() as threads:
        (pid,) = worker_pids(app)
        os.kill(pid, signal.SIGSTOP)
        stays = threads.submit(detect, client, BRIGHT)
        wait_until(app.state.analyser.pool._idle.empty)
        for path, body in posted.items():
            with pytest.raises(httpx.ReadTimeout):
                client.post(path, timeout=0.5, **body)
        os.kill(pid, signal.SIGCONT)
        assert stays.result()["status"] == "ok"
        for path in posted:
            left = f'route="{path}",status="499"'
            wait_until(lambda left=left: left in client.get("/metrics").text)  # type: ignore[misc]
        assert analysed_count(client) == 1


def test_worker_memory_limit(tiny_model_dir: Path) -> None:
    with service_and_app(tiny_model_dir, jobs=1, worker_memory_bytes=100_000_000) as (client, _):
        bomb = encode(Image.new("RGB", (7000, 7000)), "PNG")  # 49 megapixels, under the limit
        assert detect(client, bomb)["error"]["code"] == "too_many_pixels"
        assert detect(client, BRIGHT)["verdict"]["label"] == "ai"


def test_json_bomb_fails_in_worker_only(tiny_model_dir: Path) -> None:
    bombs = [b'{"image_base64": [' + b"1.5," * 3_000_000 + b"1]}", b"[" * 5_000_000]
    with service_and_app(tiny_model_dir, jobs=1, worker_memory_bytes=100_000_000) as (client, _):
        for bomb in bombs:
            answer = client.post("/predict", content=bomb, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 413), answer.text
        assert detect(client, BRIGHT)["verdict"]["label"] == "ai"


def test_image_is_retried_after_external_kill_of_worker(tiny_model_dir: Path) -> None:
    with service_and_app(tiny_model_dir, jobs=1) as (client, app), ThreadPoolExecutor() as threads:
        slow = threads.submit(detect, client, SLOW)
        signal_while_busy(worker_pids(app)[0], signal.SIGKILL)
        assert slow.result()["status"] == "ok"  # analysed by another worker
        idle = worker_pids(app)[0]
        os.kill(idle, signal.SIGKILL)
        assert detect(client, BRIGHT)["verdict"]["label"] == "ai"
        assert 'restarts_total{reason="killed"} 2.0' in client.get("/metrics").text


def test_repeated_kills_return_503(tiny_model_dir: Path) -> None:
    stop = threading.Event()
    with service_and_app(tiny_model_dir, jobs=1) as (client, app):

        def kill_workers() -> None:
            while not stop.is_set():
                for pid in worker_pids(app):
                    kill(pid)
                time.sleep(0.05)

        killer = threading.Thread(target=kill_workers)
        killer.start()
        try:
            answer = client.post("/v1/detect", files={"file": ("a", SLOW)})
        finally:
            stop.set()
            killer.join()
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["code"] == "workers_lost"
        wait_until(lambda: client.get("/readyz").status_code == 200)


def test_random_kills_lose_no_request(tiny_model_dir: Path) -> None:
    """A worker is killed every second under load: every request gets the correct verdict or a 503."""
    kinds = [(encode(plain(b), "PNG"), label) for b, label in ((250, "ai"), (128, "unsure"), (5, "real"))]
    big = [(encode(scene(1, 2000, 2000), "JPEG"), None)]

    def is_right(which: int, answer: Answer) -> bool:
        label = (kinds + big)[which][1]
        return answer[0] == 200 and label in (None, answer[1]["results"][0]["verdict"]["label"])

    with service_and_app(tiny_model_dir, jobs=2) as (client, app):
        stop = threading.Event()

        def kill_workers() -> None:
            while not stop.wait(1):
                if pids := worker_pids(app):
                    kill(random.choice(pids))

        killer = threading.Thread(target=kill_workers)
        killer.start()
        try:
            requests = [form(data) for data, _ in kinds + big]
            address = str(client.base_url)
            tally = asyncio.run(
                load(address, requests, is_right, clients=8, seconds=5, allowed=frozenset({503}))
            )
        finally:
            stop.set()
            killer.join()
        metrics = client.get("/metrics").text
    assert not tally.wrong and not tally.lost
    assert tally.statuses[200] > 8
    assert 'restarts_total{reason="killed"}' in metrics


def test_worker_is_sandboxed_and_has_no_secrets(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "s3cret")
    with service_and_app(tiny_model_dir, jobs=1, api_key=None) as (_, app):
        (pid,) = worker_pids(app)
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()
        files = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    assert b"PYTHONPATH" in environment and b"s3cret" not in environment
    limits_by_name = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
    assert limits_by_name["Max file size"] == limits_by_name["Max core file size"] == ["0", "0"]
    assert 1_500_000_000 < int(limits_by_name["Max address space"][1]) < 2_500_000_000
    assert all(name.startswith(("socket:", "/dev/null")) for name in files), files


def test_unloadable_model_fails_at_start(tmp_path: Path, tiny_model_dir: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for file in tiny_model_dir.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "model.onnx").write_bytes(b"no graph")

    async def start() -> None:
        from imageprocess.serve.app import create_app
        from imageprocess.serve.settings import Settings

        app = create_app(Settings(model=str(folder)))
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(ModelError, match="sha256 differs"):
        asyncio.run(start())
