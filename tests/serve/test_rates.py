"""Rate limits by key and by address."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageprocess.serve import rates
from imageprocess.serve.settings import Settings
from testkit.keyfiles import line
from testkit.pictures import encode, plain
from testkit.service import running
from testkit.waiting import wait_until

PICTURE = encode(plain(250), "PNG")
FILES = [("file", ("a.png", PICTURE))]
BEHIND = {"trusted_proxies": "127.0.0.1"}


def post(address: str, files: list[tuple[str, tuple[str, bytes]]] = FILES, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{address}/v1/detect", files=files, headers=names, timeout=30)


def test_rate_limit_headers_and_429_retry_after(tiny_model_dir: Path) -> None:
    with running(tiny_model_dir, rate_per_address="3/hour") as address:
        answers = [post(address) for _ in range(4)]
        assert httpx.get(f"{address}/healthz").status_code == 200  # only images are counted
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
    refused = answers[-1]
    assert refused.json()["code"] == "too_many_requests"
    assert 0 < int(refused.headers["Retry-After"]) == int(refused.headers["X-RateLimit-Reset"]) <= 3600


def test_rate_limit_counts_images_not_requests(tiny_model_dir: Path) -> None:
    with running(tiny_model_dir, rate_per_address="3/hour") as address:
        assert post(address, FILES * 2).status_code == 200
        assert post(address, FILES * 2).status_code == 429
    with running(tiny_model_dir, rate_per_address="1/second") as address:
        assert post(address).status_code == 200
        wait_until(lambda: post(address).status_code == 200, timeout_s=10, interval_s=0.1)


def test_rate_limit_is_per_key_and_invalid_keys_count_by_address(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(line("desk", "k1") + line("lab", "k2"))
    settings = {"keys_file": keys, "rate_per_key": "2/hour", "rate_per_address": "3/hour"}
    with running(tiny_model_dir, **settings) as address:
        assert [post(address, X_API_Key="k1").status_code for _ in range(3)] == [200, 200, 429]
        assert post(address, Authorization="Bearer k2").status_code == 200
        assert [post(address, X_API_Key="guess").status_code for _ in range(3)] == [403] * 3
        assert post(address, X_API_Key="guess").status_code == 429
        assert post(address).status_code == 429
        assert post(address, X_API_Key="k2").status_code == 200


def test_no_default_rate_limit_on_localhost() -> None:
    assert Settings().rate_per_address is None
    assert Settings(host="::1").rate_per_address is None
    assert Settings(host="0.0.0.0").rate_per_address == "120/minute"
    assert Settings(host="0.0.0.0", rate_per_address="off").rate_per_address is None
    with pytest.raises(ValueError, match="like 60/minute"):
        Settings(rate_per_address="many")


def test_forwarded_for_is_used_only_from_trusted_proxy(tiny_model_dir: Path) -> None:
    with running(tiny_model_dir, rate_per_address="1/hour") as address:
        assert post(address, X_Forwarded_For="203.0.113.1").status_code == 200
        assert post(address, X_Forwarded_For="203.0.113.2").status_code == 429
    with running(tiny_model_dir, rate_per_address="1/hour", **BEHIND) as address:
        assert post(address, X_Forwarded_For="203.0.113.1").status_code == 200
        assert post(address, X_Forwarded_For="203.0.113.2").status_code == 200
        # The client's own entry precedes the address that the proxy appended.
        assert post(address, X_Forwarded_For="198.51.100.7, 203.0.113.1").status_code == 429


@pytest.mark.parametrize(
    ("host", "subject"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "other"),
        ("", "other"),
        (None, "other"),
    ],
)
def test_rate_limit_subject_of_address(host: str | None, subject: str) -> None:
    assert rates.subject(host) == subject


@given(st.text(max_size=80))
def test_any_forwarded_value_has_a_rate_limit_subject(host: str) -> None:
    assert len(rates.subject(host)) <= 45


@pytest.fixture
def redis() -> Iterator[str]:
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("needs redis-server")
    pytest.importorskip("redis", reason="needs the extra [redis]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "Ready to accept connections" in line:
                break
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.stdout.close()
        process.wait()


def test_rate_limit_is_shared_through_redis(tiny_model_dir: Path, redis: str) -> None:
    settings = {"rate_per_address": "3/hour", "rate_storage": redis}
    with running(tiny_model_dir, **settings) as one, running(tiny_model_dir, **settings) as other:
        statuses = [post(address).status_code for address in (one, other, one, other)]
    assert statuses == [200, 200, 200, 429]


def test_rate_limit_falls_back_to_memory_without_redis(tiny_model_dir: Path) -> None:
    pytest.importorskip("redis", reason="needs the extra [redis]")
    settings = {"rate_per_address": "1/hour", "rate_storage": "redis://127.0.0.1:1"}
    with running(tiny_model_dir, **settings) as address:
        assert [post(address).status_code for _ in range(2)] == [200, 429]
