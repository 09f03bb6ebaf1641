"""Multipart forms: valid variants are accepted, others rejected."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from testkit.pictures import encode, plain

KIND = "multipart/form-data; boundary=edge"
PICTURE = encode(plain(250), "PNG")
PART = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + PICTURE + b"\r\n"
WHOLE = PART + PART + b"--edge--\r\n"


def post(client: httpx.Client, content: bytes | Iterator[bytes], kind: str = KIND) -> httpx.Response:
    return client.post("/v1/detect", content=content, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    "content",
    [
        WHOLE,
        WHOLE.removesuffix(b"\r\n"),
        WHOLE + b"an epilogue\r\n--edge\r\n",
        WHOLE.removesuffix(b"\r\n") + b" \t\r\n",
        b"\r\n" + WHOLE,
    ],
)
def test_complete_form_variants_are_accepted(client: httpx.Client, content: bytes) -> None:
    assert len(post(client, content).json()["results"]) == 2
    in_pieces = post(client, (content[i : i + 1] for i in range(len(content))))
    assert len(in_pieces.json()["results"]) == 2


@pytest.mark.parametrize("cut", [3, 4, 11, 13, 60, len(PART), len(PART) + 100, len(WHOLE)])
def test_truncated_form_is_rejected(client: httpx.Client, cut: int) -> None:
    answer = post(client, WHOLE[:-cut])
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("charset", ["undefined", "punycode", "unicode_escape", "none-such", '""'])
def test_form_must_be_utf_8(client: httpx.Client, charset: str) -> None:
    assert len(post(client, WHOLE, f"{KIND}; charset=UTF-8").json()["results"]) == 2
    slow = b'--edge\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + b"a" * 1_000_000 + b"\r\n"
    began = time.monotonic()
    answer = post(client, slow + WHOLE, f"{KIND}; charset={charset}")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert time.monotonic() - began < 5
