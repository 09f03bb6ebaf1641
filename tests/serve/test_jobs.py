"""POST /v1/jobs on a running service: many pictures in one order."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from imageprocess.serve.settings import Settings
from testkit.keyfiles import line
from testkit.pictures import encode, plain, scene
from tests.support.service import running

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


def send(client: httpx.Client, files: Files, **query: str) -> dict[str, Any]:
    response = client.post("/v1/jobs", files=[("file", file) for file in files], params=query)
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    return job


def wait(client: httpx.Client, job_id: str, **headers: str) -> dict[str, Any]:
    """Until it has ended."""
    deadline = time.monotonic() + 120
    while (job := client.get(f"/v1/jobs/{job_id}", headers=headers).json())["state"] == "running":
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    told: dict[str, Any] = job
    return told


def records(client: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/jobs/{job_id}/results")
    assert answer.headers["content-type"] == "application/jsonl"
    return [json.loads(row) for row in answer.text.splitlines()]


def test_a_form_of_pictures_from_order_to_records(client: httpx.Client) -> None:
    sent = send(client, THREE)
    assert sent["total"] == 3 and len(sent["id"]) == 32
    job = wait(client, sent["id"])
    assert (job["state"], job["done"], job["total"], job["errors"]) == ("finished", 3, 3, 1)
    assert job["verdicts"] == {"ai": 1, "real": 0, "unsure": 1}
    assert job["grades"]["very_likely_ai"] == 1 and sum(job["grades"].values()) == 2
    assert job["ended"] and job["expires"] > job["ended"]
    found = records(client, sent["id"])
    assert [record["source"] for record in found] == ["a.png", "b.txt", "c.png"]
    single = client.post("/v1/detect", files=[("file", file) for file in THREE]).json()["results"]
    for record in (*found, *single):
        record.pop("elapsed_ms", None)
    assert found == single


def test_the_csv_is_that_of_the_command_line(client: httpx.Client) -> None:
    job = wait(client, send(client, [*THREE, ("=cmd.png", DARK)])["id"])
    answer = client.get(f"/v1/jobs/{job['id']}/results?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["source"] for row in rows] == ["a.png", "b.txt", "c.png", "'=cmd.png"]
    assert rows[0]["grade"] == "very_likely_ai"
    assert rows[1]["error_code"] == "unsupported_format"
    assert client.get(f"/v1/jobs/{job['id']}/results?format=xml").status_code == 400


@pytest.mark.parametrize(
    "kind",
    ["tar", "tar.gz", "tar.bz2", "tar.xz", "zip"]
    + [f"{kind} as a form's file" for kind in ("tar", "tar.bz2", "tar.xz", "zip")],
)
def test_an_archive_is_its_pictures(client: httpx.Client, kind: str) -> None:
    inside = [
        ("x/a.png", BRIGHT), ("notes.md", b"# no"), ("../../b.png", DARK), ("x/.hidden.png", DARK), ("nameless", GREY),
    ]  # fmt: skip
    packing = kind.split()[0].removeprefix("tar").removeprefix(".")
    data = as_zip(inside) if "zip" in kind else as_tar(inside, f"w:{packing}")
    if "form" in kind:
        answer = client.post("/v1/jobs", files={"file": ("pictures", data)})
    else:
        media = "application/zip" if kind == "zip" else "application/x-tar"
        answer = client.post("/v1/jobs", content=data, headers={"Content-Type": media})
    assert answer.status_code == 202, answer.text
    assert answer.json()["total"] == 3
    job = wait(client, answer.json()["id"])
    assert (job["done"], job["errors"]) == (3, 0)
    found = records(client, job["id"])
    assert [(r["source"], r["verdict"]["label"]) for r in found] == [
        ("x/a.png", "ai"),
        ("../../b.png", "real"),  # a label; nothing is written under it
        ("nameless", "unsure"),
    ]


def test_the_mode_is_the_jobs(client: httpx.Client) -> None:
    job = wait(client, send(client, [("c.png", GREY)], mode="best-guess")["id"])
    assert job["mode"] == "best-guess" and job["verdicts"]["unsure"] == 0


def test_a_deleted_job_is_gone(client: httpx.Client) -> None:
    job = wait(client, send(client, THREE)["id"])
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    for method, path in (("GET", ""), ("GET", "/results"), ("DELETE", "")):
        answer = client.request(method, f"/v1/jobs/{job['id']}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_cancelled_in_the_middle_it_stops_and_leaves_the_workers_alone(tiny_model_dir: Path) -> None:
    with running(tiny_model_dir, jobs=1) as address, httpx.Client(base_url=address, timeout=60) as client:
        job = send(client, [(f"{i}.jpg", SLOW) for i in range(12)])
        while not (told := client.get(f"/v1/jobs/{job['id']}").json())["done"]:
            time.sleep(0.02)
        assert told["state"] == "running" and told["expires"] is None
        partial = client.get(f"/v1/jobs/{job['id']}/results")
        assert partial.headers["X-Job-State"] == "running"
        assert 1 <= len(partial.text.splitlines()) < 12
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
        _until_metric(client, "imageprocess_jobs 0.0")
        metrics = client.get("/metrics").text
        assert 'imageprocess_jobs_ended_total{state="cancelled"} 1.0' in metrics
        assert "imageprocess_worker_restarts_total{" not in metrics
        looked_at = (
            metrics.split('imageprocess_verdicts_total{decided_by="', 1)[1].split("} ")[1].split("\n")[0]
        )
        assert float(looked_at) < 12


def _until_metric(client: httpx.Client, wanted: str) -> None:
    deadline = time.monotonic() + 60
    while wanted not in client.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_results_go_when_their_time_is_over(tiny_model_dir: Path) -> None:
    with (
        running(tiny_model_dir, jobs=1, batch_lifetime_s=0.5) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        job = send(client, [("a.png", BRIGHT)])
        _until_metric(client, "imageprocess_jobs 0.0")
        deadline = time.monotonic() + 30
        while client.get(f"/v1/jobs/{job['id']}").status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert client.get(f"/v1/jobs/{job['id']}/results").status_code == 404


def test_another_key_sees_nothing(tiny_model_dir: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(line("one", "k1") + line("two", "k2"))
    with (
        running(tiny_model_dir, jobs=1, keys_file=keys) as address,
        httpx.Client(base_url=address, headers={"X-API-Key": "k1"}, timeout=30) as client,
    ):
        job = send(client, THREE)
        for method, path in (("GET", ""), ("GET", "/results"), ("DELETE", "")):
            for key, status in (("k2", 404), ("wrong", 403), (None, 401)):
                headers = {"X-API-Key": key} if key else {}
                answer = httpx.request(method, f"{address}/v1/jobs/{job['id']}{path}", headers=headers)
                assert answer.status_code == status
        assert httpx.post(f"{address}/v1/jobs", files={"file": BRIGHT}).status_code == 401
        assert wait(client, job["id"])["done"] == 3


def test_single_requests_pass_a_job(tiny_model_dir: Path) -> None:
    """With one worker they take turns: a picture waits for one of the job's, not for all."""
    with running(tiny_model_dir, jobs=1) as address, httpx.Client(base_url=address, timeout=60) as client:
        jobs = [send(client, [(f"{i}.jpg", SLOW) for i in range(15)]) for _ in range(2)]
        for _ in range(3):
            assert client.post("/v1/detect", files={"file": BRIGHT}).status_code == 200
        states = [client.get(f"/v1/jobs/{job['id']}").json() for job in jobs]
        assert [state["state"] for state in states] == ["running", "running"], states
        assert all(state["done"] > 0 for state in states), "one job waited for the other"
        for job in jobs:
            client.delete(f"/v1/jobs/{job['id']}")


