"""POST /v1/jobs on a running service: states, results, archives."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import httpx
import pytest

from testkit.keyfiles import line
from testkit.service import running
from testkit.waiting import wait_until
from tests.support.jobs import (
    BRIGHT,
    DARK,
    GREY,
    SLOW,
    THREE,
    as_tar,
    as_zip,
    job_records,
    send_job,
    wait_for_job,
    wait_for_metric,
)


def test_job_from_form_to_records(client: httpx.Client) -> None:
    sent = send_job(client, THREE)
    assert sent["total"] == 3 and len(sent["id"]) == 32
    job = wait_for_job(client, sent["id"])
    assert (job["state"], job["done"], job["total"], job["errors"]) == ("finished", 3, 3, 1)
    assert job["verdicts"] == {"ai": 1, "real": 0, "unsure": 1}
    assert job["grades"]["very_likely_ai"] == 1 and sum(job["grades"].values()) == 2
    assert job["ended"] and job["expires"] > job["ended"]
    records = job_records(client, sent["id"])
    assert [record["source"] for record in records] == ["a.png", "b.txt", "c.png"]
    single = client.post("/v1/detect", files=[("file", file) for file in THREE]).json()["results"]
    for record in (*records, *single):
        record.pop("elapsed_ms", None)
    assert records == single


def test_job_csv_matches_command_line(client: httpx.Client) -> None:
    job = wait_for_job(client, send_job(client, [*THREE, ("=cmd.png", DARK)])["id"])
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
def test_job_from_archive(client: httpx.Client, kind: str) -> None:
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
    job = wait_for_job(client, answer.json()["id"])
    assert (job["done"], job["errors"]) == (3, 0)
    records = job_records(client, job["id"])
    assert [(r["source"], r["verdict"]["label"]) for r in records] == [
        ("x/a.png", "ai"),
        ("../../b.png", "real"),  # only a label, not a path
        ("nameless", "unsure"),
    ]


def test_job_mode(client: httpx.Client) -> None:
    job = wait_for_job(client, send_job(client, [("c.png", GREY)], mode="best-guess")["id"])
    assert job["mode"] == "best-guess" and job["verdicts"]["unsure"] == 0


def test_deleted_job_returns_404(client: httpx.Client) -> None:
    job = wait_for_job(client, send_job(client, THREE)["id"])
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    for method, path in (("GET", ""), ("GET", "/results"), ("DELETE", "")):
        answer = client.request(method, f"/v1/jobs/{job['id']}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_cancelled_job_stops_without_restarting_workers(tiny_model_dir: Path) -> None:
    with running(tiny_model_dir, jobs=1) as address, httpx.Client(base_url=address, timeout=60) as client:
        job = send_job(client, [(f"{i}.jpg", SLOW) for i in range(12)])
        wait_until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["done"], interval_s=0.02)
        state = client.get(f"/v1/jobs/{job['id']}").json()
        assert state["state"] == "running" and state["expires"] is None
        partial = client.get(f"/v1/jobs/{job['id']}/results")
        assert partial.headers["X-Job-State"] == "running"
        assert 1 <= len(partial.text.splitlines()) < 12
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
        wait_for_metric(client, "imageprocess_jobs 0.0")
        metrics = client.get("/metrics").text
        assert 'imageprocess_jobs_ended_total{state="cancelled"} 1.0' in metrics
        assert "imageprocess_worker_restarts_total{" not in metrics
        looked_at = (
            metrics.split('imageprocess_verdicts_total{decided_by="', 1)[1].split("} ")[1].split("\n")[0]
        )
        assert float(looked_at) < 12


def test_job_results_expire(tiny_model_dir: Path) -> None:
    with (
        running(tiny_model_dir, jobs=1, batch_lifetime_s=0.5) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        job = send_job(client, [("a.png", BRIGHT)])
        wait_for_metric(client, "imageprocess_jobs 0.0")
        wait_until(lambda: client.get(f"/v1/jobs/{job['id']}").status_code == 404)
        assert client.get(f"/v1/jobs/{job['id']}/results").status_code == 404


def test_job_is_invisible_to_other_keys(tiny_model_dir: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(line("one", "k1") + line("two", "k2"))
    with (
        running(tiny_model_dir, jobs=1, keys_file=keys) as address,
        httpx.Client(base_url=address, headers={"X-API-Key": "k1"}, timeout=30) as client,
    ):
        job = send_job(client, THREE)
        for method, path in (("GET", ""), ("GET", "/results"), ("DELETE", "")):
            for key, status in (("k2", 404), ("wrong", 403), (None, 401)):
                headers = {"X-API-Key": key} if key else {}
                answer = httpx.request(method, f"{address}/v1/jobs/{job['id']}{path}", headers=headers)
                assert answer.status_code == status
        assert httpx.post(f"{address}/v1/jobs", files={"file": BRIGHT}).status_code == 401
        assert wait_for_job(client, job["id"])["done"] == 3


def test_single_requests_overtake_jobs(tiny_model_dir: Path) -> None:
    """With one worker they alternate: a single image waits for one image of the job, not for all."""
    with running(tiny_model_dir, jobs=1) as address, httpx.Client(base_url=address, timeout=60) as client:
        jobs = [send_job(client, [(f"{i}.jpg", SLOW) for i in range(15)]) for _ in range(2)]
        for _ in range(3):
            assert client.post("/v1/detect", files={"file": BRIGHT}).status_code == 200
        states = [client.get(f"/v1/jobs/{job['id']}").json() for job in jobs]
        assert [state["state"] for state in states] == ["running", "running"], states
        assert all(state["done"] > 0 for state in states), "one job waited for the other"
        for job in jobs:
            client.delete(f"/v1/jobs/{job['id']}")
