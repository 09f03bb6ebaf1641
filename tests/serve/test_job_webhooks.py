"""Webhooks of jobs, sent to a receiver on 127.0.0.1."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from imageprocess.errors import InputNotFoundError
from imageprocess.serve.jobs.webhook import Webhooks
from imageprocess.serve.metrics import Metrics
from imageprocess.serve.problems import ProblemError
from imageprocess.serve.settings import Settings
from imageprocess.sources.web import post
from testkit.pictures import encode, plain
from testkit.service import running
from testkit.serving import QuietHandler, http_server
from testkit.waiting import wait_until

KEY = bytes(range(32))
SECRET = SecretStr("whsec_" + base64.b64encode(KEY).decode())
BRIGHT = encode(plain(250), "PNG")


@dataclass
class Receiver:
    """Responds with the given statuses in turn, repeating the last."""

    statuses: list[int]
    address: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def webhook_receiver(*statuses: int) -> Iterator[Receiver]:
    receiver = Receiver(list(statuses))

    class Handler(QuietHandler, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status = receiver.statuses[min(len(receiver.requests), len(receiver.statuses)) - 1]
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    with http_server(Handler, host="localhost") as receiver.address:
        yield receiver


def run_job(tiny_model_dir: Path, url: str, until: str, **settings: Any) -> dict[str, Any]:
    """Run a job with a webhook; returns its state once the webhook's state is `until`."""
    options = {
        "webhook_private_hosts": ("localhost",),
        "webhook_secret": SECRET,
        "webhook_delay_s": 0.05,
        **settings,
    }
    with running(tiny_model_dir, jobs=1, **options) as address:
        answer = httpx.post(
            f"{address}/v1/jobs", files={"file": ("a.png", BRIGHT)}, params={"webhook": url}, timeout=30
        )
        assert answer.status_code == 202, answer.text
        assert url not in answer.text
        job_url = f"{address}/v1/jobs/{answer.json()['id']}"

        def current() -> dict[str, Any]:
            job: dict[str, Any] = httpx.get(job_url, timeout=30).json()
            return job

        wait_until(lambda: current()["webhook"]["state"] == until, state=current)
        return current()


def check_signature(headers: dict[str, str], body: bytes) -> None:
    """Verify as a receiver does, by the specification."""
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 300
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_webhook_is_sent_once_and_signed(tiny_model_dir: Path) -> None:
    with webhook_receiver(204) as receiver:
        job = run_job(tiny_model_dir, f"{receiver.address}/hook?team=a", "delivered")
    assert job["webhook"] == {"state": "delivered", "tries": 1}
    ((path, headers, body),) = receiver.requests
    assert path == "/hook?team=a"
    check_signature(headers, body)
    payload = json.loads(body)
    assert (payload["type"], payload["data"]["id"], payload["data"]["done"]) == ("job.finished", job["id"], 1)
    assert b"a.png" not in body and b"webhook" not in body


def test_webhook_retry_keeps_id_and_gets_new_signature(tiny_model_dir: Path) -> None:
    with webhook_receiver(500, 302, 200) as receiver:
        job = run_job(tiny_model_dir, receiver.address, "delivered")
    assert job["webhook"]["tries"] == 3
    assert {path for path, _, _ in receiver.requests} == {"/"}, "a redirect was followed"
    assert len({headers["webhook-id"] for _, headers, _ in receiver.requests}) == 1
    for _, headers, body in receiver.requests:
        check_signature(headers, body)


@pytest.mark.parametrize(("statuses", "tries"), [((500,), 2), ((410,), 1)])
def test_webhook_stops_after_maximum_retries(
    tiny_model_dir: Path, statuses: tuple[int, ...], tries: int
) -> None:
    with webhook_receiver(*statuses) as receiver:
        job = run_job(tiny_model_dir, receiver.address, "failed", webhook_tries=2)
    assert (job["state"], job["webhook"]["tries"], len(receiver.requests)) == ("finished", tries, tries)


def test_webhook_to_private_address_of_public_host_is_blocked(tiny_model_dir: Path) -> None:
    """The receiver listens and its name is allowed as a public host, but its address is private."""
    with webhook_receiver(200) as receiver:
        port = receiver.address.rsplit(":", 1)[1]
        job = run_job(
            tiny_model_dir, f"https://localhost:{port}/", "failed",
            webhook_hosts=("localhost",), webhook_private_hosts=(), webhook_tries=1,
        )  # fmt: skip
        with pytest.raises(InputNotFoundError, match="not a public address"):
            post(f"http://127.0.0.1:{port}/", b"", {}, timeout_s=5)
    assert job["webhook"]["tries"] == 1 and receiver.requests == []


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://hooks.example/a?b=c", True),
        ("https://HOOKS.example:8443/", True),
        ("http://inside.example/", True),
        ("http://hooks.example/", False),  # not https
        ("https://other.example/", False),
        ("https://hooks.example.evil.example/", False),
        ("https://evil.example#hooks.example", False),
        ("https://hooks.example@evil.example/", False),
        ("https://user:word@hooks.example/", False),
        ("https://hooks.example./", False),
        ("https://127.0.0.1/", False),
        ("https://[::1]/", False),
        ("ftp://inside.example/", False),
        ("https://hooks.example:port/", False),
        ("https://hooks.example/" + "a" * 2_000, False),
        ("hooks.example", False),
        ("", False),
    ],
)
def test_webhook_only_to_configured_hosts(url: str, is_allowed: bool) -> None:
    settings = Settings(
        webhook_hosts=("hooks.example",), webhook_private_hosts=("inside.example",), webhook_secret=SECRET
    )
    webhooks = Webhooks(settings, Metrics())
    if is_allowed:
        webhooks.check(url)
    else:
        with pytest.raises(ProblemError) as caught:
            webhooks.check(url)
        assert (caught.value.status, caught.value.code) == (400, "webhook_refused")


def test_webhooks_need_hosts_and_secret() -> None:
    with pytest.raises(ProblemError, match="webhooks are disabled"):
        Webhooks(Settings(), Metrics()).check("https://hooks.example/")
    with pytest.raises(ValidationError, match="IMAGEPROCESS_WEBHOOK_SECRET"):
        Settings(webhook_hosts=("hooks.example",))
    with pytest.raises(ValidationError, match="openssl rand"):
        Settings(webhook_secret=SecretStr("secret"))
    assert "AAEC" not in repr(Settings(webhook_secret=SECRET))