def test_a_job_waits_where_the_queue_is_full(tiny_model_dir: Path) -> None:
    """A full queue refuses single requests; a job goes on later instead."""
    with (
        running(tiny_model_dir, jobs=1, max_waiting=1) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        job = send(client, [(f"{i}.png", BRIGHT) for i in range(6)])
        stop = threading.Event()

        def press() -> None:
            while not stop.is_set():
                httpx.post(f"{address}/v1/detect", files={"file": SLOW}, timeout=60)

        pressing = [threading.Thread(target=press) for _ in range(3)]
        for thread in pressing:
            thread.start()
        time.sleep(2)
        stop.set()
        for thread in pressing:
            thread.join()
        told = wait(client, job["id"])
    assert (told["done"], told["errors"]) == (6, 0)


def test_a_job_goes_no_faster_than_its_owners_rate_and_leaves_single_requests_theirs(
    tiny_model_dir: Path,
) -> None:
    with (
        running(tiny_model_dir, jobs=1, rate_per_address="4/minute") as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        job = send(client, [(f"{i}.png", BRIGHT) for i in range(8)])
        deadline = time.monotonic() + 30
        while (told := client.get(f"/v1/jobs/{job['id']}").json())["done"] < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1)
        told = client.get(f"/v1/jobs/{job['id']}").json()
        assert told["done"] <= 4 and told["state"] == "running"
        assert client.post("/v1/detect", files={"file": BRIGHT}).status_code == 200
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
        _until_metric(client, "imageprocess_jobs 0.0")


@pytest.fixture(scope="module")
def small(tiny_model_dir: Path) -> Iterator[httpx.Client]:
    """A service with small limits."""
    with (
        running(
            tiny_model_dir, jobs=1, max_body_bytes=20_000, batch_max_bytes=100_000, batch_max_files=4
        ) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        yield client


def test_a_job_is_as_large_as_its_own_limit_not_as_a_requests(small: httpx.Client) -> None:
    noise = encode(scene(3, 90, 90), "BMP")  # 24 kB: more than one picture may have
    job = wait(small, send(small, [("a.png", BRIGHT), ("b.bmp", noise), ("c.bmp", noise)])["id"])
    assert (job["done"], job["errors"]) == (3, 2)
    assert [r.get("error", {}).get("code") for r in records(small, job["id"])] == [
        None,
        "too_large",
        "too_large",
    ]


@pytest.mark.parametrize("pack", [as_tar, as_zip])
def test_a_picture_that_is_too_large_is_told_where_the_others_are_not(small: httpx.Client, pack: Any) -> None:
    data = pack([("a.png", BRIGHT), ("b.bmp", bytes(30_000)), ("c.png", DARK)])
    answer = small.post("/v1/jobs", content=data, headers={"Content-Type": "application/zip"})
    job = wait(small, answer.json()["id"])
    assert [r.get("error", {}).get("code") for r in records(small, job["id"])] == [None, "too_large", None]


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
def test_what_cannot_be_a_job_is_told_at_once(
    small: httpx.Client, content: bytes, status: int, code: str
) -> None:
    answer = small.post("/v1/jobs", content=content, headers={"Content-Type": "application/x-tar"})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert "imageprocess_jobs 0.0" in small.get("/metrics").text


def test_malformed_orders(small: httpx.Client) -> None:
    five = [("file", (f"{i}.png", BRIGHT)) for i in range(5)]
    asked: list[dict[str, Any]] = [
        {"files": five},
        {"files": {"other": BRIGHT}},
        {"files": {"file": BRIGHT}, "params": {"mode": "bold"}},
        {"files": {"file": BRIGHT}, "params": {"webhook": "https://hooks.example/"}},
    ]
    assert [small.post("/v1/jobs", **sent).status_code for sent in asked] == [400] * 4
    picture = small.post("/v1/jobs", content=BRIGHT, headers={"Content-Type": "image/png"})
    assert (picture.status_code, picture.json()["code"]) == (415, "unsupported_media_type")


def test_so_many_at_once_and_half_of_them_one_owners(tiny_model_dir: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("".join(line(name, name) for name in ("one", "two", "three")))
    slow = [(f"{i}.jpg", SLOW) for i in range(20)]
    with running(tiny_model_dir, jobs=1, keys_file=keys, batch_jobs=2) as address:
        clients = {
            name: httpx.Client(base_url=address, headers={"X-API-Key": name}, timeout=60)
            for name in ("one", "two", "three")
        }
        first = send(clients["one"], slow)
        assert clients["one"].post("/v1/jobs", files={"file": BRIGHT}).status_code == 503
        second = send(clients["two"], slow)
        refused = clients["three"].post("/v1/jobs", files={"file": BRIGHT})
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        clients["one"].delete(f"/v1/jobs/{first['id']}")
        clients["two"].delete(f"/v1/jobs/{second['id']}")
        _until_metric(clients["one"], "imageprocess_jobs 0.0")
        assert wait(clients["three"], send(clients["three"], THREE)["id"])["done"] == 3
        for client in clients.values():
            client.close()


def test_jobs_are_off_where_others_reach_the_service_without_a_key() -> None:
    assert Settings(host="0.0.0.0").batch_jobs == 0
    assert Settings(host="0.0.0.0", api_key="k").batch_jobs > 0  # type: ignore[arg-type]
    assert Settings(host="0.0.0.0", batch_jobs=1).batch_jobs == 1
    assert Settings(host="127.0.0.1").batch_jobs > 0


def test_where_jobs_are_off_they_are_said_to_be(tiny_model_dir: Path) -> None:
    with running(tiny_model_dir, jobs=1, batch_jobs=0) as address:
        answer = httpx.post(f"{address}/v1/jobs", files={"file": BRIGHT})
        assert (answer.status_code, answer.json()["code"]) == (404, "jobs_off")
        assert httpx.get(f"{address}/v1/model").json()["service"]["jobs"] is None


def test_no_file_of_a_job_has_a_name(tiny_model_dir: Path, tmp_path: Path) -> None:
    """So nothing is left where the service is killed."""
    with (
        running(tiny_model_dir, jobs=1, batch_folder=tmp_path) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        job = send(client, [(f"{i}.jpg", SLOW) for i in range(3)])
        assert list(tmp_path.iterdir()) == []
        assert wait(client, job["id"])["done"] == 3
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_take_a_job_is_told(tiny_model_dir: Path, tmp_path: Path) -> None:
    with running(tiny_model_dir, jobs=1, batch_folder=tmp_path / "missing") as address:
        answer = httpx.post(f"{address}/v1/jobs", files={"file": BRIGHT})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_room")
    assert str(tmp_path) not in answer.text
